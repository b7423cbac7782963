from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ottserver.accounts.passwords import THREADS, WAITING_LIMIT, PasswordHasher
from ottserver.errors import Busy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def hasher() -> AsyncIterator[PasswordHasher]:
    opened = PasswordHasher(4)
    yield opened
    await opened.close()


@pytest.mark.parametrize("password", ["correct horse", "p\u00e4ssw\u00f6rd \U0001f600", "nul \u0000 inside", "x" * 256])
async def test_only_the_same_password_fits(hasher: PasswordHasher, password: str) -> None:
    known = await hasher.hash(password)
    assert known.startswith("$bcrypt-sha256$")
    assert password not in known
    assert await hasher.verify(password, known) == (True, None)
    assert (await hasher.verify(password[:-1], known))[0] is False  # bcrypt alone would not look past 72 bytes


async def test_no_password_fits_nobody(hasher: PasswordHasher) -> None:
    assert (await hasher.verify("", None))[0] is False
    assert (await hasher.verify("any password", None))[0] is False


async def test_a_hash_weaker_than_todays_is_replaced_when_its_password_fits(hasher: PasswordHasher) -> None:
    stronger = PasswordHasher(5)
    weak = await hasher.hash("correct horse")
    fits, replacement = await stronger.verify("correct horse", weak)
    assert fits
    assert replacement
    assert await stronger.verify("correct horse", replacement) == (True, None)
    assert await stronger.verify("wrong", weak) == (False, None)
    await stronger.close()


async def test_a_crowd_is_refused_rather_than_kept_waiting(hasher: PasswordHasher) -> None:
    crowd = THREADS + WAITING_LIMIT + 5
    answers = await asyncio.gather(*(hasher.hash("correct horse") for _ in range(crowd)), return_exceptions=True)
    assert sum(isinstance(answer, Busy) for answer in answers) == 5
    assert sum(isinstance(answer, str) for answer in answers) == crowd - 5
    assert isinstance(await hasher.hash("afterwards"), str)
