from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ottserver.ingest.library import films, guess

if TYPE_CHECKING:
    from pathlib import Path


def test_folder_gives_its_films_and_nothing_else(tmp_path: Path) -> None:
    for name in (
        "B/film.MKV",
        "A/one.mp4",
        "A/two.webm",
        "A/notes.txt",
        "A/.hidden.mp4",
        ".trash/old.mp4",
        "A/Sample/one.mp4",
        "A/one-sample.mp4",
        "A/three.mp4.part",
        "A/four.mp4.crdownload",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "dir.mp4").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path)
    found = [str(path.relative_to(tmp_path)) for path in films([tmp_path, tmp_path / "A"])]
    assert found == ["A/one.mp4", "A/two.webm", "B/film.MKV"]


def test_file_that_is_named_is_taken_whatever_it_is_called(tmp_path: Path) -> None:
    film = tmp_path / "sample.bin"
    film.touch()
    assert films([film]) == [film]


def test_path_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        films([tmp_path / "missing.mp4"])


@pytest.mark.parametrize(
    ("name", "title", "year"),
    [
        ("Big.Buck.Bunny.2008.1080p.BluRay.x264", "Big Buck Bunny", 2008),
        ("Sita Sings the Blues (2008)", "Sita Sings the Blues", 2008),
        ("2001 A Space Odyssey 1968", "2001 A Space Odyssey", 1968),
        ("1917", "1917", None),
        ("bbb_sunflower_1080p_60fps", "bbb sunflower", None),
        ("Sintel", "Sintel", None),
        ("...", "Untitled", None),
        ("Film.1999.PROPER.1080p.WEB-DL.H.264-GRP", "Film", 1999),
        ("IMG_2044", "IMG 2044", None),
        ("MVI_1987", "MVI 1987", None),
        ("VID_20190412_101500", "VID 20190412 101500", None),
        ("drone_4k_hevc10", "drone 4k hevc10", None),
        ("Christmas 2019 - Anna sings", "Christmas 2019 - Anna sings", None),
        ("The 4K restoration of dad", "The 4K restoration of dad", None),
        ("Grandma's birthday 2019", "Grandma's birthday", 2019),
    ],
)
def test_name_gives_title_and_year(name: str, title: str, year: int | None) -> None:
    found = guess(name)
    assert (found.title, found.year) == (title, year)
