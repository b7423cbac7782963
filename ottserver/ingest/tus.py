"""The headers of tus 1.0.0 (https://tus.io/protocols/resumable-upload), read strictly and without any I/O."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING

from ottserver.errors import Malformed
from ottserver.ingest.models import Checksum

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,expiration,checksum,termination"
CHECKSUMS = {"sha1": 20, "sha256": 32, "md5": 16}
"""Algorithms of `Upload-Checksum`, and the bytes of their digests."""
CONTENT_TYPE = "application/offset+octet-stream"
METADATA_LIMIT = 4096
FILENAME_LIMIT = 255

_COUNT = re.compile(r"[0-9]{1,18}")
_KEY = re.compile(r"[!-+\--~]+")


def count(headers: Mapping[str, str], name: str) -> int:
    """The header's non-negative integer. Raises `Malformed` when it is missing or none."""
    text = headers.get(name)
    if text is None:
        message = f"The header {name} is missing."
        raise Malformed(message)
    if not _COUNT.fullmatch(text):
        message = f"The header {name} has to be a non-negative integer of at most 18 digits."
        raise Malformed(message)
    return int(text)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        message = "Base64 was expected."
        raise Malformed(message) from error


def metadata(header: str) -> dict[str, bytes]:
    """The pairs of an `Upload-Metadata` header; a key without a value has an empty one. Raises `Malformed`."""
    if len(header) > METADATA_LIMIT:
        message = f"Upload-Metadata has {len(header)} characters; at most {METADATA_LIMIT} are accepted."
        raise Malformed(message)
    pairs: dict[str, bytes] = {}
    for pair in header.split(",") if header.strip() else []:
        key, _, value = pair.strip(" ").partition(" ")
        if not _KEY.fullmatch(key):
            message = "Upload-Metadata has a key that is empty or not made of visible ASCII characters."
            raise Malformed(message)
        if key in pairs:
            message = f"Upload-Metadata names {key} twice."
            raise Malformed(message)
        try:
            pairs[key] = _decoded(value)
        except Malformed as error:
            message = f"Upload-Metadata: the value of {key} is not Base64."
            raise Malformed(message) from error
    return pairs


def filename(pairs: Mapping[str, bytes]) -> str:
    """The name of the uploaded file, without folders and control characters; empty when the client gave none."""
    raw = pairs.get("filename") or pairs.get("name") or b""
    name = raw.decode("utf-8", "replace").replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in name if c.isprintable()).strip()[:FILENAME_LIMIT]


def checksum(header: str | None) -> Checksum | None:
    """What an `Upload-Checksum` header demands, if there is one. Raises `Malformed`, also for an unknown algorithm."""
    if header is None:
        return None
    algorithm, _, encoded = header.partition(" ")
    if algorithm not in CHECKSUMS:
        message = f"Upload-Checksum names an unknown algorithm; use one of {', '.join(CHECKSUMS)}."
        raise Malformed(message)
    try:
        digest = _decoded(encoded.strip(" "))
    except Malformed as error:
        message = "Upload-Checksum: the digest is not Base64."
        raise Malformed(message) from error
    if len(digest) != CHECKSUMS[algorithm]:
        message = f"Upload-Checksum: a {algorithm} digest has {CHECKSUMS[algorithm]} bytes, not {len(digest)}."
        raise Malformed(message)
    return Checksum(algorithm, digest)


def hasher(demanded: Checksum | None) -> hashlib._Hash | None:
    """What to feed the body to, so that it can be compared."""
    return None if demanded is None else hashlib.new(demanded.algorithm, usedforsecurity=False)
