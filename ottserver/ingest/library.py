"""Finding films among files: which ones a folder holds, and what a file's name says of its film."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

EXTENSIONS = frozenset(
    (
        *(".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".m2ts", ".m2v", ".m4v", ".mkv", ".mov", ".mp4"),
        *(".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".ogm", ".ogv", ".ts", ".vob", ".webm", ".wmv"),
    )
)
"""File name endings that are taken for films in a folder; a file that is named itself is always taken."""

_SAMPLE = re.compile(r"(?:^|[\W_])samples?(?:[\W_]|$)", re.IGNORECASE)
_YEAR = re.compile(r"[\s(\[]((?:18[89]|19\d|20\d)\d)(?=[\s)\]]|$)")
_NOISE = re.compile(
    r"(?:\d{3,4}[pi]|\d{2,3}fps|[48]k|uhd|hdr(?:10)?|blu-?ray|b[dr]rip|web|web-?dl|web-?rip|hdtv|dvd(?:rip)?|remux"
    r"|[xh]\.?26[45]|hevc|avc|av1|aac|ac3|10bit)",
    re.IGNORECASE,
)
_CAMERA = re.compile(r"(?:img|mvi|mov|vid|dsc[fn]?|pxl|dji|gopr|g[hx]|clip)[ _-]?\d", re.IGNORECASE)
"""How cameras and telephones call what they record: a number there is no year."""


@dataclass(frozen=True, slots=True)
class NameGuess:
    """What a file's name says."""

    title: str
    year: int | None


def films(paths: Iterable[Path]) -> list[Path]:
    """The films among files and folders, each once, in the order of their names below each path. Blocks.

    Of folders, what is hidden, a sample, or does not end like a film is left out; links to folders are not followed.
    Raises `FileNotFoundError` for a path that does not exist.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found.update(dict.fromkeys(_below(path)))
        elif path.exists():
            found[path] = None
        else:
            raise FileNotFoundError(path)
    return list(found)


def _below(folder: Path) -> list[Path]:
    films = []
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not _SAMPLE.search(name))
        films += [Path(parent, name) for name in sorted(files) if _looks_like_film(Path(parent, name))]
    return films


def _looks_like_film(path: Path) -> bool:
    hidden = path.name.startswith(".")
    return not hidden and path.suffix.lower() in EXTENSIONS and not _SAMPLE.search(path.stem) and path.is_file()


def guess(name: str) -> NameGuess:
    """Title and year that a file's name, without its ending, carries: Big.Buck.Bunny.2008.1080p is of 2008.

    Words are left out only where nothing but words about the file follows them, so that what people wrote stays.
    """
    parted_by_space = " " in name
    spaced = name if parted_by_space else re.sub(r"[._]+", " ", name)
    if _CAMERA.match(spaced):
        return NameGuess(_title(spaced), None)
    for match in reversed(list(_YEAR.finditer(spaced))):
        rest = spaced[match.end() :]
        tagged = not parted_by_space and any(_NOISE.fullmatch(word) for word in _words(rest))
        if match.start() and (match[0][0] in "([" or _all_noise(rest) or tagged):
            return NameGuess(_title(spaced[: match.start()]), int(match[1]))
    for match in re.finditer(r"\s", spaced):
        if _all_noise(spaced[match.start() :]):
            return NameGuess(_title(spaced[: match.start()]), None)
    return NameGuess(_title(spaced), None)


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[\s()\[\]]+", text) if word]


def _all_noise(text: str) -> bool:
    return all(_NOISE.fullmatch(word) for word in _words(text))


def _title(text: str) -> str:
    return "".join(c for c in text if c.isprintable()).strip(" -_([")[:300] or "Untitled"
