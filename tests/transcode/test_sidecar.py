# ruff: noqa: RUF001 - the letters of many languages
from __future__ import annotations

import re
from fractions import Fraction

import pytest

from ottserver.transcode.sidecar import Unreadable, convert

GERMAN = "1\n00:00:01,000 --> 00:00:02,000\nSchöne Grüße aus Köln, sagte die Bäckerin – „für dich“.\n"
RUSSIAN = "1\n00:00:01,000 --> 00:00:02,000\nПривет, как дела? Сегодня хорошая погода, пойдём гулять.\n"
POLISH = "1\n00:00:01,000 --> 00:00:02,000\nZażółć gęślą jaźń, powiedział źle ubrany człowiek.\n"
GREEK = "1\n00:00:01,000 --> 00:00:02,000\nΚαλημέρα σας, τι κάνετε σήμερα;\n"
JAPANESE = "1\n00:00:01,000 --> 00:00:02,000\nおはようございます。今日はいい天気ですね。\n"


def said(data: bytes, language: str = "und") -> str:
    return convert(data, language, None)[0].decode().split("\n", 3)[-1].strip()


@pytest.mark.parametrize(
    ("text", "encoding", "language"),
    [
        (GERMAN, "utf-8", "und"),
        (GERMAN, "utf-8-sig", "und"),
        (GERMAN, "utf-16", "und"),
        (GERMAN, "utf-16-le", "und"),
        (GERMAN, "utf-16-be", "und"),
        (GERMAN, "utf-32", "und"),
        (GERMAN, "cp1252", "de"),
        (GERMAN, "cp1252", "und"),
        (RUSSIAN, "cp1251", "ru"),
        (RUSSIAN, "koi8_r", "ru"),
        (RUSSIAN, "cp1251", "und"),
        (POLISH, "cp1250", "pl"),
        (POLISH, "iso8859_2", "pl"),
        (GREEK, "cp1253", "el"),
        (JAPANESE, "cp932", "ja"),
        (JAPANESE, "euc_jp", "ja"),
        (JAPANESE, "utf-16-le", "und"),
    ],
)
def test_letters_of_every_encoding_are_right(text: str, encoding: str, language: str) -> None:
    assert said(text.encode(encoding), language) == text.splitlines()[2]


@pytest.mark.parametrize("breaks", ["\n", "\r\n", "\r"])
def test_srt_of_every_system_is_read(breaks: str) -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\n<i>One</i>\nline\n\n2\n00:00:03,500 --> 00:00:04,000\n{\\an8}Two\n"
    data, kind = convert(text.replace("\n", breaks).encode(), "en", None)
    assert kind == "subrip"
    assert data.decode() == (
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n<i>One</i>\nline\n\n00:00:03.500 --> 00:00:04.000 line:0\nTwo\n"
    )


def test_webvtt_keeps_places_and_voices_and_loses_what_players_do_not_know() -> None:
    text = (
        "\ufeffWEBVTT - a title\n\nSTYLE\n::cue { background: url(http://example.org/x) }\n\nNOTE a note\n\n"
        "one\n00:01.000 --> 00:02.500 line:0 region:r position:10% align:left\n<v Ann>Hi &amp; <script>bye\n\n"
        "01:00:00.000 --> 01:00:01.000\nlate\n"
    )
    data, kind = convert(text.encode(), "en", None)
    assert kind == "webvtt"
    assert data.decode() == (
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.500 line:0 position:10% align:left\n<v Ann>Hi &amp; bye</v>\n"
        "\n01:00:00.000 --> 01:00:01.000\nlate\n"
    )


def test_substation_files_of_both_versions_are_read() -> None:
    ass = (
        "[Script Info]\nPlayResX: 640\nPlayResY: 360\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize, PrimaryColour, "
        "Bold, Italic, Underline, Alignment\nStyle: Default,Arial,20,&H0000FFFF,0,-1,0,2\n\n[Events]\n"
        "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
        "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\an9}Up, right\n"
    )
    data, kind = convert(ass.encode(), "en", None)
    assert kind == "ass"
    assert b"00:00:01.000 --> 00:00:02.000 line:0 position:95% align:right\n<i><c.yellow>Up, right</c></i>" in data


def test_microdvd_is_timed_by_its_own_rate_or_the_films() -> None:
    frames = "{25}{50}Hello|there\n{100}{125}{y:i}Again\n"
    data, kind = convert(frames.encode(), "en", Fraction(25))
    assert kind == "microdvd"
    assert b"00:00:01.000 --> 00:00:02.000\nHello\nthere" in data
    data, _ = convert(("{1}{1}50\n" + frames).encode(), "en", Fraction(25))
    assert re.search(rb"00:00:00\.5\d\d --> 00:00:01\.0\d\d\nHello\nthere", data)
    with pytest.raises(Unreadable, match="how many make a second"):
        convert(frames.encode(), "en", None)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "no subtitles in a known text format"),
        (b"just words\nof a letter\n", "no subtitles in a known text format"),
        (b"\x00\x00\x01\xba" + bytes(2000), "pictures of text"),
        (b"PG" + bytes(2000), "pictures of text"),
        (b"# VobSub index file, v7\nsize: 720x576\n", "pictures of text"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "no subtitles in a known text format"),
        (b"WEBVTT\n\n00:02.000 --> 00:01.000\nbackwards\n", "no subtitles in a known text format"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "no subtitles in a known text format"),
    ],
)
def test_what_is_no_subtitle_file_is_refused_in_a_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(Unreadable, match=sentence):
        convert(data, "und", None)


def test_file_with_endless_cues_is_cut_off() -> None:
    many = "".join(f"{n}\n00:00:01,000 --> 00:00:02,000\nline {n}\n\n" for n in range(1, 60_000))
    data, _ = convert(many.encode(), "en", None)
    assert data.count(b"-->") == 50_000
