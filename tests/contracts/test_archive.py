from __future__ import annotations

import asyncio
import io
import json
import stat
import tarfile
import tracemalloc
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from ottserver.backends.archive import rows
from ottserver.backends.archive.backup import backup
from ottserver.backends.archive.restore import restore
from ottserver.backends.bus.outbox import OutboxBus, RetryPolicy
from ottserver.backends.database.schema import consumer_failures, consumer_positions, metadata, outbox
from ottserver.errors import Conflict, Invalid
from ottserver.events import AccountDeleted
from tests.contracts.places import EMPTY, FILM, SOURCE, Place, example, open_place, quiet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ottserver.backends.blobs import Blobs
    from ottserver.backends.database import Database
    from tests.contracts.conftest import StartProcess


@pytest.fixture
async def here(database: Database, blobs: Blobs, tmp_path: Path) -> Place:
    """An installation with something in every kind of column."""
    await blobs.put(SOURCE, FILM)
    await blobs.put("artwork/p/poster.jpg", b"a poster")
    await blobs.put("artwork/p/empty", b"")
    await blobs.put("presentations/p/v480/0.m4s", b"a segment")
    async with database.writing() as work:
        for number in range(rows.BATCH + 50):
            await work.announce(AccountDeleted(f"ü {number}"))
        await work.connection.execute(
            consumer_failures.insert(),
            [
                {
                    "consumer": "c",
                    "seq": seq,
                    "aggregateid": "a",
                    "attempts": 3,
                    "next_attempt_at": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
                    "error": "line\nbreak \u2028 \x00 'quote'",
                    "parked_at": parked,
                }
                for seq, parked in ((1, None), (2, datetime(2026, 5, 5, tzinfo=UTC)))
            ],
        )
        await work.connection.execute(
            metadata.tables["videos"].insert(),
            [example(metadata.tables["videos"], number) for number in range(3)],
        )
    return Place(database, blobs, tmp_path / "scratch")


@pytest.fixture
async def there(second_database_url: str, second_blobs_url: str, tmp_path: Path) -> AsyncIterator[Place]:
    """An installation that is empty."""
    async with open_place(second_database_url, second_blobs_url, tmp_path / "second") as place:
        yield place


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "backup.tar"


@pytest.fixture
async def archive(here: Place, file: Path) -> Path:
    await backup(here.database, here.blobs, file, quiet)
    return file


async def test_everything_comes_back(here: Place, there: Place, archive: Path) -> None:
    await there.restore(archive)
    assert await there.contents() == await here.contents()
    assert await there.blobs.info("presentations/p/v480/0.m4s") is None


async def test_segments_come_along_when_asked_for(here: Place, there: Place, file: Path) -> None:
    await backup(here.database, here.blobs, file, quiet, with_segments=True)
    await there.restore(file)
    assert await there.blobs.get("presentations/p/v480/0.m4s") == b"a segment"


async def test_empty_installation_can_be_saved_and_restored(there: Place, file: Path, tmp_path: Path) -> None:
    await backup(there.database, there.blobs, file, quiet)
    async with open_place(f"sqlite:///{tmp_path}/third.db", "memory://", tmp_path) as third:
        await third.restore(file)
        assert await third.contents() == EMPTY


def test_every_column_is_of_a_type_that_the_archive_carries() -> None:
    for table in metadata.sorted_tables:
        for column in table.columns:
            assert isinstance(column.type, rows.CARRIED), f"{column} would not survive"


async def test_archive_is_an_ordinary_tar_for_its_owner_alone(archive: Path) -> None:
    with tarfile.open(archive) as tar:
        names = tar.getnames()
        film = tar.extractfile(f"blobs/{SOURCE}")
        checksum = tar.extractfile(f"checksums/{SOURCE}")
        assert film is not None
        assert checksum is not None
        assert film.read() == FILM
        assert checksum.read().decode() == f"{SOURCE.rpartition('/')[2]}  blobs/{SOURCE}\n"
    assert (names[0], names[-1]) == ("manifest.json", "complete.json")
    assert stat.S_IMODE((await asyncio.to_thread(archive.stat)).st_mode) == 0o600


