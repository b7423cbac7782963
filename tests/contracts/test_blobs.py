from __future__ import annotations

import asyncio
import errno
import os
import time
import tracemalloc
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ottserver.backends.blobs import BlobMissing, Blobs, BlobsDown, BlobsFull, open_blobs
from ottserver.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.contracts.conftest import StartProcess

MISSING = "sources/00/nothing"
NO_KEYS = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "../outside",
    "a/../../outside",
    "a/..",
    "./a",
    "a//b",
    "a/",
    "a\\b",
    "a\0b",
    "a\nb",
    "a\n",
    "a b",
    ".hidden",
    "a/.incoming/x",
    "%2e%2e/a",
    "a#1",
    "ü",
    "a" * 513,
]


async def _keys(blobs: Blobs, prefix: str) -> list[str]:
    return sorted([blob.key async for blob in blobs.list(prefix)])


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"film" * 1000)
    return path


async def test_blob_is_read_as_it_was_written(blobs: Blobs) -> None:
    await blobs.put("a/b.bin", b"\0\xff bytes")
    assert await blobs.get("a/b.bin") == b"\0\xff bytes"
    info = await blobs.info("a/b.bin")
    assert info is not None
    assert (info.key, info.size) == ("a/b.bin", 8)


async def test_empty_blob_is_a_blob(blobs: Blobs) -> None:
    await blobs.put("a", b"")
    assert await blobs.get("a") == b""
    assert await blobs.get_range("a", 0, 10) == b""


async def test_put_replaces(blobs: Blobs) -> None:
    await blobs.put("a", b"first, longer")
    await blobs.put("a", b"second")
    assert await blobs.get("a") == b"second"


async def test_missing_blob_is_said_to_be_missing(blobs: Blobs) -> None:
    with pytest.raises(BlobMissing):
        await blobs.get(MISSING)
    with pytest.raises(BlobMissing):
        await blobs.get_range(MISSING, 0, 1)
    with pytest.raises(BlobMissing):
        async with blobs.local(MISSING):
            pass
    assert await blobs.info(MISSING) is None
    await blobs.delete(MISSING)
    await blobs.delete_folder("nowhere")
    assert await _keys(blobs, "nowhere") == []


async def test_folder_is_no_blob(blobs: Blobs) -> None:
    await blobs.put("a/b/c", b"x")
    assert await blobs.info("a/b") is None
    with pytest.raises((BlobMissing, BlobsDown)):
        await blobs.get("a/b")


@pytest.mark.parametrize("key", NO_KEYS)
async def test_what_is_no_key_is_refused_by_every_call(blobs: Blobs, film: Path, key: str) -> None:
    async def listed() -> None:
        await _keys(blobs, key)

    async def local() -> None:
        async with blobs.local(key):
            pass

    for call in (
        blobs.get(key),
        blobs.get_range(key, 0, 1),
        blobs.info(key),
        blobs.put(key, b"x"),
        blobs.create(key, b"x"),
        blobs.put_file(key, film),
        blobs.delete(key),
        blobs.delete_folder(key),
        listed(),
        local(),
    ):
        with pytest.raises(ValueError, match="not a blob key"):
            await call


async def test_only_the_first_of_twenty_creators_wins(blobs: Blobs) -> None:
    for name in ("segments/one", "segments/two", "segments/three"):
        contents = [bytes([number]) * 100_000 for number in range(20)]
        won = await asyncio.gather(*(blobs.create(name, content) for content in contents))
        assert won.count(True) == 1
        assert await blobs.get(name) == contents[won.index(True)]
    assert await _keys(blobs, "segments") == ["segments/one", "segments/three", "segments/two"]


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [(0, 4, b"0123"), (3, 2, b"34"), (8, 100, b"89"), (0, 100, b"0123456789"), (10, 1, b""), (99, 1, b""), (2, 0, b"")],
)
async def test_range_ends_where_the_blob_ends(blobs: Blobs, start: int, length: int, expected: bytes) -> None:
    await blobs.put("a", b"0123456789")
    assert await blobs.get_range("a", start, length) == expected


