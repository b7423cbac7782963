from __future__ import annotations

import asyncio
import errno
import logging
import os
import shutil
import socket
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from ottserver.backends.blobs import BlobMissing, Blobs, BlobsDown, DiskRoom, disk, open_blobs
from ottserver.backends.blobs.disk import DiskCache
from ottserver.backends.blobs.layer import Layer
from ottserver.backends.blobs.steady import SteadyBlobs
from ottserver.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

BODY = bytes(range(256)) * 40


class Faulty(Layer):
    """A store that is down, or hangs, for the next so many reads."""

    def __init__(self, below: Blobs) -> None:
        super().__init__(below)
        self.reads = 0
        self.down = 0
        self.hangs = 0

    async def get(self, key: str) -> bytes:
        self.reads += 1
        if self.down:
            self.down -= 1
            raise BlobsDown
        if self.hangs:
            self.hangs -= 1
            await asyncio.sleep(60)
        return await super().get(key)


@pytest.fixture
async def faulty(tmp_path: Path) -> AsyncIterator[Faulty]:
    async with open_blobs("memory://", tmp_path / "scratch") as blobs:
        await blobs.put("a/1.m4s", BODY)
        yield Faulty(blobs)


def quick(below: Blobs) -> SteadyBlobs:
    return SteadyBlobs(below, try_seconds=0.25, deadline_seconds=5.0)


async def test_read_that_fails_or_hangs_is_tried_again(faulty: Faulty) -> None:
    faulty.down = faulty.hangs = 1
    assert await quick(faulty).get("a/1.m4s") == BODY
    assert faulty.reads == 3


async def test_tries_and_time_have_an_end(faulty: Faulty) -> None:
    faulty.down = 1000
    with pytest.raises(BlobsDown):
        await quick(faulty).get("a/1.m4s")
    assert faulty.reads == 3
    faulty.down, faulty.hangs, faulty.reads = 0, 1000, 0
    with pytest.raises(BlobsDown):
        await SteadyBlobs(faulty, tries=1000, try_seconds=0.01, deadline_seconds=0.3).get("a/1.m4s")
    assert faulty.reads < 10


async def test_what_is_missing_is_not_asked_for_again(faulty: Faulty) -> None:
    with pytest.raises(BlobMissing):
        await quick(faulty).get("a/2.m4s")
    assert faulty.reads == 1


@asynccontextmanager
async def kept(below: Blobs, folder: Path, limit: int = 1_000_000) -> AsyncIterator[DiskCache]:
    cache = DiskCache(below, folder, limit)
    await cache.open()
    try:
        yield cache
    finally:
        await cache.close()


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_blob_read_once_is_served_while_the_store_is_down_also_after_a_restart(
    faulty: Faulty, tmp_path: Path
) -> None:
    async with kept(faulty, tmp_path / "kept") as cache:
        assert await cache.get("a/1.m4s") == BODY
    faulty.down = 1000
    async with kept(faulty, tmp_path / "kept") as cache:
        assert await cache.get("a/1.m4s") == BODY
        assert cache.bytes == sum(path.stat().st_size for path in files(tmp_path / "kept"))
        with pytest.raises(BlobsDown):
            await cache.get("a/2.m4s")


