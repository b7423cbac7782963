"""What lets somebody in: signed access tokens, opaque refresh tokens, and the code that makes the first owner."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from typing import TYPE_CHECKING, Any, get_args

import jwt

from ottserver.errors import NotAuthenticated
from ottserver.identity import Principal, Role
from ottserver.ids import is_id, new_id

if TYPE_CHECKING:
    from collections.abc import Sequence

ALGORITHM = "HS256"
ISSUER = "ottserver"
CLAIMS = ["sub", "sid", "role", "iat", "exp", "jti", "iss"]
TOKEN_LIMIT = 1024
"""Characters; what is longer was not made here and is not parsed."""
REFRESH_TOKEN_BYTES = 32
MEMO_LIMIT = 4_000
CODE_GROUP = 5


def derive_key(secret: bytes, label: str) -> bytes:
    """32 bytes for one purpose: HKDF-Expand of RFC 5869 section 2.3 with one block, `secret` being random already."""
    return hmac.digest(secret, label.encode() + b"\x01", "sha256")


class AccessTokens:
    """JSON Web Tokens (RFC 7519) under HMAC-SHA-256; the `kid` header says which secret signed one."""

    def __init__(self, secrets_: Sequence[bytes], seconds: int) -> None:
        """The first secret signs, all of them verify; a token is good for `seconds`."""
        keys = {
            derive_key(secret, "ottserver access token key id")[:6].hex(): derive_key(secret, "ottserver access token")
            for secret in secrets_
        }
        self._keys = keys
        self._kid, self._key = next(iter(keys.items()))
        self._seconds = seconds
        self._known: dict[str, tuple[Principal, float]] = {}
        """Tokens that were found genuine, and when they expire: parsing one costs as much as many a call."""

    def issue(self, account_id: str, role: Role, session_id: str) -> str:
        """A token for this account, in this role, on this signed-in device."""
        now = int(time.time())
        claims = {
            "sub": account_id,
            "sid": session_id,
            "role": role,
            "iat": now,
            "exp": now + self._seconds,
            "jti": new_id(),
            "iss": ISSUER,
        }
        return jwt.encode(claims, self._key, ALGORITHM, headers={"kid": self._kid})

    def read(self, token: str) -> Principal:
        """Who the token was issued to. Raises `NotAuthenticated` when it is forged, damaged or expired."""
        known = self._known.get(token)
        if known is not None:
            if known[1] <= time.time():
                del self._known[token]
                raise _expired()
            return known[0]
        if len(token) > TOKEN_LIMIT or not token.isascii():
            raise _not_ours()
        try:
            key = self._keys.get(str(jwt.get_unverified_header(token).get("kid")))
            if key is None:
                raise _not_ours()
            # `iat` is ours and signed; comparing it with the clock would only punish machines whose clocks differ.
            claims = jwt.decode(
                token,
                key,
                [ALGORITHM],
                issuer=ISSUER,
                options={"require": CLAIMS, "verify_iat": False, "strict_aud": False},
            )
        except jwt.ExpiredSignatureError as error:
            raise _expired() from error
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise _not_ours() from error
        principal = _principal(claims)
        if len(self._known) >= MEMO_LIMIT:
            del self._known[next(iter(self._known))]
        self._known[token] = principal, float(claims["exp"])
        return principal


def _principal(claims: dict[str, Any]) -> Principal:
    account_id, session_id, role = claims["sub"], claims["sid"], claims["role"]
    if not (isinstance(session_id, str) and is_id(account_id) and is_id(session_id) and role in get_args(Role)):
        raise _not_ours()
    return Principal(account_id, role, session_id)


def _expired() -> NotAuthenticated:
    return NotAuthenticated("The access token has expired; renew it with the refresh token.")


def _not_ours() -> NotAuthenticated:
    return NotAuthenticated("The access token was not issued by this server.")


def new_refresh_token() -> str:
    """256 random bits as URL-safe text of 43 characters."""
    return secrets.token_urlsafe(REFRESH_TOKEN_BYTES)


def token_digest(token: str) -> str:
    """SHA-256 in hexadecimal: what is stored of a refresh token, which is too random to need a salt or slowness."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def set_up_code(secret: bytes) -> str:
    """The code that lets the first visitor become owner, 50 bits in two groups such as "ABCDE-23456"."""
    text = base64.b32encode(derive_key(secret, "ottserver set-up code")).decode()
    return f"{text[:CODE_GROUP]}-{text[CODE_GROUP : 2 * CODE_GROUP]}"


def same_code(given: str, code: str) -> bool:
    """Whether a person typed the code, in any case and spacing; takes the same time wherever they differ."""

    def plain(text: str) -> bytes:
        return "".join(c for c in text.upper() if c.isalnum()).encode(errors="replace")

    return hmac.compare_digest(plain(given), plain(code))
