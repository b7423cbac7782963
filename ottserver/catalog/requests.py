"""What administrators may say of a video."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from ottserver.catalog.models import Details, Episode, Kind, slug, unique
from ottserver.ids import is_id
from ottserver.web.routing import RequestModel


def _one_line(text: str) -> str:
    if any(unicodedata.category(c) == "Cc" for c in text):
        message = "must not have control characters"
        raise ValueError(message)
    return text


def _many_lines(text: str) -> str:
    _one_line(text.replace("\n", "").replace("\r", "").replace("\t", ""))
    return text


def _has_slug(genre: str) -> str:
    if not slug(genre):
        message = "needs a letter or a digit"
        raise ValueError(message)
    return genre


def _is_id(text: str) -> str:
    if not is_id(text):
        message = "has to be an id"
        raise ValueError(message)
    return text


def _line(longest: int) -> Any:  # noqa: ANN401 - a constraint for Annotated
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=longest)


def _pattern(pattern: str) -> Any:  # noqa: ANN401 - a constraint for Annotated
    """For the document only: what the validators beside it demand, in the regular expressions of JSON Schema."""
    return Field(json_schema_extra={"pattern": pattern})


_SHOWN = r"[^\u0000-\u001f\u007f-\u009f]"
_LINE = _pattern(rf"^{_SHOWN}*[^\s\u0000-\u001f\u007f-\u009f]{_SHOWN}*$")
_LINES = _pattern(r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$")
_LETTERED = _pattern(rf"^{_SHOWN}*[\p{{L}}\p{{M}}\p{{N}}]{_SHOWN}*$")

Title = Annotated[str, _line(300), AfterValidator(_one_line), _LINE]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000), AfterValidator(_many_lines), _LINES]
Person = Annotated[str, _line(120), AfterValidator(_one_line), _LINE]
Genre = Annotated[str, _line(40), AfterValidator(_one_line), AfterValidator(_has_slug), _LETTERED]
Genres = Annotated[tuple[Genre, ...], Field(max_length=20), AfterValidator(unique)]
People = Annotated[tuple[Person, ...], Field(max_length=200), AfterValidator(unique)]
Year = Annotated[int, Field(ge=1870, le=2200)]
PictureNumber = Annotated[int, Field(ge=0, le=99)]
Maturity = Annotated[str, _line(20), AfterValidator(_one_line), _LINE]
Id = Annotated[str, Field(max_length=36, json_schema_extra={"format": "uuid"}), AfterValidator(_is_id)]


class SeriesBody(RequestModel):
    """Where in which series a video is."""

    title: Title
    season: Annotated[int, Field(ge=0, le=10_000)]
    episode: Annotated[int, Field(ge=0, le=100_000)]

    def place(self) -> Episode:
        """The same as a value of the catalog."""
        return Episode(self.title, self.season, self.episode)


class VideoBody(RequestModel):
    """A new video and the upload that brings its bytes, which need not have finished."""

    upload_id: Id
    title: Title
    description: Text = ""
    kind: Kind = "film"
    genres: Genres = ()
    actors: People = ()
    directors: People = ()
    year: Year | None = None
    maturity: Maturity | None = None
    series: SeriesBody | None = None

    def details(self) -> Details:
        """The same as a value of the catalog."""
        return Details(
            title=self.title,
            description=self.description,
            kind=self.kind,
            genres=self.genres,
            actors=self.actors,
            directors=self.directors,
            year=self.year,
            maturity=self.maturity,
            series=None if self.series is None else self.series.place(),
        )


class VideoChange(RequestModel):
    """What is to change; what is left out stays, and null clears what may be unknown.

    `poster` and `backdrop` are numbers among the video's pictures; null leaves the choice to the server again.
    """

    title: Title = ""
    description: Text = ""
    kind: Kind = "film"
    genres: Genres = ()
    actors: People = ()
    directors: People = ()
    year: Year | None = None
    maturity: Maturity | None = None
    series: SeriesBody | None = None

    poster: PictureNumber | None = None
    backdrop: PictureNumber | None = None

    def changes(self) -> dict[str, Any]:
        """The fields that were sent, as values of the catalog."""
        sent = {name: getattr(self, name) for name in self.model_fields_set}
        if self.series is not None:
            sent["series"] = self.series.place()
        return sent


class SourceBody(RequestModel):
    """The upload whose bytes a video is to be made of from now on."""

    upload_id: Id
