from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from ottserver import events
from ottserver.backends.blobs import space
from ottserver.catalog.models import Details
from ottserver.errors import Conflict, Gone, NoRoom
from ottserver.ingest.models import BodyInterrupted
from ottserver.ingest.prober import probe_source
from ottserver.ingest.staging import StagedFile
from tests.support.house import FILM, OWNER, House, body, eventually, house
from tests.transcode.clips import Clip, write

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ottserver.media import SourceReport

BLOBS = (None, "memory://")


class Killed(Exception):
    """The process is gone."""


async def outcome(home: House, source_id: str) -> tuple[int, int, int]:
    """How often it was said that the source is stored and ready and its upload stored."""
    await home.until_source(source_id, "ready")
    return (
        await home.announced(events.SourceStored),
        await home.announced(events.SourceReady),
        await home.announced(events.UploadStored),
    )


@pytest.mark.parametrize("url", BLOBS)
async def test_same_bytes_uploaded_twice_are_one_source(tmp_path: Path, url: str | None) -> None:
    async with house(tmp_path, blobs_url=url) as home:
        first, second = [await home.until_stored(await home.upload()) for _ in range(2)]
        assert first == second
        assert await outcome(home, first) == (1, 1, 2)
        assert [blob.size async for blob in home.blobs.list("sources")] == [len(FILM)]


async def test_bytes_that_all_arrived_before_a_kill_become_a_source_by_themselves(tmp_path: Path) -> None:
    async with house(tmp_path, working=False) as home:
        upload_id = (await home.ingest.uploads.create(OWNER, len(FILM), "")).upload.id
        (tmp_path / "uploads" / upload_id).write_bytes(FILM)
    async with house(tmp_path) as home:
        assert await outcome(home, await home.until_stored(upload_id)) == (1, 1, 1)


@pytest.mark.parametrize("moved", [False, True])
async def test_kill_while_bytes_move_into_the_store_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, moved: bool
) -> None:
    async with house(tmp_path, working=False) as home:
        upload_id = await home.upload()
        put_file = home.blobs.put_file

        async def killed(key: str, path: Path, *, move: bool = False, leaving: int = 0) -> None:
            if moved:
                await put_file(key, path, move=move, leaving=leaving)
            raise Killed

        monkeypatch.setattr(home.blobs, "put_file", killed)
        with pytest.raises(Killed):
            await home.ingest.sources.store_upload(upload_id)
        assert await home.announced(events.SourceStored) == 0
    async with house(tmp_path) as home:
        source_id = await home.until_stored(upload_id)
        assert await outcome(home, source_id) == (1, 1, 1)
        assert await home.blobs.get((await home.ingest.source(source_id)).blob_key) == FILM


def write_unverified(path: Path) -> None:
    file = StagedFile(path, path.with_name(f"{path.name}.unverified"), 0)
    file.mark()
    file.write(b"damaged", None)
    file.close()


async def test_bytes_behind_an_unverified_chunk_do_not_count_after_a_kill(tmp_path: Path) -> None:
    async with house(tmp_path, working=False) as home:
        uploads = home.ingest.uploads
        upload_id = (await uploads.create(OWNER, len(FILM), "")).upload.id
        await uploads.append(upload_id, 0, body(FILM[:1000]))
        await asyncio.to_thread(write_unverified, tmp_path / "uploads" / upload_id)
    async with house(tmp_path) as home:
        assert (await home.ingest.uploads.arrived(upload_id)).offset == 1000
        await home.ingest.uploads.append(upload_id, 1000, body(FILM[1000:]))
        assert await outcome(home, await home.until_stored(upload_id)) == (1, 1, 1)


