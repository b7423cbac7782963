from __future__ import annotations

import langcodes
import pytest

from ottserver.languages import _OWN, language_tag

LONG = [
    (long, tag)
    for tag in _OWN
    if "-" not in tag
    for variant in ("T", "B")
    if (long := langcodes.Language.get(tag).to_alpha3(variant=variant))
]


def test_languages_with_names_are_known_by_all_their_codes() -> None:
    assert len(LONG) > 150
    for code, tag in [*LONG, *((tag, tag) for tag in _OWN)]:
        assert langcodes.standardize_tag(code) == tag
        assert language_tag(code) == language_tag(f" {code.upper()} ") == tag


@pytest.mark.parametrize(
    ("code", "tag"),
    [
        ("", "und"),
        ("UND", "und"),
        ("qaa", "und"),
        ("xx", "und"),
        ("english", "und"),
        ("en_gb", "en-GB"),
        ("eng-US", "en-US"),
        ("PT_br", "pt-BR"),
        ("cmn", "cmn"),
    ],
)
def test_other_codes_are_read_as_bcp_47_says(code: str, tag: str) -> None:
    assert language_tag(code) == tag
