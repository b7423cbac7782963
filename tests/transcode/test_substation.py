from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ottserver.transcode.substation import Script, cue, script
from ottserver.transcode.webvtt import MOST_CHARACTERS, MOST_CUES, Cue, document, sanitised, settings_of

ARABIC = "مرحبا \u200fبالعالم"  # noqa: RUF001 - letters of that language
HEADER = """[Script Info]
PlayResX: 1280
PlayResY: 720

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, Bold, Italic, Underline, Alignment
Style: Default,Arial,40,&H00FFFFFF,0,0,0,2
Style: Sign,Arial,40,&H0000FFFF,-1,0,0,8
"""


def said(text: str, style: str = "Default", header: str = HEADER) -> tuple[str, str]:
    made = cue(f"0,0,{style},,0,0,0,,{text}", 0, 1000, script(header))
    return made.text, made.settings


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (r"plain, with commas", "plain, with commas"),
        (r"one\Ntwo\hthree", "one\ntwo&nbsp;three"),
        (r"{\i1}in{\i0} out", "<i>in</i> out"),
        (r"{\b1}a{\i1}b{\b0}c", "<b>a</b><b><i>b</i></b><i>c</i>"),
        (r"{\b700}heavy", "<b>heavy</b>"),
        (r"{\c&H0080FF&}orange{\c} white", "<c.xff8000>orange</c> white"),
        (r"{\1c&H00FFFF&\u1}yellow", "<u><c.yellow>yellow</c></u>"),
        (r"{\k20}Ka{\kf30}ra{\ko5}oke", "Karaoke"),
        (r"{\p1}m 0 0 l 10 10{\p0}", ""),
        (r"{\pbo10}text", "text"),
        (r"{\t(0,100,\c&HFF&\fscx(120))}still", "still"),
        (r"{\blur2\bord3\iclip(0,0,1,1)}sharp", "sharp"),
        (r"{\fad(100,200)}1 < 2 & 3 > 2 --> 4", "1 &lt; 2 &amp; 3 &gt; 2 --&gt; 4"),
        (r"{\i1}x{\r}y{\rSign}z{\r}", "<i>x</i>y<b><c.yellow>z</c></b>"),
        (ARABIC, ARABIC),
    ],
)
def test_event_becomes_what_webvtt_can_carry(line: str, text: str) -> None:
    assert said(line)[0] == text


@pytest.mark.parametrize(
    ("line", "settings"),
    [
        (r"below", ""),
        (r"{\an8}above", "line:0"),
        (r"{\a6}above, in the old way", "line:0"),
        (r"{\an5}middle", "line:45%"),
        (r"{\an1}left", "position:5% align:left"),
        (r"{\an9}right above", "line:0 position:95% align:right"),
        (r"{\an7\pos(128,72)}placed", "line:10% position:10% align:left"),
        (r"{\pos(640,720)}standing on the edge", "line:94.7% position:50% align:center"),
        (r"{\an8\move(640,0,640,360)}moving", "line:0% position:50% align:center"),
        (r"{\an7\pos(-500,9000)}outside", "line:94.7% position:0% align:left"),
    ],
)
def test_place_of_an_event_is_kept(line: str, settings: str) -> None:
    assert said(line)[1] == settings


def test_style_of_an_event_is_kept_and_an_unknown_one_is_the_default_one() -> None:
    assert said("Exit", "Sign") == ("<b><c.yellow>Exit</c></b>", "line:0")
    assert said("Exit", "Nothing") == ("Exit", "")


def test_older_scripts_count_alignments_and_colours_in_their_own_way() -> None:
    header = (
        "[V4 Styles]\nFormat: Name, Fontname, Fontsize, PrimaryColour, Bold, Italic, Alignment\n"
        "Style: Default,Arial,18,65535,0,-1,6\n"
    )
    assert said("Hi", header=header) == ("<i><c.yellow>Hi</c></i>", "line:0")


@given(st.text(max_size=200))
def test_any_text_becomes_a_cue_that_cannot_break_the_file(text: str) -> None:
    made = cue(f"0,0,Default,,0,0,0,,{text}", 0, 1000, Script())
    data, count = document([made])
    lines = data.decode().split("\n")
    assert sum("-->" in line for line in lines) == count
    assert len(data.decode().split("\n\n")) <= 2 + ("STYLE" in lines) + count


def test_document_is_in_order_without_repeated_empty_or_endless_cues() -> None:
    cues = [
        Cue(2000, 3000, "later"),
        Cue(1000, 4000, "long\n\n\nlines"),
        Cue(2000, 3000, "later"),
        Cue(0, 1000, "<i> </i>"),
        Cue(5000, 5000, "no length"),
        Cue(-3000, -1000, "before the film"),
        Cue(-1000, 500, "across its beginning"),
        Cue(3_600_000, 3_661_001, "an hour on", "line:0"),
    ]
    data, count = document(cues)
    assert count == 4
    assert data.decode() == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:00.500\nacross its beginning\n"
        "\n00:00:01.000 --> 00:00:04.000\nlong\nlines\n"
        "\n00:00:02.000 --> 00:00:03.000\nlater\n"
        "\n01:00:00.000 --> 01:01:01.001 line:0\nan hour on\n"
    )


def test_document_and_cues_are_bounded() -> None:
    assert document(Cue(n, n + 1, "x") for n in range(MOST_CUES + 10))[1] == MOST_CUES
    assert len(said("a" * 100_000)[0]) <= MOST_CHARACTERS


@pytest.mark.parametrize(
    ("payload", "clean"),
    [
        ("<v Roger>We <00:01.000>go</v>", "<v Roger>We go</v>"),
        ("<b><i>both</b> none", "<b><i>both</i></b> none"),
        ("<script>alert(1)</script><c.yellow.bg_blue>x", "alert(1)<c.yellow.bg_blue>x</c>"),
        ("<ruby>漢<rt>kan</rt></ruby> &lt;b&gt; & <", "<ruby>漢<rt>kan</rt></ruby> &lt;b&gt; &amp; "),
    ],
)
def test_markup_of_another_file_is_made_sound(payload: str, clean: str) -> None:
    assert sanitised(payload) == clean


def test_settings_that_players_do_not_know_are_left_out() -> None:
    assert (
        settings_of("line:0 position:20%,line-left align:start region:x vertical:rl")
        == "line:0 align:start vertical:rl"
    )