async def test_probe_that_was_interrupted_is_done_again(tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def endless(path: Path, *, timeout_seconds: float) -> SourceReport:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError(path, timeout_seconds)

    async with house(tmp_path, probe=endless) as home:
        source_id = await home.until_stored(await home.upload())
        await begun.wait()
    async with house(tmp_path) as home:
        assert await outcome(home, source_id) == (1, 1, 1)


async def test_interrupted_body_keeps_what_arrived_and_can_even_complete_the_upload(tmp_path: Path) -> None:
    async def breaking(data: bytes) -> AsyncIterator[bytes]:
        yield data
        raise BodyInterrupted

    async with house(tmp_path) as home:
        uploads = home.ingest.uploads
        upload_id = (await uploads.create(OWNER, len(FILM), "")).upload.id
        for start, end in ((0, 500), (500, len(FILM))):
            with pytest.raises(BodyInterrupted):
                await uploads.append(upload_id, start, breaking(FILM[start:end]))
            assert (await uploads.arrived(upload_id)).offset == end
        await home.until_stored(upload_id)


@pytest.mark.parametrize("url", BLOBS)
async def test_what_is_not_a_film_fails_with_a_reason_and_its_bytes_can_go(tmp_path: Path, url: str | None) -> None:
    async with house(tmp_path, blobs_url=url) as home:
        upload_id = await home.upload(b"just text")
        video = await home.catalog.add_upload(upload_id, Details("Text"))
        source = await home.until_source(await home.until_stored(upload_id), "failed")
        assert source.reason == "The file is not a video: it is text."
        await home.catalog.remove(video.id)
        await home.until_source(source.id, "removed")
        assert await home.blobs.info(source.blob_key) is None
        assert await home.announced(events.SourceRemoved) == 1


async def test_empty_upload_fails_at_once(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        state = await home.ingest.source_of_upload(await home.upload(b""))
        assert (state.state, state.reason) == ("failed", "The file is empty.")


async def test_source_stays_while_another_video_is_made_of_it(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        videos = [await home.catalog.add_upload(await home.upload(), Details(title)) for title in ("One", "Two")]
        source_id = await home.until_stored(videos[0].upload_id or "")
        await home.until_source(source_id, "ready")
        await home.catalog.remove(videos[0].id)
        await home.settled()
        assert (await home.ingest.source(source_id)).state == "ready"
        await home.catalog.remove(videos[1].id)
        await home.until_source(source_id, "removed")


async def test_source_stays_while_an_upload_of_it_may_still_become_a_video(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        video = await home.catalog.add_upload(await home.upload(), Details("One"))
        waiting = await home.upload()
        source_id = await home.until_stored(waiting)
        await home.until_stored(video.upload_id or "")
        await home.until_source(source_id, "ready")
        await home.catalog.remove(video.id)
        await home.settled()
        assert (await home.ingest.source(source_id)).state == "ready"
        await home.ingest.terminate_upload(waiting)
        await home.until_source(source_id, "removed")


async def test_removed_bytes_that_come_again_are_the_same_source(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        video = await home.catalog.add_upload(await home.upload(), Details("One"))
        source_id = await home.until_stored(video.upload_id or "")
        await home.until_source(source_id, "ready")
        await home.catalog.remove(video.id)
        await home.until_source(source_id, "removed")
        assert await home.until_stored(await home.upload()) == source_id
        source = await home.until_source(source_id, "ready")
        assert await home.blobs.get(source.blob_key) == FILM


async def test_removal_that_a_kill_interrupted_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house(tmp_path) as home:
        source_id = await home.probed()
        upload_ids = await home.uploads_of(source_id)

        async def killed(_: str) -> None:
            raise Killed

        monkeypatch.setattr(home.blobs, "delete", killed)
        with pytest.raises(Killed):
            await home.ingest.terminate_upload(upload_ids[0])
        assert (await home.ingest.source(source_id)).state == "removing"
    async with house(tmp_path) as home:
        source = await home.until_source(source_id, "removed")
        assert await home.blobs.info(source.blob_key) is None
        assert await home.announced(events.SourceRemoved) == 1


async def test_expired_upload_is_swept_and_fails_the_video_that_waits_for_it(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        uploads = home.ingest.uploads
        upload_id = (await uploads.create(OWNER, 100, "")).upload.id
        video = await home.catalog.add_upload(upload_id, Details("Late"))
    async with house(tmp_path, lifetime=timedelta(0)) as home:
        uploads = home.ingest.uploads
        late = (await uploads.create(OWNER, 100, "")).upload.id
        with pytest.raises(Gone):
            await uploads.append(late, 0, body(b"x"))
        await uploads.sweep()
        await home.expire(upload_id)
        await uploads.sweep()
        await home.settled()
        assert list((tmp_path / "uploads").iterdir()) == []
        failed = await home.catalog.video(video.id)
        assert failed.status == "failed"
        assert "not finished in time" in (failed.reason or "")


async def test_cancelled_upload_fails_the_video_that_waits_for_it(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        upload_id = (await home.ingest.uploads.create(OWNER, 100, "")).upload.id
        video = await home.catalog.add_upload(upload_id, Details("Never"))
        await home.ingest.terminate_upload(upload_id)
        await home.settled()
        assert (await home.catalog.video(video.id)).status == "failed"


async def test_upload_that_a_video_is_made_of_cannot_be_terminated(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        upload_id = await home.upload()
        await home.catalog.add_upload(upload_id, Details("Film"))
        await home.until_stored(upload_id)
        with pytest.raises(Conflict, match="remove the video"):
            await home.ingest.terminate_upload(upload_id)


async def test_removing_a_video_ends_the_upload_that_it_waited_for(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        upload_id = (await home.ingest.uploads.create(OWNER, 100, "")).upload.id
        video = await home.catalog.add_upload(upload_id, Details("Never"))
        await home.catalog.remove(video.id)

        async def swept() -> bool | None:
            return not list((tmp_path / "uploads").iterdir()) or None

        await eventually(swept)
        with pytest.raises(Gone):
            await home.ingest.uploads.arrived(upload_id)


async def test_files_that_no_upload_knows_are_swept_once_they_are_old(tmp_path: Path) -> None:
    async with house(tmp_path, working=False) as home:
        uploads = home.ingest.uploads
        known = (await uploads.create(OWNER, 100, "")).upload.id
        for name in (known, "0192f0c1-2b3c-7def-8abc-0123456789ab", "0192f0c1-2b3c-7def-8abc-0123456789ac.unverified"):
            path = tmp_path / "uploads" / name
            path.touch()
            os.utime(path, (0, 0))
        (tmp_path / "uploads" / "0192f0c1-2b3c-7def-8abc-0123456789ad").touch()
        (tmp_path / "uploads" / "notes").touch()
        await uploads.sweep()
        left = sorted(path.name for path in (tmp_path / "uploads").iterdir())
        assert left == sorted([known, "0192f0c1-2b3c-7def-8abc-0123456789ad", "notes"])


async def test_real_film_is_probed_in_a_child_process(tmp_path: Path) -> None:
    film = await asyncio.to_thread(write, Clip("film.mp4", seconds=1.0), tmp_path)
    async with house(tmp_path, probe=probe_source) as home:
        upload_id = await home.upload(film.read_bytes())
        source = await home.until_source(await home.until_stored(upload_id), "ready")
        assert source.report is not None
        assert (source.report.video.frames, source.report.video.width) == (25, 320)


async def test_room_that_is_promised_to_unfinished_uploads_is_not_promised_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = 10_000

    async def free() -> int:
        await asyncio.sleep(0)
        return left

    monkeypatch.setattr(space, "FRESH_SECONDS", 0.0)
    async with house(tmp_path, working=False) as home:
        monkeypatch.setattr(home.blobs, "free_bytes", free)
        uploads = home.ingest.uploads
        both = await asyncio.gather(*(uploads.create(OWNER, 6000, "") for _ in range(2)), return_exceptions=True)
        (first,) = [one for one in both if not isinstance(one, BaseException)]
        (refused,) = [one for one in both if isinstance(one, NoRoom)]
        assert "room for 10 KB, of which uploads that are not finished need 6 KB" in refused.detail
        second = await uploads.create(OWNER, 4000, "")
        # What has arrived is no longer promised: it is missing from what is free.
        await uploads.append(first.upload.id, 0, body(bytes(5000)))
        left -= 5000
        with pytest.raises(NoRoom):
            await uploads.create(OWNER, 1, "")
        await uploads.terminate(second.upload.id)
        await uploads.create(OWNER, 4000, "")
