"""What an account is, and which e-mail addresses, names and passwords are accepted."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ottserver.errors import FieldError, Invalid

if TYPE_CHECKING:
    from datetime import datetime

    from ottserver.identity import Role

EMAIL_LIMIT = 254
"""Characters, RFC 5321 section 4.5.3.1.3 less the angle brackets."""
LOCAL_PART_LIMIT = 64
LABEL_LIMIT = 63
NAME_LIMIT = 80
PASSWORD_MINIMUM = 10
PASSWORD_LIMIT = 256
DEVICE_LIMIT = 200

_LABEL = re.compile(r"[^\W_](?:[\w-]*[^\W_])?")
_LOCAL_FORBIDDEN = frozenset('()<>[]:;,\\"')

# Controls, line ends, and what turns or hides the text beside it; not the joiners, which many scripts and emoji need.
_UNSEEN = r"\u0000-\u001f\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
NAME_PATTERN = rf"^[^{_UNSEEN}]*[^\s{_UNSEEN}][^{_UNSEEN}]*$"
"""A name with at least one character to see, in the regular expressions of JSON Schema."""


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """What the operator decides about accounts."""

    secret: bytes = field(repr=False)
    """At least 32 unguessable bytes; keys for every purpose are derived from it."""
    access_token_seconds: int = 900
    refresh_token_days: int = 30
    bcrypt_rounds: int = 12
    """Binary logarithm of the work one password costs."""
    registration: bool = True
    """Whether anybody may make an account; else only operators do."""


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who can sign in."""

    id: str
    email: str
    name: str
    role: Role
    created_at: datetime
    disabled_at: datetime | None = None
    """Since when whoever runs the server lets them in no more."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account together with what its password is checked against."""

    account: Account
    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in device: a family of refresh tokens of which only the newest is good."""

    id: str
    account_id: str
    device: str
    created_at: datetime
    last_used_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What signing in gives: an access token good for `expires_in` seconds, and the one to renew it with."""

    user_id: str
    token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int


def accepted_email(text: str) -> str:
    """The address as it is kept: trimmed and in Unicode's composed form (NFC). Raises `ValueError` with a sentence.

    A plain `local@domain` is asked for: no provider hands out the quoted and commented forms of RFC 5322.
    """
    email = unicodedata.normalize("NFC", text.strip())
    local, _, domain = email.rpartition("@")
    if not local or not domain or "@" in local:
        message = "An e-mail address has exactly one @, with something on both sides."
        raise ValueError(message)
    if len(email) > EMAIL_LIMIT or len(email_key(email)) > EMAIL_LIMIT or len(local) > LOCAL_PART_LIMIT:
        message = f"An e-mail address has at most {EMAIL_LIMIT} characters, {LOCAL_PART_LIMIT} of them before the @."
        raise ValueError(message)
    if any(c.isspace() or not c.isprintable() or c in _LOCAL_FORBIDDEN for c in local) or "" in local.split("."):
        message = "The part of the e-mail address before the @ holds a character, or a dot, that cannot stand there."
        raise ValueError(message)
    labels = domain.split(".")
    named = all(_LABEL.fullmatch(label) and len(label) <= LABEL_LIMIT for label in labels)
    if not named or (len(labels) == 1 and domain.casefold() != "localhost"):
        message = "The part of the e-mail address after the @ is no domain name, such as example.com."
        raise ValueError(message)
    return email


def email_key(email: str) -> str:
    """What two spellings of one address have in common (Unicode's NFKC and case folding): the key that is unique."""
    whole = email.strip().encode(errors="replace").decode()  # a shell's arguments may hold what no database takes
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", whole).casefold())


def accepted_name(text: str) -> str:
    """The name as it is kept: in NFC, each run of white space as one space. Raises `ValueError` with a sentence."""
    if not re.fullmatch(NAME_PATTERN, text) or _broken(text):
        message = "A name has a character that can be seen, and neither line ends nor control characters."
        raise ValueError(message)
    name = unicodedata.normalize("NFC", " ".join(text.split()))
    if len(name) > NAME_LIMIT:
        message = f"A name has at most {NAME_LIMIT} characters."
        raise ValueError(message)
    return name


def accepted_password(text: str) -> str:
    """The password as it is hashed: in NFKC, so that every keyboard spells it alike (NIST SP 800-63B section 5.1.1.2).

    Raises `ValueError` with a sentence, which never holds the password.
    """
    if not PASSWORD_MINIMUM <= len(text) <= PASSWORD_LIMIT:
        message = f"A password has {PASSWORD_MINIMUM} to {PASSWORD_LIMIT} characters."
        raise ValueError(message)
    return hashable_password(text)


def hashable_password(text: str) -> str:
    """A password that is to be checked, spelt as `accepted_password` spells it. Raises `ValueError` with a sentence."""
    if _broken(text):
        message = "A password holds only whole Unicode characters."
        raise ValueError(message)
    return unicodedata.normalize("NFKC", text)


def _broken(text: str) -> bool:
    """Whether it holds surrogates, which UTF-8 cannot write."""
    return any("\ud800" <= c <= "\udfff" for c in text)


def device_name(user_agent: str) -> str:
    """How a client calls itself, made safe to store and to show."""
    return "".join(c for c in user_agent if c.isprintable()).strip()[:DEVICE_LIMIT]


_RULES = {"email": accepted_email, "name": accepted_name, "password": accepted_password}


def accepted(**fields: str) -> dict[str, str]:
    """Those of `email`, `name` and `password` that are given, as they are kept.

    Raises `Invalid`, which names every one that is not accepted.
    """
    kept: dict[str, str] = {}
    wrong: list[FieldError] = []
    for field_, text in fields.items():
        try:
            kept[field_] = _RULES[field_](text)
        except ValueError as error:
            wrong.append(FieldError(field_, str(error)))
    if wrong:
        raise Invalid(" ".join(error.message for error in wrong), errors=tuple(wrong))
    return kept
