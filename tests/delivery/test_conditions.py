from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ottserver.delivery.conditions import Answer, answer

TAG = '"abc"'


@pytest.mark.parametrize(
    ("field", "status", "start", "end"),
    [
        ("bytes=0-0", 206, 0, 1),
        ("bytes=0-99", 206, 0, 100),
        ("bytes=10-19", 206, 10, 20),
        ("bytes=99-99", 206, 99, 100),
        ("bytes=90-", 206, 90, 100),
        ("bytes=90-1000", 206, 90, 100),
        ("bytes=90-99999999999999999999999999", 206, 90, 100),
        ("bytes=-1", 206, 99, 100),
        ("bytes=-100", 206, 0, 100),
        ("bytes=-101", 206, 0, 100),
        ("bytes=-99999999999999999999999999", 206, 0, 100),
        ("Bytes=0-9", 206, 0, 10),
        ("bytes= 0-9 ", 206, 0, 10),
        ("bytes=000000000000000000000005-9", 206, 5, 10),
        ("bytes=100-", 416, 0, 0),
        ("bytes=100-200", 416, 0, 0),
        ("bytes=99999999999999999999999999-", 416, 0, 0),
        ("bytes=-0", 416, 0, 0),
        ("bytes=99999999999999999999-99999999999999999999", 416, 0, 0),
        ("bytes=099999999999999999999-18446744073709551616", 200, 0, 100),
        ("bytes=9-0", 200, 0, 100),
        ("bytes=0-1,5-6", 200, 0, 100),
        ("bytes=-", 200, 0, 100),
        ("bytes=", 200, 0, 100),
        ("bytes", 200, 0, 100),
        ("", 200, 0, 100),
        ("items=0-1", 200, 0, 100),
        ("bytes=a-b", 200, 0, 100),
        ("bytes=-5-", 200, 0, 100),
        ("bytes=0x1-2", 200, 0, 100),
        ("bytes=+1-2", 200, 0, 100),
        ("bytes=1_0-20", 200, 0, 100),
        ("bytes=٣-٤", 200, 0, 100),
    ],
)
def test_range_of_a_hundred_bytes(field: str, status: int, start: int, end: int) -> None:
    assert answer("GET", {"Range": field}, TAG, 100) == Answer(status, start, end)  # type: ignore[arg-type] # statuses compare as numbers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-None-Match": '"abc"'}, 304),
        ({"If-None-Match": 'W/"abc"'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"x", "abc"'}, 304),
        ({"If-None-Match": '"x,y", W/"abc"'}, 304),
        ({"If-None-Match": '"x"'}, 200),
        ({"If-None-Match": "abc"}, 200),
        ({"If-None-Match": '"ABC"'}, 200),
        ({"If-None-Match": '"abc"', "Range": "bytes=0-1"}, 304),
        ({"If-None-Match": '"x"', "Range": "bytes=0-1"}, 206),
        ({"If-Match": '"abc"'}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": 'W/"abc"'}, 412),
        ({"If-Match": '"x"'}, 412),
        ({"If-Match": '"x"', "If-None-Match": '"abc"'}, 412),
        ({"If-Range": '"abc"', "Range": "bytes=0-1"}, 206),
        ({"If-Range": 'W/"abc"', "Range": "bytes=0-1"}, 200),
        ({"If-Range": '"x"', "Range": "bytes=0-1"}, 200),
        ({"If-Range": '"x"', "Range": "bytes=100-"}, 200),
        ({"If-Range": "Wed, 21 Oct 2026 07:28:00 GMT", "Range": "bytes=0-1"}, 200),
        ({"If-Range": '"abc"'}, 200),
        ({"If-Modified-Since": "Wed, 21 Oct 2026 07:28:00 GMT"}, 200),
    ],
)
def test_condition_on_the_entity_tag(headers: dict[str, str], status: int) -> None:
    assert answer("GET", headers, TAG, 100).status == status


def test_range_of_nothing_is_never_satisfiable() -> None:
    assert answer("GET", {"Range": "bytes=-5"}, TAG, 0).status == 416
    assert answer("GET", {"Range": "bytes=0-"}, TAG, 0).status == 416


def test_head_passes_over_the_range() -> None:
    assert answer("HEAD", {"Range": "bytes=0-1"}, TAG, 100) == answer("HEAD", {}, TAG, 100)


@given(st.text(max_size=50) | st.from_regex(r"bytes=[0-9]{0,5}-[0-9]{0,5}", fullmatch=True), st.integers(0, 300))
def test_any_range_stays_within_the_bytes(field: str, size: int) -> None:
    found = answer("GET", {"Range": field}, TAG, size)
    assert found.status in (200, 206, 416)
    assert 0 <= found.start <= found.end <= size
    assert found.status != 206 or found.start < found.end
