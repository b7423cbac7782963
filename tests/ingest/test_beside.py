from __future__ import annotations

from typing import TYPE_CHECKING

from ottserver.ingest.beside import Beside, beside

if TYPE_CHECKING:
    from pathlib import Path


def test_names_of_subtitle_files_say_what_they_are(tmp_path: Path) -> None:
    film = tmp_path / "My.Film.2010.mkv"
    names = {
        "My.Film.2010.srt": Beside(film),
        "my.film.2010.en.srt": Beside(film, "en"),
        "My.Film.2010.en.forced.srt": Beside(film, "en", forced=True),
        "My.Film.2010.eng.sdh.ass": Beside(film, "en", hearing_impaired=True),
        "My.Film.2010.de.vtt": Beside(film, "de"),
        "My.Film.2010.pt-BR.default.srt": Beside(film, "pt-BR", default=True),
        "My.Film.2010.hi.srt": Beside(film, "hi"),
        "My.Film.2010.en.hi.srt": Beside(film, "en", hearing_impaired=True),
        "My.Film.2010.fr.Commentaire.ssa": Beside(film, "fr", "Commentaire"),
        "My.Film.2010.en.sub": Beside(film, "en"),
        "My.Film.2010.en.idx": Beside(film, "en"),
    }
    for name in (film.name, *names, "My.Film.2010.nfo", "My.Film.srt", "My.Film.2010b.srt", "Other.en.srt"):
        (tmp_path / name).write_text("x")
    (tmp_path / "My.Film.2010.it.srt").mkdir()
    found = {one.path.name: one for one in beside(film)}
    assert set(found) == set(names)
    for name, wanted in names.items():
        one = found[name]
        assert (one.language, one.label) == (wanted.language, wanted.label), name
        assert (one.default, one.forced, one.hearing_impaired) == (
            wanted.default,
            wanted.forced,
            wanted.hearing_impaired,
        ), name


def test_file_that_two_films_could_have_belongs_to_the_longer_name(tmp_path: Path) -> None:
    for name in ("Film.mp4", "Film.2.mp4", "Film.en.srt", "Film.2.en.srt"):
        (tmp_path / name).write_text("x")
    assert [one.path.name for one in beside(tmp_path / "Film.mp4")] == ["Film.en.srt"]
    assert [one.path.name for one in beside(tmp_path / "Film.2.mp4")] == ["Film.2.en.srt"]
