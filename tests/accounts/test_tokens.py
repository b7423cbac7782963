from __future__ import annotations

import base64
import json
import time

import jwt
import pytest
from hypothesis import example, given, strategies as st

from ottserver.accounts.tokens import AccessTokens, derive_key, same_code, set_up_code
from ottserver.errors import NotAuthenticated
from ottserver.identity import Principal
from ottserver.ids import new_id

SECRET = b"a secret of thirty-two bytes long"
ACCOUNT, SESSION = new_id(), new_id()
TOKENS = AccessTokens([SECRET], 900)
KEY = derive_key(SECRET, "ottserver access token")
GOOD = TOKENS.issue(ACCOUNT, "member", SESSION)
HEADERS = {"kid": jwt.get_unverified_header(GOOD)["kid"]}
CLAIMS = jwt.decode(GOOD, KEY, ["HS256"])


def test_a_token_says_whose_it_is() -> None:
    assert TOKENS.read(GOOD) == Principal(ACCOUNT, "member", SESSION)
    assert sorted(CLAIMS) == ["exp", "iat", "iss", "jti", "role", "sid", "sub"]
    assert CLAIMS["exp"] - CLAIMS["iat"] == 900


def test_an_expired_token_is_refused_and_says_so() -> None:
    expired = jwt.encode(CLAIMS | {"exp": int(time.time()) - 1}, KEY, "HS256", HEADERS)
    with pytest.raises(NotAuthenticated, match="expired"):
        TOKENS.read(expired)


def test_a_token_that_was_read_before_expires_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    token = jwt.encode(CLAIMS | {"exp": int(time.time()) + 60}, KEY, "HS256", HEADERS)
    assert TOKENS.read(token) == TOKENS.read(token)
    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(NotAuthenticated, match="expired"):
        TOKENS.read(token)


@pytest.mark.parametrize("missing", sorted(CLAIMS))
def test_a_token_without_one_of_its_claims_is_refused(missing: str) -> None:
    rest = {name: value for name, value in CLAIMS.items() if name != missing}
    with pytest.raises(NotAuthenticated):
        TOKENS.read(jwt.encode(rest, KEY, "HS256", HEADERS))


@pytest.mark.parametrize(
    "claims",
    [
        {"role": "emperor"},
        {"role": ["owner"]},
        {"sub": "me"},
        {"sid": 7},
        {"sid": "x"},
        {"iss": "other"},
        {"exp": "never"},
    ],
)
def test_a_token_with_a_claim_that_makes_no_sense_is_refused(claims: dict[str, object]) -> None:
    with pytest.raises(NotAuthenticated):
        TOKENS.read(jwt.encode(CLAIMS | claims, KEY, "HS256", HEADERS))


def test_only_the_pinned_algorithm_is_accepted() -> None:
    for algorithm in ("HS384", "HS512"):
        with pytest.raises(NotAuthenticated):
            TOKENS.read(jwt.encode(CLAIMS, KEY * 2, algorithm, HEADERS))
    with pytest.raises(NotAuthenticated):
        TOKENS.read(jwt.encode(CLAIMS, None, "none", HEADERS))


def test_a_token_of_another_server_is_refused() -> None:
    with pytest.raises(NotAuthenticated):
        AccessTokens([b"another secret of thirty-two byte"], 900).read(GOOD)


def test_a_token_signed_before_the_secret_was_replaced_is_good_while_the_old_one_is_known() -> None:
    rotated = AccessTokens([b"the next secret, 32 bytes or more", SECRET], 900)
    assert rotated.read(GOOD).account_id == ACCOUNT
    assert rotated.read(rotated.issue(ACCOUNT, "owner", SESSION)).role == "owner"
    with pytest.raises(NotAuthenticated):
        TOKENS.read(rotated.issue(ACCOUNT, "owner", SESSION))


def deep_header() -> str:
    header = base64.urlsafe_b64encode(b'{"kid":' + b"[" * 600).decode()
    return f"{header}.e30.x"


@given(st.one_of(st.text(), st.text("abc._-=", max_size=60)))
@example("")
@example("..")
@example("a.b.c")
@example(base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": {}}).encode()).decode() + ".e30.x")
@example(deep_header())
@example("é.é.é")
def test_no_text_is_a_token_or_breaks_the_reader(text: str) -> None:
    with pytest.raises(NotAuthenticated):
        TOKENS.read(text)


@given(st.integers(0, len(GOOD) - 2), st.characters(categories=["L", "N", "P"]))
def test_a_token_with_one_character_changed_is_refused(at: int, character: str) -> None:
    mangled = GOOD[:at] + character + GOOD[at + 1 :]
    if mangled == GOOD:
        return
    with pytest.raises(NotAuthenticated):
        TOKENS.read(mangled)


def test_the_set_up_code_is_short_and_every_server_has_its_own() -> None:
    code = set_up_code(SECRET)
    assert len(code) == 11
    assert code != set_up_code(b"another secret of thirty-two byte")
    assert same_code(f" {code.lower()} ", code)
    assert same_code(code.replace("-", ""), code)
    assert not same_code(code[:-1], code)


@given(st.text())
def test_no_other_text_is_the_set_up_code(text: str) -> None:
    assert not same_code(text, set_up_code(SECRET))
