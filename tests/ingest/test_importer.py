from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ottserver import events
from ottserver.backends.database import open_database
from ottserver.errors import Conflict, Invalid
from ottserver.ingest.importer import Importer
from tests.support.house import FILM, house

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "library" / "film.mkv"
    path.parent.mkdir()
    path.write_bytes(FILM)
    return path


async def test_import_beside_a_running_server_is_probed_by_it(tmp_path: Path, film: Path) -> None:
    async with house(tmp_path) as home, open_database(f"sqlite:///{tmp_path}/ott.db") as own:
        imported = await Importer(database=own, blobs=home.blobs).import_file(film)
        assert not imported.duplicate
        source = await home.until_source(imported.source_id, "ready")
        assert await home.blobs.get(source.blob_key) == FILM
        assert await asyncio.to_thread(film.read_bytes) == FILM


async def test_import_on_the_blob_stores_disk_copies_no_bytes(tmp_path: Path, film: Path) -> None:
    async with house(tmp_path, working=False) as home:
        imported = await Importer(database=home.database, blobs=home.blobs).import_file(film)
    stored = tmp_path / "blobs" / "sources" / imported.sha256[:2] / imported.sha256
    assert await asyncio.to_thread(stored.samefile, film)


async def test_import_into_a_store_that_is_no_folder(tmp_path: Path, film: Path) -> None:
    async with house(tmp_path, blobs_url="memory://") as home:
        imported = await Importer(database=home.database, blobs=home.blobs).import_file(film)
        await home.until_source(imported.source_id, "ready")


async def test_same_file_imported_by_two_commands_at_once_is_one_source(tmp_path: Path, film: Path) -> None:
    async with house(tmp_path) as home, open_database(f"sqlite:///{tmp_path}/ott.db") as own:
        importers = [Importer(database=database, blobs=home.blobs) for database in (home.database, own)]
        imported = await asyncio.gather(*(importer.import_file(film) for importer in importers))
        again = await importers[0].import_file(film)
        assert again.duplicate
        assert {one.source_id for one in imported} == {again.source_id}
        await home.until_source(again.source_id, "ready")
        assert await home.announced(events.SourceStored) == 1


async def test_progress_ends_with_all_bytes(tmp_path: Path, film: Path) -> None:
    seen: list[tuple[int, int]] = []
    async with house(tmp_path, working=False) as home:
        importer = Importer(database=home.database, blobs=home.blobs)
        await importer.import_file(film, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(FILM), len(FILM))


async def test_file_that_changes_meanwhile_is_refused_and_leaves_no_bytes(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(tmp_path, working=False) as home:
        importer = Importer(database=home.database, blobs=home.blobs)
        put_file = home.blobs.put_file

        async def while_somebody_writes(key: str, path: Path, *, leaving: int) -> None:
            await asyncio.to_thread(film.write_bytes, FILM + b"!")
            await put_file(key, path, leaving=leaving)

        with monkeypatch.context() as patch:
            patch.setattr(home.blobs, "put_file", while_somebody_writes)
            with pytest.raises(Conflict, match="changed"):
                await importer.import_file(film)
        assert [blob async for blob in home.blobs.list("sources")] == []
        assert not (await importer.import_file(film)).duplicate


async def test_what_cannot_be_imported_is_refused_in_words(tmp_path: Path, film: Path) -> None:
    empty = film.with_name("empty.mkv")
    empty.touch()
    async with house(tmp_path, working=False) as home:
        importer = Importer(database=home.database, blobs=home.blobs)
        for path, words in ((empty, "is empty"), (film.parent, "not a file"), (film.with_name("no.mkv"), "not a file")):
            with pytest.raises(Invalid, match=words):
                await importer.import_file(path)
