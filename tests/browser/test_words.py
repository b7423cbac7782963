from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.conftest import OpenScreen, Theatre
    from tests.browser.screen import Screen

ENGLISH = (
    '1\n00:00:01,000 --> 00:00:04,000\n<i>Hello</i> <font color="#ff8000">there</font>\n\n'
    "2\n00:00:05,000 --> 00:00:09,500\n{\\an8}Above\n"
)
FOREIGN = "1\n00:00:00,500 --> 00:00:11,000\n[a sign]\n"
SHOWN = "[...document.querySelector('video').textTracks].filter((t) => t.mode === 'showing').map((t) => t.label).join()"
CUES = (
    "[...[...document.querySelector('video').textTracks].find((t) => t.mode === 'showing')?.cues ?? []]"
    ".map((c) => [c.startTime, c.endTime, c.text])"
)
OF_MANIFEST = """
async () => {
  const player = window.ottPlayer;
  player.configure("manifest.disableText", false);
  await player.load(player.getAssetUri());
  const track = player.getTextTracks().find((one) => one.language === "en");
  player.selectTextTrack(track);
  player.setTextTrackVisibility?.(true);
  const listed = player.getTextTracks().map((one) => [one.language, one.label, one.forced]);
  for (let n = 0; n < 200; n += 1) {
    const cues = [...document.querySelector("video").textTracks].flatMap((one) => [...(one.cues ?? [])]);
    const own = cues.filter((cue) => /Hello|Above/.test(cue.text));
    if (own.length >= 2) return { listed, cues: own.map((cue) => [cue.startTime, cue.endTime]) };
    await new Promise((done) => setTimeout(done, 50));
  }
  return { listed, cues: [] };
}
"""


@pytest.fixture(scope="module")
def film(theatre: Theatre, tmp_path_factory: pytest.TempPathFactory, ffmpeg: Path) -> str:
    """Twelve seconds with English subtitles and three chapters, imported beside a forced file; its id."""
    folder = tmp_path_factory.mktemp("words")
    (folder / "en.srt").write_text(ENGLISH)
    (folder / "Words.en.forced.srt").write_text(FOREIGN)
    marks = "".join(
        f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={start + 4000}\ntitle={title}\n"
        for start, title in ((0, "Arrival"), (4000, "The long way"), (8000, "Home"))
    )
    (folder / "marks.txt").write_text(f";FFMETADATA1\n{marks}")
    command = [str(ffmpeg), "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=640x360:r=24:d=12", "-f", "lavfi"]
    command += ["-i", "sine=frequency=330:duration=12", "-i", str(folder / "en.srt"), "-i", str(folder / "marks.txt")]
    command += ["-map", "0", "-map", "1", "-map", "2", "-map_chapters", "3", "-c:v", "libx264", "-preset", "ultrafast"]
    command += ["-c:a", "aac", "-c:s", "srt", "-metadata:s:s:0", "language=eng", "-metadata:s:a:0", "language=eng"]
    subprocess.run([*command, str(folder / "Words.mkv")], check=True, timeout=60)
    return theatre.add(folder / "Words.mkv", "Words")


def watch(screen: Screen, film: str, query: str = "") -> None:
    screen.open(f"/watch/{film}{query}")
    screen.plays_beyond(0)
    screen.until("document.querySelectorAll('video track[data-name]').length === 2", within=30)


def test_subtitles_are_shown_as_chosen_and_remembered(theatre: Theatre, open_screen: OpenScreen, film: str) -> None:
    screen = open_screen()
    screen.sign_in(theatre.owner)
    watch(screen, film)
    # Nobody has chosen yet: what is foreign in the film is told, and nothing else.
    screen.until(f"{SHOWN} === 'English (forced)'")
    screen.page.keyboard.press("c")
    screen.until(f"{SHOWN} === 'English'")
    screen.until(f"{CUES}.length === 2")
    assert screen.ask(CUES) == [
        [1, 4, "<i>Hello</i> <c.xff8000>there</c>"],
        [5, 9.5, "Above"],
    ]
    screen.open("/")
    watch(screen, film)
    screen.until(f"{SHOWN} === 'English'")
    screen.page.keyboard.press("c")
    screen.until(f"{SHOWN} !== 'English'")
    screen.open("/")
    watch(screen, film)
    screen.until(f"{SHOWN} === 'English (forced)'")