async def test_list_names_what_is_below_a_folder(blobs: Blobs) -> None:
    for key in ("a/1", "a/b/2", "ab/3", "c"):
        await blobs.put(key, b"xy")
    assert await _keys(blobs, "a") == ["a/1", "a/b/2"]
    assert [blob.size async for blob in blobs.list("a/b")] == [2]


async def test_list_is_whole_beyond_a_batch(blobs: Blobs) -> None:
    await asyncio.gather(*(blobs.put(f"many/{number}", b"") for number in range(1100)))
    assert len(await _keys(blobs, "many")) == 1100


async def test_deleted_folder_leaves_its_neighbours(blobs: Blobs) -> None:
    for key in ("a/1", "a/b/2", "ab/3"):
        await blobs.put(key, b"x")
    await blobs.delete_folder("a")
    assert await _keys(blobs, "a") == []
    assert await blobs.get("ab/3") == b"x"
    await blobs.put("a/1", b"again")
    assert await blobs.get("a/1") == b"again"


async def test_deleted_blob_is_gone(blobs: Blobs) -> None:
    await blobs.put("a/1", b"x")
    await blobs.delete("a/1")
    assert await blobs.info("a/1") is None


async def test_local_file_becomes_a_blob_and_stays(blobs: Blobs, film: Path) -> None:
    await blobs.put_file("sources/f", film)
    assert await blobs.get("sources/f") == b"film" * 1000
    assert await asyncio.to_thread(film.exists)


async def test_file_that_is_given_up_is_gone(blobs: Blobs, film: Path) -> None:
    await blobs.put_file("sources/f", film, move=True)
    assert await blobs.get("sources/f") == b"film" * 1000
    assert not await asyncio.to_thread(film.exists)


@pytest.mark.parametrize("move", [False, True])
async def test_blob_that_is_there_is_kept(blobs: Blobs, film: Path, *, move: bool) -> None:
    await blobs.put("sources/f", b"first")
    await blobs.put_file("sources/f", film, move=move)
    assert await blobs.get("sources/f") == b"first"
    assert await asyncio.to_thread(film.exists) == (not move)


