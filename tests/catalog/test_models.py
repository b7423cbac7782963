from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ottserver.catalog.models import slug, unique


@given(st.text(max_size=60))
def test_slug_of_a_slug_is_itself(genre: str) -> None:
    assert slug(slug(genre)) == slug(genre)


@pytest.mark.parametrize(
    ("genre", "expected"),
    [("Sci-Fi & Fantasy", "sci-fi-fantasy"), ("  Comedy ", "comedy"), ("नाटक", "नाटक"), ("../etc", "etc"), ("!?", "")],
)
def test_slug_can_stand_in_an_address(genre: str, expected: str) -> None:
    assert slug(genre) == expected


def test_names_are_kept_once_in_their_order_and_first_spelling() -> None:
    assert unique(["Drama", "Comedy", "drama", "COMEDY", "Short"]) == ("Drama", "Comedy", "Short")
