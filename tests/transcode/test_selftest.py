from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ottserver.events import PresentationComplete, PresentationPlayable
from ottserver.ingest.probe import probe
from ottserver.transcode import encoders, plan as planning, selftest, selftests, video
from ottserver.transcode.encoders import HARDWARE, options, pixel_format
from ottserver.transcode.models import Rung
from ottserver.transcode.pool import Worker
from ottserver.transcode.video import video_init, video_segments
from tests.transcode.clips import numbers_in
from tests.transcode.stitching import SMALL, plan_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.transcode.room import OpenRoom, Room

RUNG = Rung("v480", 854, 480, 480, 800_000, 800_000, 23, "veryfast")


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.getMessage().startswith("encoder: ")]


async def film_plays(opened: OpenRoom, identity: str, folder: Path) -> None:
    parts = [await opened.service.segment(identity, "v480", index) for index in range(4)]
    path = folder / "whole.mp4"
    path.write_bytes(await opened.service.init(identity, "v480") + b"".join(parts))
    assert numbers_in(path) == list(range(215))


async def test_libx264_passes_the_self_test_of_hardware_encoders() -> None:
    assert await selftests.reason_against("libx264", "veryfast") == ""


@pytest.mark.parametrize(
    ("encoder", "reason"), [("h264_nvenc", "Cannot load libcuda"), ("h264_none", "does not have it")]
)
async def test_encoder_that_is_not_there_is_refused_with_its_reason(encoder: str, reason: str) -> None:
    assert reason in await selftests.reason_against(encoder, "veryfast")