async def test_link_to_a_file_brings_the_file(blobs: Blobs, film: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.mp4"
    link.symlink_to(film.name)
    await blobs.put_file("sources/f", link)
    assert await blobs.get("sources/f") == b"film" * 1000
    async with blobs.local("sources/f") as path:
        assert not await asyncio.to_thread(path.is_symlink)


async def test_file_that_is_not_there_makes_no_blob(blobs: Blobs, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await blobs.put_file("sources/f", tmp_path / "nothing")
    assert await blobs.info("sources/f") is None


@pytest.fixture
def distant() -> Iterator[Path]:
    """A file on another file system than the tests' folders."""
    shared = Path("/dev/shm")  # noqa: S108 - every Linux has this second file system
    if not shared.is_dir():
        pytest.skip("no second file system here")
    path = shared / f"ottserver-test-{os.getpid()}"
    path.write_bytes(b"far" * 1000)
    yield path
    path.unlink(missing_ok=True)


async def test_file_on_another_file_system_is_copied(blobs: Blobs, distant: Path) -> None:
    await blobs.put_file("sources/f", distant, move=True)
    assert await blobs.get("sources/f") == b"far" * 1000
    assert not await asyncio.to_thread(distant.exists)


async def test_large_file_does_not_pass_through_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(200_000_000)

    def no_link(*_arguments: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", no_link)
    async with open_blobs(f"file://{tmp_path}/blobs", tmp_path / "scratch") as blobs:
        tracemalloc.start()
        try:
            await blobs.put_file("sources/large", path)
            async with blobs.local("sources/large") as local:
                assert (await asyncio.to_thread(local.stat)).st_size == 200_000_000
            assert tracemalloc.get_traced_memory()[1] < 30_000_000
        finally:
            tracemalloc.stop()


async def test_local_file_holds_the_bytes_while_it_is_used(blobs: Blobs) -> None:
    await blobs.put("sources/f", b"film" * 1000)
    async with AsyncExitStack() as stack:
        paths = [await stack.enter_async_context(blobs.local("sources/f")) for _ in range(3)]
        for path in paths:
            assert await asyncio.to_thread(path.read_bytes) == b"film" * 1000


async def test_scratch_copies_are_gone_afterwards(blobs: Blobs, tmp_path: Path) -> None:
    await blobs.put("sources/f", b"film" * 1000)

    async def use() -> None:
        async with blobs.local("sources/f") as path:
            await asyncio.to_thread(path.read_bytes)
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(use()) for _ in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert await asyncio.to_thread(os.listdir, tmp_path / "scratch") == []


async def test_check_passes_on_an_open_store(blobs: Blobs) -> None:
    await blobs.check()


KILLED_WHILE_COPYING = """
import os, sys
from pathlib import Path
from ottserver.backends.blobs import files

def kill(read, write):
    write.write(b"half")
    write.flush()
    os.kill(os.getpid(), 9)

files._copy = files._reflink = kill
files.take_file(Path(sys.argv[1]), Path(sys.argv[2]), "sources/f", move=False, leaving=0)
"""


async def test_copy_that_was_killed_is_never_seen_and_swept_later(
    tmp_path: Path, film: Path, start_process: StartProcess
) -> None:
    folder = tmp_path / "blobs"
    await asyncio.to_thread(folder.mkdir)
    await asyncio.to_thread(start_process(KILLED_WHILE_COPYING, str(film), str(folder)).wait)
    (left,) = [path for path in folder.rglob("*") if path.is_file()]
    async with open_blobs(f"file://{folder}", tmp_path / "scratch") as blobs:
        assert await _keys(blobs, "sources") == []
        assert left.exists()
        await blobs.put_file("sources/f", film)
        assert await _keys(blobs, "sources") == ["sources/f"]
    long_ago = time.time() - 86400
    os.utime(left, (long_ago, long_ago))
    async with open_blobs(f"file://{folder}", tmp_path / "scratch") as blobs:
        assert not left.exists()
        assert await blobs.get("sources/f") == b"film" * 1000


async def test_files_that_are_no_blobs_are_not_listed(tmp_path: Path) -> None:
    async with open_blobs(f"file://{tmp_path}/blobs", tmp_path / "scratch") as blobs:
        await blobs.put("sources/f", b"x")
        for name in ("Thumbs db.txt", ".DS_Store", "f#1"):
            (tmp_path / "blobs/sources" / name).write_text("stray")
        assert await _keys(blobs, "sources") == ["sources/f"]


async def test_store_that_cannot_be_written_is_down(tmp_path: Path) -> None:
    async with open_blobs(f"file://{tmp_path}/blobs", tmp_path / "scratch") as blobs:
        (tmp_path / "blobs/a").write_text("a file where a folder should be")
        with pytest.raises(BlobsDown):
            await blobs.put("a/b", b"x")


@pytest.mark.parametrize("url", ["gopher://host", "file://host/folder", "file:relative", "blobs", ""])
async def test_address_that_names_no_store_is_refused_in_a_sentence(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="blobs_url"):
        async with open_blobs(url, tmp_path / "scratch"):
            pass


async def test_folder_that_cannot_be_made_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SettingsError, match="blobs_url: the folder"):
        async with open_blobs(f"file://{tmp_path}/file/blobs", tmp_path / "scratch"):
            pass


async def test_store_says_how_much_room_it_has_or_that_it_has_no_end(blobs: Blobs, blobs_url: str) -> None:
    free = await blobs.free_bytes()
    assert free is None if blobs_url.startswith("memory:") else free


async def test_copy_that_would_leave_too_little_room_is_not_begun(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_link(*_: object) -> None:
        raise OSError(errno.EXDEV, "another file system")

    async with open_blobs(f"file://{tmp_path}/blobs", tmp_path / "scratch") as blobs:
        monkeypatch.setattr(os, "link", no_link)
        monkeypatch.setattr("ottserver.backends.blobs.files.free_in", lambda _: 5000)
        with pytest.raises(BlobsFull):
            await blobs.put_file("a/film", film, leaving=1001)
        assert await _keys(blobs, "a") == []
        await blobs.put_file("a/film", film, leaving=1000)
        assert await blobs.get("a/film") == b"film" * 1000
