from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import re
import shutil
import subprocess
import sys
from typing import IO, TYPE_CHECKING, Any

import pytest
from rich.console import Console
from rich.progress import Progress

from ottserver.catalog.models import AudioSummary, RenditionSummary, Summary
from ottserver.commands.bars import TimeLeftColumn, bars, described
from ottserver.commands.waiting import Pace, words_of
from tests.flows.people import new_owner
from tests.support.server import ROOT, Server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import StartServer


@pytest.fixture
def installation(tmp_path: Path) -> Server:
    """A data folder without a server, where one small rung is encoded."""
    file = tmp_path / "small.toml"
    rung = 'name = "v480", width = 128, height = 72, maxrate = 200_000, crf = 30'
    file.write_text(f'[transcode]\npreset = "ultrafast"\nladder = [{{ {rung} }}]\n')
    return Server(tmp_path / "data", options=("--config", str(file)))


def lines(output: str) -> list[dict[str, Any]]:
    """What was printed, one JSON object on each line."""
    return [json.loads(line) for line in output.splitlines()]


def test_film_is_complete_without_a_server(installation: Server, film: Path) -> None:
    done = installation.run("import", *installation.options, str(film), "--title", "Bars", "--wait", "complete")
    (first,) = lines(done.stdout)
    assert (first["title"], first["status"], first["reason"], first["created"]) == ("Bars", "complete", None, True)
    segments = sorted(path.name for path in (installation.data / "blobs/presentations").rglob("v480/*.m4s"))
    assert len(segments) == 2
    again = lines(installation.run("import", *installation.options, str(film)).stdout)
    assert [(line["video_id"], line["status"], line["created"]) for line in again] == [
        (first["video_id"], "complete", False)
    ]
    assert film.is_file()