@pytest.mark.parametrize("engine", ["dash", "hls"])
def test_shaka_reads_the_subtitles_of_both_manifests_at_their_times(
    theatre: Theatre, open_screen: OpenScreen, film: str, engine: str
) -> None:
    screen = open_screen()
    screen.sign_in(theatre.owner)
    watch(screen, film, f"?engine={engine}")
    found = screen.ask(OF_MANIFEST)
    assert sorted(language for language, _, _ in found["listed"]) == ["en", "en"]
    assert {forced for _, _, forced in found["listed"]} == {False, True}
    assert found["cues"][:2] == [[1, 4], [5, 9.5]]
    # The page's own tracks outlive a change of the manifest.
    assert screen.ask("document.querySelectorAll('video track[data-name]').length") == 2


def test_chapters_are_marked_listed_and_jumped_to(theatre: Theatre, open_screen: OpenScreen, film: str) -> None:
    screen = open_screen()
    screen.sign_in(theatre.owner)
    screen.open(f"/title/{film}")
    expect(screen.page.get_by_role("region", name="Chapters").get_by_role("link")).to_have_count(3)
    screen.page.get_by_role("link", name="The long way").click()
    screen.plays_beyond(4)
    assert screen.video(".currentTime") < 8
    assert screen.ask("document.querySelectorAll('.player-marks i').length") == 2
    line = screen.page.locator(".player-line media-time-range")
    for share, name in ((0.5, "The long way"), (0.9, "Home"), (0.01, "Arrival")):
        line.hover(position={"x": share * line.evaluate("(node) => node.clientWidth"), "y": 14})
        expect(screen.page.locator(".player-chapter")).to_have_text(name)
    screen.page.keyboard.press("k")
    screen.page.keyboard.press("]")
    screen.until("Math.abs(document.querySelector('video').currentTime - 8) < 0.05")
    screen.page.keyboard.press("[")
    screen.until("Math.abs(document.querySelector('video').currentTime - 4) < 0.05")


def test_owner_adds_a_file_that_a_viewer_gets_and_takes_it_away(
    theatre: Theatre, open_screen: OpenScreen, film: str
) -> None:
    screen = open_screen()
    screen.sign_in(theatre.owner)
    screen.open("/admin")
    row = screen.page.locator(f"[data-video='{film}']")
    row.get_by_role("button", name="Subtitles of Words").click()
    dialog = screen.page.get_by_role("dialog")
    expect(dialog.get_by_text("in the film", exact=True)).to_be_visible()
    dialog.get_by_label("File").set_input_files(
        {"name": "x.srt", "mimeType": "application/x-subrip", "buffer": b"1\n00:00:01,000 --> 00:00:02,000\nHallo\n"}
    )
    dialog.get_by_label("Language").fill("Klingonese")
    dialog.get_by_role("button", name="Add").click()
    expect(dialog.get_by_role("alert")).to_contain_text("“Klingonese” is no language known here")
    dialog.get_by_label("Language").fill("german")
    dialog.get_by_role("button", name="Add").click()
    expect(dialog.get_by_text("Deutsch")).to_be_visible()
    dialog.get_by_label("File").set_input_files({"name": "x.srt", "mimeType": "text/plain", "buffer": b"no subtitles"})
    dialog.get_by_role("button", name="Add").click()
    expect(dialog.get_by_role("alert")).to_contain_text("no subtitles in a known text format")
    dialog.get_by_role("button", name="Take Deutsch away").click()
    expect(dialog.get_by_text("Deutsch")).to_have_count(0)
    for name, language, forced, sounds in (
        ("My.Words.de.forced.srt", "de", True, False),
        ("Words.pt-BR.sdh.srt", "pt-BR", False, True),
        ("Words.en.hi.vtt", "en", False, True),
        ("Words.hi.vtt", "hi", False, False),
    ):
        dialog.get_by_label("File").set_input_files({"name": name, "mimeType": "text/plain", "buffer": b"-"})
        expect(dialog.get_by_label("Language")).to_have_value(language)
        assert dialog.get_by_role("checkbox", name="Forced").is_checked() is forced, name
        assert dialog.get_by_role("checkbox", name="Describes sounds").is_checked() is sounds, name