async def test_progress_ends_at_the_whole(here: Place, there: Place, file: Path) -> None:
    seen: list[tuple[int, int]] = []
    await backup(here.database, here.blobs, file, lambda done, total: seen.append((done, total)))
    assert seen[0] == (0, len(FILM) + 8)
    assert seen[-1] == (len(FILM) + 8, len(FILM) + 8)
    seen.clear()
    await restore(
        there.database, there.blobs, file, lambda done, total: seen.append((done, total)), scratch=there.scratch
    )
    assert seen[-1][0] == seen[-1][1] == len(await asyncio.to_thread(file.read_bytes))


async def test_installation_that_is_not_empty_is_left_alone(here: Place, archive: Path) -> None:
    before = await here.contents()
    with pytest.raises(Conflict, match=r"not empty: its table \w+ has rows"):
        await here.restore(archive)
    assert await here.contents() == before


def _offset(archive: Path, name: str) -> int:
    """Where a member's bytes begin."""
    with tarfile.open(archive) as tar:
        return tar.getmember(name).offset_data


async def test_archive_cut_short_anywhere_restores_nothing(there: Place, archive: Path, file: Path) -> None:
    whole = await asyncio.to_thread(archive.read_bytes)
    ends = _offset(archive, "complete.json")
    for length in (0, 100, 512, 5000, len(whole) // 2, len(whole) - 512 * 20, ends - 512, ends, ends + 10):
        await asyncio.to_thread(file.write_bytes, whole[:length])
        with pytest.raises(Invalid):
            await there.restore(file)
        assert await there.contents() == EMPTY


async def test_film_whose_bytes_have_changed_restores_nothing(there: Place, archive: Path, file: Path) -> None:
    whole = bytearray(await asyncio.to_thread(archive.read_bytes))
    whole[_offset(archive, f"blobs/{SOURCE}") + 777] ^= 1
    await asyncio.to_thread(file.write_bytes, whole)
    with pytest.raises(Invalid, match="not those that were saved"):
        await there.restore(file)
    assert await there.contents() == EMPTY


@pytest.mark.parametrize("content", [b"", b"A letter. " * 1000, b"\0" * 10240, b"\xff" * 10240])
async def test_file_that_is_no_archive_is_refused_in_a_sentence(there: Place, file: Path, content: bytes) -> None:
    await asyncio.to_thread(file.write_bytes, content)
    with pytest.raises(Invalid, match=r"backup\.tar is "):
        await there.restore(file)


def _tar(file: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(file, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def _members(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {info.name: (tar.extractfile(info) or io.BytesIO()).read() for info in tar.getmembers()}


async def test_archive_of_another_schema_names_the_version_that_wrote_it(there: Place, archive: Path) -> None:
    members = _members(archive)
    manifest = json.loads(members["manifest.json"]) | {"schema": "0000", "version": "0.0.9"}
    await asyncio.to_thread(_tar, archive, members | {"manifest.json": json.dumps(manifest).encode()})
    with pytest.raises(Invalid, match=r"version 0\.0\.9 .*restore it with that version"):
        await there.restore(archive)


CHANGES: list[dict[str, bytes]] = [
    {"manifest.json": b"[]"},
    {"manifest.json": b'{"format": 99}'},
    {"manifest.json": b"\xff"},
    {"tables/videos.jsonl": b"{}\n"},
    {"tables/videos.jsonl": b"not json\n"},
    {"tables/videos.jsonl": b"[]\n"},
    {"tables/videos.jsonl": b""},
    {"tables/stowaway.jsonl": b""},
    {"complete.json": b"{}"},
    {"complete.json": b"\xff"},
    {"complete.json": b'{"blobs": "many", "tables": []}'},
]


async def test_archive_that_somebody_has_changed_restores_nothing(there: Place, archive: Path) -> None:
    members = _members(archive)
    for change in CHANGES:
        last = {"complete.json": members["complete.json"]}
        others = {name: content for name, content in members.items() if name not in last}
        await asyncio.to_thread(_tar, archive, others | change | last | change)
        with pytest.raises(Invalid):
            await there.restore(archive)
        assert await there.contents() == EMPTY, change


async def test_blob_that_would_leave_the_store_is_refused(there: Place, archive: Path) -> None:
    members = _members(archive)
    first = {"manifest.json": members.pop("manifest.json")}
    for key in ("../outside", "/etc/outside", ".hidden", "a\\b"):
        await asyncio.to_thread(_tar, archive, first | {f"blobs/{key}": b"x"} | members)
        with pytest.raises(Invalid, match="no key"):
            await there.restore(archive)
        assert await there.contents() == EMPTY


KILLED_WHILE_RESTORING = """
import asyncio, os, sys
from pathlib import Path
import ottserver.app
from ottserver.backends.archive.restore import restore
from ottserver.backends.blobs import open_blobs
from ottserver.backends.database import open_database

async def main():
    database_url, blobs_url, file, scratch, share = sys.argv[1:]

    def progress(done, total):
        if done >= total * float(share):
            os.kill(os.getpid(), 9)

    async with open_database(database_url) as database, open_blobs(blobs_url, Path(scratch)) as blobs:
        await restore(database, blobs, Path(file), progress, scratch=Path(scratch))

asyncio.run(main())
"""


@pytest.mark.parametrize("share", ["0.5", "1"])
async def test_restore_that_was_killed_can_be_run_again(
    here: Place, archive: Path, tmp_path: Path, start_process: StartProcess, share: str
) -> None:
    urls = (f"sqlite:///{tmp_path}/again/x.db", f"file://{tmp_path}/again/blobs")
    scratch = tmp_path / "again" / "scratch"
    process = start_process(KILLED_WHILE_RESTORING, *urls, str(archive), str(scratch), share)
    assert await asyncio.to_thread(process.wait) == -9
    async with open_place(*urls, tmp_path / "again") as again:
        left, _ = await again.contents()
        assert left == EMPTY[0]
        await again.restore(archive)
        assert await again.contents() == await here.contents()


async def test_facts_announced_after_a_restore_reach_their_consumers(
    database: Database, blobs: Blobs, there: Place, file: Path
) -> None:
    seen: list[str] = []

    async def handle(fact: AccountDeleted) -> None:
        seen.append(fact.account_id)

    async def deliver(place: Database, key: str) -> None:
        bus = OutboxBus(place, RetryPolicy(keep=-RetryPolicy().keep))
        bus.subscribe("c", AccountDeleted, handle)
        async with asyncio.timeout(20), bus.running():
            async with place.writing() as work:
                await work.announce(AccountDeleted(key))
            await bus.drained()
        await bus.trim()

    await deliver(database, "1")
    await deliver(database, "2")
    async with database.reading() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(outbox)) == 0
        assert await connection.scalar(sa.select(consumer_positions.c.position)) == 2
    await backup(database, blobs, file, quiet)
    await there.restore(file)
    await deliver(there.database, "3")
    assert seen == ["1", "2", "3"]


async def test_backup_that_fails_leaves_the_last_one_whole(here: Place, archive: Path) -> None:
    before = await asyncio.to_thread(archive.read_bytes)

    def full(done: int, _total: int) -> None:
        if done:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        await backup(here.database, here.blobs, archive, full)
    assert await asyncio.to_thread(archive.read_bytes) == before
    assert not any(path.name.endswith(".partial") for path in archive.parent.iterdir())


async def test_film_that_is_deleted_meanwhile_is_left_out(here: Place, there: Place, file: Path) -> None:
    async def vanish() -> None:
        await here.blobs.delete("artwork/p/poster.jpg")

    tasks: list[asyncio.Task[None]] = []

    def first(_done: int, _total: int) -> None:
        if not tasks:
            tasks.append(asyncio.create_task(vanish()))

    await backup(here.database, here.blobs, file, first)
    await there.restore(file)
    assert set((await there.contents())[1]) == {SOURCE, "artwork/p/empty"}


async def test_two_backups_to_one_file_do_not_mix(here: Place, there: Place, file: Path) -> None:
    both = [backup(here.database, here.blobs, file, quiet) for _ in range(2)]
    ended = await asyncio.gather(*both, return_exceptions=True)
    assert [type(one) for one in ended if one is not None] == [Conflict]
    await there.restore(file)


async def test_large_films_do_not_pass_through_memory(tmp_path: Path, file: Path) -> None:
    film = tmp_path / "film"
    with film.open("wb") as stream:
        stream.truncate(150_000_000)
    urls = [(f"sqlite:///{tmp_path}/{name}/x.db", f"file://{tmp_path}/{name}/blobs") for name in ("one", "two")]
    tracemalloc.start()
    try:
        async with open_place(*urls[0], tmp_path / "one") as one, open_place(*urls[1], tmp_path / "two") as two:
            await one.blobs.put_file("sources/f", film)
            await backup(one.database, one.blobs, file, quiet)
            await two.restore(file)
            info = await two.blobs.info("sources/f")
            assert info is not None
            assert info.size == 150_000_000
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()
