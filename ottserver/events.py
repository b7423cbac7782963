"""Every fact that rooms announce.

A fact says what has happened, is written in the transaction that made it true, and reaches each consumer at least once
and in order per key.

`VERSION` is raised when a field changes its meaning; fields are only ever added, with a default.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from ottserver.media import Extras, Presentation, SourceReport


@dataclass(frozen=True)
class Fact(ABC):
    """Base of all facts. `AGGREGATE` and `key` become `aggregatetype` and `aggregateid` of the outbox row."""

    AGGREGATE: ClassVar[str] = ""
    VERSION: ClassVar[int] = 1

    @property
    @abstractmethod
    def key(self) -> str:
        """The id within which order is kept."""


@dataclass(frozen=True)
class AccountFact(Fact):
    """A fact about one account."""

    AGGREGATE: ClassVar[str] = "account"
    account_id: str

    @property
    def key(self) -> str:
        """The account."""
        return self.account_id


@dataclass(frozen=True)
class AccountCreated(AccountFact):
    """Somebody signed up, or an operator made the account."""

    role: str


@dataclass(frozen=True)
class AccountDeleted(AccountFact):
    """The account's personal data is to be erased everywhere."""


@dataclass(frozen=True)
class AccountDisabled(AccountFact):
    """Whoever runs the server lets the account in no more; all its devices are signed out."""


@dataclass(frozen=True)
class DevicesSignedOut(AccountFact):
    """These signed-in devices of the account are so no more."""

    session_ids: tuple[str, ...]


@dataclass(frozen=True)
class SubscriptionChanged(AccountFact):
    """What the account is entitled to has changed."""

    plan_id: str
    status: str


@dataclass(frozen=True)
class SourceFact(Fact):
    """A fact about one source: one content, whatever uploads brought it."""

    AGGREGATE: ClassVar[str] = "source"
    source_id: str

    @property
    def key(self) -> str:
        """The source."""
        return self.source_id


@dataclass(frozen=True)
class SourceStored(SourceFact):
    """All bytes of a source are in the blob store under `blob_key`; it waits for its probe."""

    sha256: str
    size_bytes: int
    blob_key: str


@dataclass(frozen=True)
class SourceReady(SourceFact):
    """The probe found a playable film."""

    sha256: str
    blob_key: str
    report: SourceReport


@dataclass(frozen=True)
class SourceFailed(SourceFact):
    """The source cannot be played; `reason` is a sentence for the person who uploaded it."""

    reason: str


@dataclass(frozen=True)
class SourceRemoved(SourceFact):
    """The source's bytes are gone; whatever was derived from it can go too."""


@dataclass(frozen=True)
class PresentationPlayable(SourceFact):
    """The grid is laid and init segments exist: manifests are complete and every segment can be asked for."""

    presentation: Presentation


@dataclass(frozen=True)
class PresentationComplete(SourceFact):
    """Every segment of every rendition is in the blob store."""

    presentation_id: str


@dataclass(frozen=True)
class PresentationFailed(SourceFact):
    """The source was probed well and yet cannot be encoded; `reason` is a sentence."""

    reason: str


@dataclass(frozen=True)
class ArtworkReady(SourceFact):
    """Pictures made from the film itself are in the blob store."""

    poster_key: str
    backdrop_key: str
    pictures: int = 0
    """How many there are to choose from, beside these keys: "poster-0" and "backdrop-0" on, best first."""


@dataclass(frozen=True)
class ExtrasReady(SourceFact):
    """Subtitles or pictures for the seek bar are in the blob store; `extras` is all that there is by now."""

    presentation_id: str
    extras: Extras


@dataclass(frozen=True)
class SubtitlesChanged(SourceFact):
    """Subtitles were added to a source as a file of their own, or taken away again."""


@dataclass(frozen=True)
class UploadFact(Fact):
    """A fact about one upload: bytes on their way to becoming a source."""

    AGGREGATE: ClassVar[str] = "upload"
    upload_id: str

    @property
    def key(self) -> str:
        """The upload."""
        return self.upload_id


@dataclass(frozen=True)
class UploadStored(UploadFact):
    """All its bytes have arrived and are those of `source_id`, which may have been there before."""

    source_id: str


@dataclass(frozen=True)
class UploadFailed(UploadFact):
    """It will never become a source; `reason` is a sentence for the person who began it."""

    reason: str


@dataclass(frozen=True)
class VideoFact(Fact):
    """A fact about one video of the catalog."""

    AGGREGATE: ClassVar[str] = "video"
    video_id: str

    @property
    def key(self) -> str:
        """The video."""
        return self.video_id


@dataclass(frozen=True)
class VideoAdded(VideoFact):
    """An administrator put a video into the catalog; `source_id` is empty while its source is still on its way."""

    source_id: str
    title: str


@dataclass(frozen=True)
class VideoPlayable(VideoFact):
    """The video can be played from now on."""

    presentation_id: str


@dataclass(frozen=True)
class VideoChanged(VideoFact):
    """Its metadata was edited."""


@dataclass(frozen=True)
class VideoReplaced(VideoFact):
    """It waits for other bytes from now on; `source_id`, its source until now or empty, has lost one user."""

    source_id: str


@dataclass(frozen=True)
class VideoRemoved(VideoFact):
    """It left the catalog; `source_id`, empty if its source was still on its way, has lost one user."""

    source_id: str


def _leaves(base: type[Fact]) -> list[type[Fact]]:
    children = base.__subclasses__()
    return [base] if not children else [leaf for child in children for leaf in _leaves(child)]


FACTS: dict[str, type[Fact]] = {leaf.__name__: leaf for leaf in _leaves(Fact)}
"""Every fact by the name it has in the outbox's `type` column."""
