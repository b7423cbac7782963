from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given, strategies as st

from ottserver.errors import Malformed
from ottserver.ingest import tus


def encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


keys = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=","), min_size=1, max_size=20)


@given(st.dictionaries(keys, st.binary(max_size=60), max_size=5))
def test_metadata_comes_back_as_it_was_sent(pairs: dict[str, bytes]) -> None:
    header = ",".join(f"{key} {encoded(value)}" if value else key for key, value in pairs.items())
    assert tus.metadata(header) == pairs


@given(st.text(max_size=300))
def test_any_metadata_is_read_or_refused(header: str) -> None:
    try:
        pairs = tus.metadata(header)
    except Malformed:
        return
    assert all(key and "," not in key and " " not in key for key in pairs)
    name = tus.filename(pairs)
    assert "/" not in name
    assert "\n" not in name


@given(st.text(max_size=60))
def test_any_count_is_read_or_refused(text: str) -> None:
    try:
        assert tus.count({"Upload-Offset": text}, "Upload-Offset") >= 0
    except Malformed:
        return
    assert text.isascii()
    assert text.isdigit()


@given(st.text(max_size=100))
def test_any_checksum_is_read_or_refused(header: str) -> None:
    try:
        checksum = tus.checksum(header)
    except Malformed:
        return
    assert checksum is not None
    assert checksum.algorithm in tus.CHECKSUMS


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5"])
def test_announced_checksums_are_understood(algorithm: str) -> None:
    digest = hashlib.new(algorithm, b"bytes").digest()
    checksum = tus.checksum(f"{algorithm} {encoded(digest)}")
    assert checksum is not None
    assert checksum.digest == digest


@pytest.mark.parametrize(
    "header", ["a b c", "a !!!", "a YQ==,a YQ==", ",", "é YQ==", "a YQ==,", " ,a YQ==", "x" * 5000, "a YQ==\r\nX: y"]
)
def test_metadata_that_makes_no_sense_is_refused(header: str) -> None:
    with pytest.raises(Malformed):
        tus.metadata(header)


@pytest.mark.parametrize("header", ["crc32 AAAA", "sha1", "sha1 AAAA", "sha1 !", "SHA1 AAAA", ""])
def test_checksum_that_cannot_be_checked_is_refused(header: str) -> None:
    with pytest.raises(Malformed):
        tus.checksum(header)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"film.mp4", "film.mp4"),
        (b"../../etc/passwd", "passwd"),
        (b"C:\\films\\a.mkv", "a.mkv"),
        (b"a\x00b\n.mp4", "ab.mp4"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        ("नाटक.mp4".encode(), "नाटक.mp4"),
        (b"x" * 400, "x" * 255),
    ],
)
def test_file_name_has_no_folders_and_no_control_characters(sent: bytes, kept: str) -> None:
    assert tus.filename({"filename": sent}) == kept