def test_terminal_shows_progress_and_claims_nothing_before_the_film_was_examined(
    installation: Server, film: Path
) -> None:
    terminal, inside = pty.openpty()
    command = [sys.executable, "-m", "ottserver", "import", *installation.options, str(film), "--wait", "complete"]
    environment = {**installation.environment, "OTT_DATA": str(installation.data), "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=inside, cwd=ROOT) as running:
        os.close(inside)
        shown = b""
        with contextlib.suppress(OSError), os.fdopen(terminal, "rb", buffering=0) as screen:
            while block := screen.read(4096):
                shown += block
        assert running.wait(60) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    # How often the terminal is drawn is not up to the film; it is at least once before it can be complete.
    assert re.search(r"film: (examining|encoding)", text), text
    assert not re.search(r"examining [━ ]*\d+%", text), text


def test_column_shows_the_time_that_is_known_and_else_none() -> None:
    progress = Progress(TimeLeftColumn(), console=Console(file=io.StringIO(), width=40))
    known = progress.add_task("known", total=10, left=74.2)
    unknown = progress.add_task("unknown", total=10, left=None)
    column, tasks = TimeLeftColumn(), {task.id: task for task in progress.tasks}
    assert column.render(tasks[known]).plain == "0:01:15"
    assert column.render(tasks[unknown]).plain == ""


@pytest.mark.parametrize("width", [60, 80, 200])
def test_long_title_leaves_room_for_the_reason_the_bar_and_the_time(width: int) -> None:
    screen = io.StringIO()
    progress = bars(Console(file=screen, width=width, force_terminal=True, color_system=None))
    title, reason = "[red]東京物語 [x265 rip] " * 20, "waiting; 7 other films in the works"
    progress.add_task(described(title, reason, width), total=10, completed=5, left=60)
    progress.console.print(progress)
    (line,) = screen.getvalue().splitlines()
    assert line.startswith("[red]")
    assert reason[:20] in line
    assert re.search(r"━{5,}.* 50% 0:01:00", line), line


def test_rows_are_called_as_on_the_page() -> None:
    rungs = [RenditionSummary(f"v{h}", "video", 16 * h // 9, h, h, 1, 2) for h in (2160, 1080)]
    sounds = [RenditionSummary(name, "audio", 0, 0, 0, 1, 2) for name in ("a0", "a0s")]
    tracks = (AudioSummary("a0", "en", "", 2, default=True), AudioSummary("a0s", "und", "", 6, default=False))
    called = words_of(Summary((*rungs, *sounds), tracks))
    assert called == {"v2160": "4K", "v1080": "1080p", "a0": "English (stereo)", "a0s": "5.1"}
    assert words_of(Summary((rungs[1], sounds[0]), tracks[:1])) == {"v1080": "1080p", "a0": "Sound"}


def test_time_left_follows_what_was_made_and_leaves_out_what_was_waited() -> None:
    pace = Pace()
    for made, now in ((0.0, 0.0), (0.0, 60.0), (0.1, 61.0), (0.12, 64.0)):
        pace.note(made, now)
    assert pace.left() is None
    for made, now in ((0.15, 68.0), (0.2, 71.0)):
        pace.note(made, now)
    assert pace.left() == pytest.approx(80.0)
    assert not pace.still(72.0)
    assert pace.still(77.0)


def test_folder_gives_a_line_for_each_film(installation: Server, film: Path, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    (shelf / "deep").mkdir(parents=True)
    shutil.copy(film, shelf / "One.Film.1999.mp4")
    shutil.copy(film, shelf / "deep/Another Film.mp4")
    (shelf / "notes.txt").write_text("not a film")
    (shelf / "deep/broken.mkv").write_text("not a film either")
    done = installation.run("import", *installation.options, str(shelf), "--wait", "playable", check=False)
    printed = {line["title"]: line for line in lines(done.stdout)}
    assert sorted(printed) == ["One Film", "broken"]
    assert printed["broken"]["status"] == "failed"
    assert "text" in printed["broken"]["reason"]
    assert printed["One Film"]["status"] in ("playable", "complete")
    assert done.returncode == 1
    assert "1 of 3" in done.stderr


def test_name_that_is_not_utf8_does_not_end_the_import(installation: Server, film: Path, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    shutil.copy(film, os.fsdecode(os.fsencode(shelf) + b"/Am\xe9lie.mp4"))
    installation.env["PYTHONIOENCODING"] = "utf-8:strict"
    (line,) = lines(installation.run("import", *installation.options, str(shelf)).stdout)
    assert line["path"] == str(shelf / "Am\ufffdlie.mp4")


@pytest.mark.parametrize(
    ("name", "said"),
    [("missing.mp4", "does not exist"), ("empty.mp4", "is empty"), ("folder", "there is no film in")],
)
def test_what_cannot_be_imported_is_named(installation: Server, tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.mp4").touch()
    done = installation.run("import", *installation.options, str(tmp_path / name), check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert str(tmp_path / name) in done.stderr
    assert "Traceback" not in done.stderr


def test_title_that_is_not_utf8_is_refused(installation: Server, film: Path) -> None:
    title = os.fsdecode(b"Am\xe9lie")
    done = installation.run("import", *installation.options, str(film), "--title", title, check=False)
    assert done.returncode != 0
    assert "--title and --description have to be UTF-8" in done.stderr
    assert "Traceback" not in done.stderr


def test_one_title_is_for_one_film(installation: Server, film: Path, tmp_path: Path) -> None:
    other = shutil.copy(film, tmp_path / "other.mp4")
    done = installation.run("import", str(film), str(other), "--title", "Both", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "--title" in done.stderr


def test_running_server_takes_up_the_encoding(start_server: StartServer, installation: Server, film: Path) -> None:
    server = start_server(*installation.options)
    done = server.run("import", *installation.options, str(film), "--wait", "complete")
    (line,) = lines(done.stdout)
    assert line["status"] == "complete"


def test_one_who_waits_is_told_that_the_server_is_away_and_that_the_film_was_deleted(
    start_server: StartServer, film: Path, tmp_path: Path
) -> None:
    idle = tmp_path / "idle.toml"
    idle.write_text("[transcode]\nbackground_workers = 0\n")
    server = start_server("--config", str(idle))
    owner = new_owner(server)
    terminal, inside = pty.openpty()
    command = [sys.executable, "-m", "ottserver", "import", "--config", str(idle), str(film), "--wait", "complete"]
    environment = {**server.environment, "TERM": "xterm", "COLUMNS": "120"}
    with (
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=inside, cwd=ROOT) as running,
        os.fdopen(terminal, "rb", buffering=0) as screen,
    ):
        os.close(inside)
        _shows(screen, b"film: encoding")
        server.stop()
        _shows(screen, b"the server is not running; waiting for it")
        server.start()
        (video,) = owner.get("admin/videos")["results"]
        owner.ask("DELETE", f"admin/videos/{video['video_id']}", 204)
        _shows(screen, b"The film was deleted.")
        assert running.wait(30) == 1


def _shows(screen: IO[bytes], words: bytes) -> None:
    """Read what is drawn until the words are; the end of it is a failure (an `OSError` of the terminal)."""
    shown = b""
    while words not in shown:
        shown += screen.read(4096)


SRT = "1\n00:00:00,500 --> 00:00:01,000\nHello\n"


def test_subtitles_beside_a_film_come_with_it_and_stay_through_backup_and_restore(
    installation: Server, film: Path, tmp_path: Path
) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    shutil.copy(film, shelf / "Film.mp4")
    (shelf / "Film.en.srt").write_text(SRT)
    (shelf / "Film.de.forced.srt").write_bytes(SRT.replace("Hello", "Grüße").encode("cp1252"))
    (shelf / "Film.fr.idx").write_text("# VobSub index file, v7\n")
    done = installation.run("import", *installation.options, str(shelf), "--wait", "playable")
    (line,) = lines(done.stdout)
    assert line["subtitles"] == ["Film.de.forced.srt", "Film.en.srt"]
    assert "Film.fr.idx were left out: It holds pictures of text" in done.stderr

    (shelf / "Film.it.srt").write_text(SRT.replace("Hello", "Ciao"))
    (shelf / "Film.en.srt").unlink()
    again = installation.run("import", *installation.options, str(shelf))
    (second,) = lines(again.stdout)
    assert (second["video_id"], second["subtitles"]) == (line["video_id"], ["Film.de.forced.srt", "Film.it.srt"])
    kept = sorted(path.read_text() for path in (installation.data / "blobs/subtitles").rglob("*.vtt"))
    assert [text.splitlines()[-1] for text in kept] == ["Ciao", "Grüße", "Hello"]

    archive = tmp_path / "all.tar"
    installation.run("backup", *installation.options, str(archive))
    other = Server(tmp_path / "other", options=installation.options)
    other.run("restore", *other.options, str(archive))
    restored = sorted(path.read_text() for path in (other.data / "blobs/subtitles").rglob("*.vtt"))
    assert restored == kept
