"""Uploads and sources as values, and what can go wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ottserver.errors import OttError

if TYPE_CHECKING:
    from datetime import datetime

    from ottserver.media import SourceReport

UploadPhase = Literal["receiving", "received", "stored", "failed", "gone"]
"""`received`: all bytes are in the staging folder; `stored`: they are a source; `gone`: expired or terminated."""

SourcePhase = Literal["arriving", "stored", "ready", "failed", "removing", "removed"]
"""`arriving`: its bytes are on their way into the blob store; `stored`: they wait for the probe."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload, as the database knows it; how many bytes have arrived is what the staging folder holds."""

    id: str
    account_id: str
    length: int
    """Bytes it will have."""
    metadata: str
    """The `Upload-Metadata` header as the client sent it."""
    filename: str
    state: UploadPhase
    reason: str | None
    sha256: str | None
    source_id: str | None
    claimed: bool
    """Whether a video has been made of it."""
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class UploadState:
    """What the catalog may know of an upload."""

    upload_id: str
    state: UploadPhase
    source_id: str | None
    filename: str
    size: int
    """Bytes it will have."""
    reason: str | None


@dataclass(frozen=True, slots=True)
class Source:
    """One content, identified by its SHA-256, whatever uploads and imports brought it."""

    id: str
    sha256: str
    size_bytes: int
    blob_key: str
    state: SourcePhase
    reason: str | None
    report: SourceReport | None


@dataclass(frozen=True, slots=True)
class Checksum:
    """What the bytes of one request must hash to."""

    algorithm: str
    """A name that `hashlib` knows."""
    digest: bytes


class ChecksumMismatch(OttError):
    """The bytes of the request are not those that its `Upload-Checksum` speaks of."""

    title = "Checksum mismatch"


class BodyInterrupted(Exception):
    """The client stopped in the middle of a request's body: it vanished or was silent for too long."""


class ProbeFailed(Exception):
    """A source cannot be played; `reason` is a sentence for the person who brought it."""

    def __init__(self, reason: str) -> None:
        """Keep the sentence."""
        super().__init__(reason)
        self.reason = reason


def blob_key(sha256: str) -> str:
    """Where the bytes with this hash are in the blob store."""
    return f"sources/{sha256[:2]}/{sha256}"