async def test_self_test_that_hangs_is_ended() -> None:
    assert await selftests.reason_against("libx264", "veryfast", 0.0) == "its self-test took longer than 0 s"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"x264-params": "keyint=15"}, "24 pictures became 9"),
        ({"flags": "-global_header+cgop"}, "sequence parameter set"),
        ({"crf": "51", "maxrate": "4000", "bufsize": "4000"}, "comes back changed"),
    ],
)
def test_encoder_that_does_otherwise_is_refused(
    wrong: dict[str, str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(encoder: str, rung: Rung, *, cap: float, threads: int, level: int | None) -> dict[str, str]:
        return options(encoder, rung, cap=cap, threads=threads, level=level) | wrong

    monkeypatch.setattr(video, "options", broken)
    outcome = selftest._outcome("libx264", "veryfast")  # noqa: SLF001 - what the child prints
    assert reason in outcome.reason


def test_encoder_that_reorders_by_more_than_is_taken_off_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "REORDER_DELAY", 0)
    outcome = selftest._outcome("libx264", "veryfast")  # noqa: SLF001 - what the child prints
    assert outcome.reason == "pts (1000) < dts (2000) in stream 0"


def test_encoder_whose_parameter_sets_change_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(encoder: str, rung: Rung, *, cap: float, threads: int, level: int | None) -> dict[str, str]:
        return options(encoder, rung, cap=cap, threads=threads, level=level) | ({"profile": "main"} if cap < 1 else {})

    monkeypatch.setattr(video, "options", broken)
    with pytest.raises(selftest.Unfit, match="different init segments"):
        selftest.examine("libx264", "veryfast")


@pytest.mark.parametrize("encoder", HARDWARE)
@pytest.mark.parametrize("preset", ["ultrafast", "veryfast", "fast", "veryslow"])
def test_every_hardware_encoder_is_told_quality_cap_and_closed_groups(encoder: str, preset: str) -> None:
    told = options(encoder, replace(RUNG, preset=preset), cap=1.0, threads=1)
    assert (told["profile"], told["maxrate"], told["bufsize"], told["bf"]) == ("high", "800000", "800000", "0")
    assert "+cgop" in told["flags"]
    assert told.get("forced-idr", told.get("forced_idr")) == "1"
    quality = {"h264_nvenc": "cq", "h264_qsv": "global_quality", "h264_amf": "qvbr_quality_level"}[encoder]
    assert told[quality] == "23"
    assert pixel_format(encoder) == ("yuv420p" if encoder == "h264_nvenc" else "nv12")
    smaller = options(encoder, replace(RUNG, preset=preset), cap=0.5, threads=1)
    assert smaller == told | {quality: "35"}, "only the quality gives way"


def test_presentation_is_another_one_with_another_encoder(film: Path) -> None:
    soft = plan_of(probe(film))
    ids = {planning.presentation_id(replace(soft, encoder=encoder), "ab") for encoder in ("libx264", *HARDWARE)}
    assert len(ids) == 1 + len(HARDWARE)
    assert planning.presentation_id(soft, "ab") in ids


def test_segment_made_again_smaller_fits_the_usual_init_segment(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(probe(film))
    real, asked = video._too_large, []  # noqa: SLF001 - the one place where the size is judged

    def first_time(*arguments: Any) -> bool:  # noqa: ANN401 - passed on as they are
        asked.append(real(*arguments))
        return len(asked) == 1

    monkeypatch.setattr(video, "_too_large", first_time)
    (made,) = video_segments(film, plan, plan.rungs, 0, threads=1)
    assert len(asked) == 2
    assert made.init == video_init(plan, plan.rungs[0]).data


@pytest.mark.parametrize("wanted", ["h264_nvenc", "auto"])
async def test_film_plays_with_libx264_where_no_hardware_encoder_works(
    wanted: str, room: Room, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with room.open(encoder=wanted) as opened:
        await opened.service.on_source_ready(room.ready)
        fact = await opened.fact(PresentationPlayable)
        assert isinstance(fact, PresentationPlayable)
        await film_plays(opened, fact.presentation.id, tmp_path)
    (line,) = said(caplog)
    assert line.startswith("encoder: h264_nvenc cannot be used here (Cannot load libcuda")
    assert line.endswith("; libx264 encodes instead")
    assert ("h264_amf" in line) == (wanted == "auto")


async def test_libx264_is_not_tried_at_every_start(
    room: Room, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(selftests, "start_child", None)
    caplog.set_level(logging.INFO)
    async with room.open():
        pass
    assert said(caplog) == []


async def test_unfinished_film_of_an_encoder_that_is_gone_is_planned_again_and_completed(
    room: Room, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A card that this machine does not have: it is libx264 by another name until the next start.
    async with room.open() as opened:
        monkeypatch.setattr(opened.service._planner, "encoder", "h264_nvenc")  # noqa: SLF001
        inits = opened.service._studio.inits  # noqa: SLF001 - the card's own work stands in here

        async def by_another_name(plan: str, key: str) -> Any:  # noqa: ANN401 - as the real one
            return await inits(plan.replace("h264_nvenc", "libx264"), key)

        monkeypatch.setattr(opened.service._studio, "inits", by_another_name)  # noqa: SLF001
        await opened.service.on_source_ready(room.ready)
        before = await opened.fact(PresentationPlayable)
    async with room.open(fill=True) as opened:
        await opened.fact(PresentationComplete)
        after = await opened.fact(PresentationPlayable, 2)
        assert isinstance(before, PresentationPlayable)
        assert isinstance(after, PresentationPlayable)
        assert after.presentation.id != before.presentation.id
        await film_plays(opened, after.presentation.id, tmp_path)
        assert await opened.service.presentation(before.presentation.id) is None


async def test_encoder_that_passes_is_planned_with_and_its_workers_may_reach_devices(
    room: Room, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def passed(encoder: str, preset: str, seconds: float = 0) -> str:
        await asyncio.sleep(0)
        return f"{preset} {seconds}" if encoder == "h264_nvenc" else ""

    seen: list[bool] = []
    start = Worker.start

    async def watched(worker: Worker) -> None:
        seen.append(worker.devices)
        await start(worker)

    monkeypatch.setattr(selftests, "reason_against", passed)
    monkeypatch.setattr(Worker, "start", watched)
    caplog.set_level(logging.INFO)
    async with room.open(encoder="auto") as opened:
        assert said(caplog) == ["encoder: h264_qsv passed its self-test"]
        await asyncio.sleep(0)
        plan = planning.make_plan(room.ready.report, SMALL, encoder=opened.service._planner.encoder)  # noqa: SLF001
        assert plan.encoder == "h264_qsv"
    assert seen
    assert all(seen)


def test_hardware_is_what_the_table_has() -> None:
    assert set(HARDWARE) == set(encoders._OWN)  # noqa: SLF001 - the table
