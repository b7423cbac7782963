from __future__ import annotations

import pytest
from hypothesis import example, given, strategies as st

from ottserver.accounts.models import (
    AccountSettings,
    SignedIn,
    accepted,
    accepted_email,
    accepted_name,
    accepted_password,
    device_name,
    email_key,
)
from ottserver.errors import Invalid


@pytest.mark.parametrize(
    "email",
    [
        "ada@example.com",
        "ada.lovelace+films@mail.example.co.uk",
        "o'hara@example.com",
        "root@localhost",
        "josé@exämple.com",
        "用户@例子.公司",
        "a@1and1.com",
        "x" * 64 + "@example.com",
    ],
)
def test_ordinary_addresses_are_accepted_as_they_are(email: str) -> None:
    assert accepted_email(email) == email


@pytest.mark.parametrize(
    "email",
    [
        "",
        "ada",
        "@",
        "ada@",
        "@example.com",
        "a@b@example.com",
        "ada@example",
        "ada@.com",
        "ada@example..com",
        "ada@-example.com",
        "ada@example-.com",
        "ada@exa mple.com",
        "ada lovelace@example.com",
        ".ada@example.com",
        "ada.@example.com",
        "a..b@example.com",
        "ada\u0000@example.com",
        "ada\u202e@example.com",
        "ada\n@example.com",
        "ada@example.com\u0000",
        '"ada"@example.com',
        "ada@[127.0.0.1]",
        "ada@exam_ple!.com",
        "x" * 65 + "@example.com",
        "a@" + "x" * 64 + ".com",
        "a@" + "x." * 130 + "com",
        "\ud800@example.com",
    ],
)
def test_what_is_no_address_is_refused_in_a_sentence(email: str) -> None:
    with pytest.raises(ValueError, match=r"e-mail address .*\.$"):
        accepted_email(email)


@given(st.one_of(st.text(), st.emails(), st.tuples(st.text(max_size=8), st.text(max_size=8)).map("@".join)))
@example("ﷺ" * 60 + "@example.com")
def test_an_accepted_address_fits_its_column_and_stays_what_it_is(text: str) -> None:
    try:
        email = accepted_email(text)
    except ValueError:
        return
    assert len(email) <= 254
    assert len(email_key(email)) <= 254
    assert accepted_email(email) == email
    assert email_key(email) == email_key(text) == email_key(email_key(email))
    email.encode()


@pytest.mark.parametrize(
    ("first", "second"), [("Ada@Example.COM", " ada@example.com"), ("jose\u0301@e.com", "jos\u00e9@E.com")]
)
def test_spellings_of_one_address_share_a_key(first: str, second: str) -> None:
    assert email_key(accepted_email(first)) == email_key(accepted_email(second))


@given(st.text())
def test_an_accepted_name_is_one_printable_line_that_fits_its_column(text: str) -> None:
    try:
        name = accepted_name(text)
    except ValueError:
        return
    assert 1 <= len(name) <= 80
    assert name == accepted_name(name)
    assert name.splitlines() == [name]
    name.encode()


@pytest.mark.parametrize("name", ["Ada", "María José", "Ольга", "कॄष्\u200dण", "李小龍", "👩\u200d🚀"])
def test_names_of_the_world_are_accepted(name: str) -> None:
    assert accepted_name(name) == name


@given(st.text())
def test_an_accepted_password_can_be_hashed(text: str) -> None:
    try:
        password = accepted_password(text)
    except ValueError:
        return
    password.encode()


@given(st.text(st.characters(codec=None, categories=None), max_size=20))
@example("\ud800@example.com")
def test_any_text_can_be_looked_up_as_an_address(text: str) -> None:
    email_key(text).encode()


def test_every_wrong_field_is_named_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        accepted(email="nobody", name="", password="short")
    assert [error.field for error in refused.value.errors] == ["email", "name", "password"]


def test_secrets_do_not_show_when_things_are_printed() -> None:
    settings = AccountSettings(secret=b"hidden-secret")
    signed_in = SignedIn("id", "hidden-token", "hidden-refresh", 900)
    assert "hidden" not in repr((settings, signed_in))


@given(st.text())
def test_any_user_agent_becomes_a_device_name_that_fits_its_column(text: str) -> None:
    name = device_name(text)
    assert len(name) <= 200
    assert name == "" or name.isprintable()
    name.encode()
