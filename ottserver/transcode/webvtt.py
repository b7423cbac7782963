"""WebVTT files (W3C WebVTT 1): cues, their text and the styles they use. Pure."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_CUES = 50_000
MOST_CHARACTERS = 4_000
"""Of one cue."""
MOST_BYTES = 16 << 20
"""Of a file, markup included."""
_NAMED = {
    "#ffff00": "yellow",
    "#00ffff": "cyan",
    "#00ff00": "lime",
    "#ff00ff": "magenta",
    "#ff0000": "red",
    "#0000ff": "blue",
}
# Colours that every player knows by a class of that name (section 5.1).
_KEPT = re.compile(r"</?(?:b|i|u|ruby|rt|c|v|lang)(?=[.\s>])[^<>]*>")
_TAG = re.compile(r"<[^>]*>?")
_SETTING = re.compile(
    r"(?:line:(?:-?\d{1,4}|\d{1,3}(?:\.\d+)?%)|(?:position|size):\d{1,3}(?:\.\d+)?%|align:(?:start|center|end|left|right)"
    r"|vertical:(?:rl|lr))"
)


@dataclass(frozen=True, slots=True, order=True)
class Cue:
    """One cue; its times are milliseconds from the film's first frame, its text is WebVTT markup."""

    start: int
    end: int
    text: str
    settings: str = ""


def colour_class(colour: str) -> str:
    """Class of a cue span in that colour, "#rrggbb"; nothing for white, which is how subtitles are."""
    return "" if colour == "#ffffff" else _NAMED.get(colour, f"x{colour[1:]}")


def escaped(text: str) -> str:
    """Plain text as cue text: nothing in it is markup, and no control characters but line breaks are left."""
    kept = "".join(c for c in text if c in "\n\t" or (c >= " " and c != "\x7f" and not "\ud800" <= c <= "\udfff"))
    return html.escape(kept, quote=False)


def sanitised(payload: str) -> str:
    """Cue text of another file with the tags that players know; times within a cue go, and every tag is closed."""
    parts: list[str] = []
    still_open: list[str] = []
    at = 0
    for match in _TAG.finditer(payload[:MOST_CHARACTERS]):
        parts.append(_text(payload[at : match.start()]))
        at = match.end()
        if _KEPT.fullmatch(match[0]):
            _nest(match[0], parts, still_open)
    parts.append(_text(payload[at:MOST_CHARACTERS]))
    return "".join([*parts, *(f"</{name}>" for name in reversed(still_open))])


def _nest(tag: str, parts: list[str], still_open: list[str]) -> None:
    name = re.match(r"</?(\w+)", tag)
    if name is None:
        return
    if not tag.startswith("</"):
        still_open.append(name[1])
        parts.append(" ".join(tag.split()))
    elif name[1] in still_open:
        while (closed := still_open.pop()) != name[1]:
            parts.append(f"</{closed}>")
        parts.append(f"</{name[1]}>")


def _text(text: str) -> str:
    return (
        escaped(html.unescape(text)).replace("\u00a0", "&nbsp;").replace("\u200e", "&lrm;").replace("\u200f", "&rlm;")
    )


def settings_of(text: str) -> str:
    """Those of the cue settings that every player knows."""
    return " ".join(part for part in text.split() if _SETTING.fullmatch(part))


def document(cues: Iterable[Cue]) -> tuple[bytes, int]:
    """The file, and how many cues it has.

    Cues are put in order, the same one said twice is said once, and those without text or length are left out; what is
    over the bounds is cut off at the end.
    """
    lines: list[str] = []
    colours: set[str] = set()
    count = size = 0
    for cue in sorted(set(cues)):
        text = re.sub(r"\n\s*\n+", "\n", cue.text.replace("\r", "")).strip()
        if cue.end <= max(cue.start, 0) or not _TAG.sub("", text).replace("&nbsp;", "").strip():
            continue
        block = f"\n{_clock(max(cue.start, 0))} --> {_clock(cue.end)}{' ' * bool(cue.settings)}{cue.settings}\n{text}\n"
        size += len(block.encode())
        if count == MOST_CUES or size > MOST_BYTES:
            break
        colours.update(re.findall(r"<c\.x([0-9a-f]{6})>", text))
        lines.append(block)
        count += 1
    styles = "".join(f"::cue(.x{colour}) {{ color: #{colour}; }}\n" for colour in sorted(colours))
    head = f"WEBVTT\n\nSTYLE\n{styles}" if styles else "WEBVTT\n"
    return (head + "".join(lines)).encode(), count


def _clock(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:03d}"
