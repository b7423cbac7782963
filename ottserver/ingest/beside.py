"""Subtitle files that lie beside a film: which ones are its own, and what their names say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ottserver.ingest.library import EXTENSIONS
from ottserver.languages import UNKNOWN, language_tag

if TYPE_CHECKING:
    from pathlib import Path

ENDINGS = frozenset((".srt", ".ass", ".ssa", ".vtt", ".sub", ".idx", ".sup"))
"""File name endings of subtitles, those that cannot be shown among them: whoever has such a file is told."""
_SOUNDS = frozenset(("sdh", "cc", "hi"))


@dataclass(frozen=True, slots=True)
class Beside:
    """One subtitle file and what its name says: film.en.forced.srt is English and forced."""

    path: Path
    language: str = UNKNOWN
    label: str = ""
    default: bool = False
    forced: bool = False
    hearing_impaired: bool = False


def beside(film: Path) -> list[Beside]:
    """The subtitle files in the film's folder that are called like it, in the order of their names. Blocks.

    A file whose name begins like those of two films belongs to the one with the longer name.
    """
    try:
        files = sorted(path for path in film.parent.iterdir() if path.is_file())
    except OSError:
        return []
    stems = [path.stem for path in files if path.suffix.lower() in EXTENSIONS and path != film]
    found = []
    for path in files:
        if path.suffix.lower() not in ENDINGS or not _belongs(path.stem, film.stem):
            continue
        if any(len(stem) > len(film.stem) and _belongs(path.stem, stem) for stem in stems):
            continue
        found.append(named(path, path.stem[len(film.stem) :]))
    return found


def _belongs(name: str, stem: str) -> bool:
    name, stem = name.casefold(), stem.casefold()
    return name == stem or name.startswith(f"{stem}.")


def named(path: Path, rest: str) -> Beside:
    """What the words of a file's name say that follow its film's, as in ".en.forced"."""
    language, label = UNKNOWN, []
    flags: set[str] = set()
    for word in [word for word in rest.split(".") if word]:
        low = word.casefold()
        # "hi" is Hindi where no other language is named before, else "hearing impaired".
        if low in ("forced", "default") or (low in _SOUNDS and (low != "hi" or language != UNKNOWN)):
            flags.add(low)
        elif language == UNKNOWN and (tag := language_tag(word)) != UNKNOWN:
            language = tag
        else:
            label.append(word)
    return Beside(path, language, " ".join(label), "default" in flags, "forced" in flags, bool(flags & _SOUNDS))
