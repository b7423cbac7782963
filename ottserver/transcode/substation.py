"""From Advanced SubStation Alpha to WebVTT: the events that FFmpeg's subtitle decoders give, whatever they read. Pure.

Kept is what WebVTT can carry: bold, italic, underline, colour, and where on the picture a line stands. Drawings, fades,
rotation and karaoke timing are left out, and the text of songs stays.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace

from ottserver.transcode.webvtt import MOST_CHARACTERS, Cue, colour_class, escaped

_EVENT_FIELDS = 9
_LINE_PERCENT = 5.33
# Height of a line of subtitles in players, in percent of the picture's (WebVTT section 6.1: 5.33vh).
_LEGACY = {1: 1, 2: 2, 3: 3, 5: 7, 6: 8, 7: 9, 9: 4, 10: 5, 11: 6}
# Alignments of SSA, and of \a, as those of ASS, which are laid out like a number pad.
_OVERRIDE = re.compile(
    r"\\(?:(?P<place>pos|move)\(\s*(?P<x>-?[\d.]+)\s*,\s*(?P<y>-?[\d.]+)[^)]*\)"
    r"|(?P<colour>1?c)(?:&?H?(?P<bgr>[0-9A-Fa-f]{1,8})&?)?(?![a-z])"
    r"|an(?P<an>[1-9])|a(?P<a>\d{1,2})|p(?P<draw>\d+)(?![a-z])|r(?P<style>[^\\}]*)"
    r"|(?P<flag>[biu])(?P<on>\d*)(?![a-z]))"
)
_ANIMATED = re.compile(r"\\t\((?:[^()]|\([^()]*\))*\)?")


@dataclass(frozen=True, slots=True)
class Look:
    """How text is shown."""

    bold: bool = False
    italic: bool = False
    underline: bool = False
    colour: str = "#ffffff"
    alignment: int = 2
    """1 to 9 as on a number pad: 2 is below in the middle."""


@dataclass(frozen=True, slots=True)
class Script:
    """What the header says of all lines."""

    width: float = 384.0
    height: float = 288.0
    """Size of the picture that positions are of."""
    styles: dict[str, Look] = field(default_factory=dict)


def script(header: str) -> Script:
    """The header of a script: its size and its styles by name."""
    width, height = _number(header, "PlayResX", 384.0), _number(header, "PlayResY", 288.0)
    legacy = "[v4 styles]" in header.lower()
    names: list[str] = []
    styles: dict[str, Look] = {}
    for line in header.splitlines():
        kind, _, rest = line.partition(":")
        values = [value.strip() for value in rest.split(",")]
        if kind.strip() == "Format" and "fontname" in rest.lower():
            names = [value.lower() for value in values]
        elif kind.strip() == "Style" and names:
            given = dict(zip(names, values, strict=False))
            styles[given.get("name", "").lstrip("*")] = _style(given, legacy=legacy)
    return Script(width, height, styles)


def _style(given: dict[str, str], *, legacy: bool) -> Look:
    alignment = int(given["alignment"]) if given.get("alignment", "").isdecimal() else 2
    alignment = _LEGACY.get(alignment, 2) if legacy else alignment

    def on(name: str) -> bool:
        return given.get(name, "0") not in ("0", "")

    return Look(
        on("bold"), on("italic"), on("underline"), _colour(given.get("primarycolour", "")), min(max(alignment, 1), 9)
    )


def cue(event: str, start: int, end: int, head: Script) -> Cue:
    """One event, "ReadOrder,Layer,Style,Name,MarginL,MarginR,MarginV,Effect,Text", shown from `start` to `end` ms."""
    fields = event.split(",", _EVENT_FIELDS - 1)
    text = fields[-1][:MOST_CHARACTERS]
    name = fields[2].strip().lstrip("*") if len(fields) == _EVENT_FIELDS else "Default"
    base = head.styles.get(name, head.styles.get("Default", Look()))
    place: tuple[float, float] | None = None
    alignment = base.alignment
    look, drawing = base, False
    spans: list[tuple[Look, str]] = []
    for part in re.split(r"(\{[^{}]*\})", text):
        if not (part.startswith("{") and part.endswith("}")):
            if part and not drawing:
                spans.append((look, _plain(part)))
            continue
        for match in _OVERRIDE.finditer(_ANIMATED.sub("", part)):
            if match["place"]:
                place = float(match["x"].strip(".") or 0), float(match["y"].strip(".") or 0)
            elif match["an"] or match["a"]:
                alignment = int(match["an"]) if match["an"] else _LEGACY.get(int(match["a"]), alignment)
            elif match["draw"]:
                drawing = match["draw"] != "0"
            else:
                look = _changed(look, match, base, head)
    settings = _settings(alignment, place, head, 1 + sum(span.count("\n") for _, span in spans))
    return Cue(start, end, _markup(spans), settings)


def _changed(look: Look, match: re.Match[str], base: Look, head: Script) -> Look:
    if match["flag"]:
        name = {"b": "bold", "i": "italic", "u": "underline"}[match["flag"]]
        on = match["on"] != "0" if match["on"] else getattr(base, name)
        return Look(**{**asdict(look), name: on})
    if match["colour"]:
        return replace(look, colour=_colour("&H" + match["bgr"]) if match["bgr"] else base.colour)
    return head.styles.get((match["style"] or "").strip(), base)


def _markup(spans: list[tuple[Look, str]]) -> str:
    """The spans as cue text: every one closes what it has opened, so that nothing crosses."""
    merged: list[tuple[Look, str]] = []
    for look, text in spans:
        if merged and merged[-1][0] == look:
            merged[-1] = (look, merged[-1][1] + text)
        else:
            merged.append((look, text))
    marked = []
    for look, text in merged:
        tags = [tag for tag, on in (("b", look.bold), ("i", look.italic), ("u", look.underline)) if on]
        named = colour_class(look.colour)
        opened = "".join(f"<{tag}>" for tag in tags) + (f"<c.{named}>" if named else "")
        closed = ("</c>" if named else "") + "".join(f"</{tag}>" for tag in reversed(tags))
        body = escaped(text).replace("\u00a0", "&nbsp;")
        marked.append(f"{opened}{body}{closed}" if body.strip() else body)
    return "".join(marked)


def _settings(alignment: int, place: tuple[float, float] | None, head: Script, lines: int) -> str:
    """Where the cue box stands. WebVTT places the top of a box, SubStation the side that the alignment names."""
    row, column = divmod(alignment - 1, 3)
    side = ("left", "center", "right")[column]
    if place is None:
        line = ("", "line:45%", "line:0")[row]
        across = ("position:5% align:left", "", "position:95% align:right")[column]
        return f"{line} {across}".strip()
    block = lines * _LINE_PERCENT
    top = 100 * place[1] / head.height - block * (1, 0.5, 0)[row]
    left = 100 * place[0] / head.width
    return f"line:{_percent(top, 100 - block)} position:{_percent(left, 100)} align:{side}"


def _percent(value: float, most: float) -> str:
    return f"{min(max(value, 0.0), max(most, 0.0)):.1f}".removesuffix(".0") + "%"


def _plain(text: str) -> str:
    return text.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", "\u00a0")


def _colour(value: str) -> str:
    """&HAABBGGRR, or a decimal number as in SSA, as "#rrggbb"."""
    text = value.strip().strip("&").removesuffix("&")
    try:
        number = int(text.lstrip("Hh"), 16) if text[:1] in ("H", "h") else int(text)
    except ValueError:
        return "#ffffff"
    return f"#{number & 255:02x}{number >> 8 & 255:02x}{number >> 16 & 255:02x}"


def _number(header: str, name: str, otherwise: float) -> float:
    found = re.search(rf"^{name}:\s*(\d+)", header, re.MULTILINE)
    return float(found[1]) if found and 0 < int(found[1]) < 100_000 else otherwise  # noqa: PLR2004 - no picture is wider
