from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ottserver.ingest.probe import probe
from tests.transcode.clips import Clip, Sound, write
from tests.transcode.room import Room

if TYPE_CHECKING:
    from pathlib import Path

    from ottserver.media import SourceReport

FILM = Clip("film.mp4", seconds=8.6, sounds=(Sound(),))


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8.6 seconds of numbered frames with a tone: four segments of 2 s, the last one a little longer."""
    return write(FILM, tmp_path_factory.mktemp("film"))


@pytest.fixture(scope="session")
def film_report(film: Path) -> SourceReport:
    """What the probe says of the film, less that its own packets could be played: `test_copies` is about that."""
    report = probe(film)
    audio = tuple(replace(stream, aac=None) for stream in report.audio)
    return replace(report, video=replace(report.video, closed=False), audio=audio)


@pytest.fixture
def room(tmp_path: Path, film: Path, film_report: SourceReport) -> Room:
    """A transcode room on embedded backends, to be opened as often as a test likes on the same data."""
    return Room(tmp_path, film, film_report)