@pytest.mark.parametrize("harm", ["cut", "flipped", "empty", "gone", "of another key"])
async def test_file_that_is_not_what_was_written_is_read_anew(faulty: Faulty, tmp_path: Path, harm: str) -> None:
    async with kept(faulty, tmp_path / "kept") as cache:
        await cache.get("a/1.m4s")
    (path,) = files(tmp_path / "kept")
    text = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(
            {
                "cut": text[: len(text) // 2],
                "flipped": text[:-5] + b"\0" + text[-4:],
                "empty": b"",
                "of another key": text.replace(b"a/1.m4s", b"b/1.m4s"),
            }[harm]
        )
    (path.parent / ".new-left").write_bytes(text[:100])
    async with kept(faulty, tmp_path / "kept") as cache:
        assert not list(path.parent.glob(".new-*"))
        assert await cache.get("a/1.m4s") == BODY
    assert faulty.reads == 2
    assert files(tmp_path / "kept") == [path]
    assert path.read_bytes() == text


async def test_folder_stays_within_its_bound_and_keeps_what_is_asked_for_again(faulty: Faulty, tmp_path: Path) -> None:
    for number in range(25):
        await faulty.put(f"b/{number}.m4s", BODY)
    async with kept(faulty, tmp_path / "kept", 17 * len(BODY)) as cache:
        for number in range(25):
            await cache.get(f"b/{number}.m4s")
            await cache.get("a/1.m4s")
            await cache.close()
            assert sum(path.stat().st_size for path in files(tmp_path / "kept")) == cache.bytes <= 17 * len(BODY)
    assert faulty.reads == 26


async def test_what_is_replaced_or_removed_is_not_served_any_more(faulty: Faulty, tmp_path: Path) -> None:
    await faulty.put("a/2.m4s", BODY)
    async with kept(faulty, tmp_path / "kept") as cache:
        await cache.get("a/1.m4s")
        await cache.put("a/1.m4s", b"another")
        assert await cache.get("a/1.m4s") == b"another"
        await cache.delete("a/1.m4s")
        await cache.get("a/2.m4s")
        await cache.delete_folder("a")
        for key in ("a/1.m4s", "a/2.m4s"):
            with pytest.raises(BlobMissing):
                await cache.get(key)
        assert cache.bytes == 0
    assert not files(tmp_path / "kept")


async def test_full_disk_turns_the_cache_off_and_reading_goes_on(
    faulty: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried = 0

    def full(*_: object) -> bool:
        nonlocal tried
        tried += 1
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async with kept(faulty, tmp_path / "kept") as cache:
        monkeypatch.setattr(disk, "_write", full)
        for _ in range(3):
            assert await cache.get("a/1.m4s") == BODY
            await cache.close()
    assert tried == 1
    (line,) = (record for record in caplog.records if record.levelno == logging.ERROR)
    assert "is off for 600 s: No space left on device" in line.getMessage()


class Bucket:
    """An HTTP server with one object, which answers in turn as it is told, and well from then on."""

    def __init__(self, *faults: str) -> None:
        self.faults = list(faults)
        self.asked = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        fault = self.faults.pop(0) if self.faults else ""
        head = (
            'HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: "x"\r\nConnection: close\r\n'
            "Last-Modified: Wed, 25 Nov 2026 00:00:00 GMT\r\n\r\n"
        )
        if fault == "error":
            writer.write(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        elif fault == "short":
            writer.write((head % len(BODY)).encode() + BODY[:5000])
        elif fault == "trickle":
            writer.write((head % len(BODY)).encode())
            for byte in BODY[:4]:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.1)
        elif fault != "nothing":
            writer.write((head % len(BODY)).encode() + BODY)
        await writer.drain()
        writer.close()


async def test_half_answers_errors_and_trickles_of_a_bucket_never_become_a_blob(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    bucket = Bucket("short", "error", "nothing", "short", "trickle")
    server = await asyncio.start_server(bucket, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = f"s3://films/lib?endpoint=http://127.0.0.1:{port}"
    async with server, open_blobs(url, tmp_path / "scratch", DiskRoom(tmp_path / "kept", 1_000_000, 0)) as blobs:
        with pytest.raises(BlobsDown):
            await blobs.get("a/1.m4s")
        assert (bucket.asked, files(tmp_path / "kept")) == (3, [])
        assert await blobs.get("a/1.m4s") == BODY
        assert bucket.asked == 6
    async with open_blobs(url, tmp_path / "scratch", DiskRoom(tmp_path / "kept", 1_000_000, 0)) as blobs:
        assert await blobs.get("a/1.m4s") == BODY


@pytest.mark.parametrize("url", ["s3://", "s3://films?endpint=http://127.0.0.1:1"])
async def test_address_of_a_bucket_is_refused_in_words(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="names no bucket; use s3://"):
        async with open_blobs(url, tmp_path / "scratch"):
            pass


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("versitygw") is None, reason="versitygw is not installed")
async def test_real_s3_server_and_what_is_kept_of_it_when_it_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-a-test")
    (tmp_path / "data" / "films").mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--port", f"127.0.0.1:{port}", "--access", "key", "--secret", "secret-of-a-test", "--region", "us-east-1"]
    nowhere = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        "versitygw", *words, "posix", str(tmp_path / "data"), stdout=nowhere, stderr=nowhere, start_new_session=True
    )
    try:
        url = f"s3://films/lib?endpoint=http://127.0.0.1:{port}"
        room = DiskRoom(tmp_path / "kept", 10_000_000, 0)
        async with open_blobs(url, tmp_path / "scratch", room) as blobs:
            until = time.monotonic() + 20
            while time.monotonic() < until:
                try:
                    await blobs.check()
                    break
                except BlobsDown:
                    await asyncio.sleep(0.1)
            await blobs.put("a/1.m4s", BODY)
            assert not await blobs.create("a/1.m4s", b"late")
            assert await blobs.create("a/2.m4s", b"two")
            with pytest.raises(BlobMissing):
                await blobs.get("a/3.m4s")
            assert sorted([info.key async for info in blobs.list("a")]) == ["a/1.m4s", "a/2.m4s"]
            assert await blobs.get_range("a/1.m4s", 5, 10) == BODY[5:15]
            async with blobs.local("a/1.m4s") as path:
                assert path.read_bytes() == BODY
            assert await blobs.get("a/1.m4s") == BODY
            process.kill()
            await process.wait()
            assert await blobs.get("a/1.m4s") == BODY
            with pytest.raises(BlobsDown):
                await blobs.get("a/2.m4s")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
