from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from ottserver.accounts.models import SignedIn
from ottserver.backends.bus import open_bus
from ottserver.errors import Busy, NotAuthenticated
from ottserver.events import AccountCreated, AccountDeleted, AccountFact
from tests.accounts.support import PASSWORD, running

if TYPE_CHECKING:
    from pathlib import Path

    from ottserver.accounts.service import AccountService
    from ottserver.backends.cache import Cache
    from ottserver.backends.database import Database

TABLES = ("accounts", "account_sessions", "account_refresh_tokens", "outbox")


def rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All that the file holds about accounts."""
    with closing(sqlite3.connect(path / "ott.db")) as file:
        return {table: file.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}  # noqa: S608 - own names


def a_month_passes(path: Path) -> None:
    """Put every session's last use, and its end, long ago."""
    with closing(sqlite3.connect(path / "ott.db")) as file, file:
        file.execute("UPDATE account_sessions SET last_used_at = '2020-01-01 00:00:00.000000'")


async def test_what_becomes_of_an_account_is_announced(database: Database, service: AccountService) -> None:
    heard: list[AccountFact] = []
    bus = open_bus("outbox://", database)

    async def hear(fact: AccountFact) -> None:
        heard.append(fact)

    bus.subscribe("listener", AccountCreated, hear)
    bus.subscribe("listener", AccountDeleted, hear)
    admin = await service.create_account("admin@example.com", "Admin", PASSWORD, "admin")
    ada = await service.register("ada@example.com", PASSWORD, "Ada")
    await service.delete(await service.authenticate(ada.token))
    async with bus.running():
        await bus.drained()
    assert sorted(heard, key=repr) == sorted(
        [AccountCreated(admin.id, "admin"), AccountCreated(ada.user_id, "member"), AccountDeleted(ada.user_id)],
        key=repr,
    )


async def test_deleted_account_leaves_no_personal_data_behind(service: AccountService, tmp_path: Path) -> None:
    ada = await service.register("ada@example.com", PASSWORD, "Ada Lovelace", device="Ada's telescope")
    held = str(await asyncio.to_thread(rows, tmp_path))
    assert "ada@example.com" in held
    assert "telescope" in held
    await service.delete(await service.authenticate(ada.token))
    held = str(await asyncio.to_thread(rows, tmp_path))
    for personal in ("ada@example.com", "Lovelace", "telescope", "$bcrypt"):
        assert personal not in held


async def test_neither_password_nor_tokens_are_in_the_database(service: AccountService, tmp_path: Path) -> None:
    ada = await service.register("ada@example.com", PASSWORD, "Ada")
    held = str(await asyncio.to_thread(rows, tmp_path))
    for secret in (PASSWORD, ada.token, ada.refresh_token):
        assert secret not in held


async def test_sessions_nobody_can_renew_any_more_are_forgotten(
    database: Database, cache: Cache, tmp_path: Path
) -> None:
    async with running(database, cache) as service:
        old = await service.register("ada@example.com", PASSWORD, "Ada")
    await asyncio.to_thread(a_month_passes, tmp_path)
    async with running(database, cache) as service:
        await service.login("ada@example.com", PASSWORD)
        held = await asyncio.to_thread(rows, tmp_path)
        assert len(held["account_sessions"]) == len(held["account_refresh_tokens"]) == 1
        with pytest.raises(NotAuthenticated):
            await service.sessions.refresh(old.refresh_token)


async def test_nobody_signs_in_to_an_account_that_is_deleted_meanwhile(service: AccountService) -> None:
    ada = await service.register("ada@example.com", PASSWORD, "Ada")
    principal = await service.authenticate(ada.token)
    crowd = [service.login("ada@example.com", PASSWORD) for _ in range(40)]  # enough to be still at it when it happens
    logins = asyncio.gather(*crowd, return_exceptions=True)
    await asyncio.sleep(0)
    await service.delete(principal)
    for signed_in in await logins:
        if isinstance(signed_in, SignedIn):
            with pytest.raises(NotAuthenticated):
                await service.authenticate(signed_in.token)
        else:
            assert isinstance(signed_in, (NotAuthenticated, Busy))


async def test_an_account_is_found_by_any_spelling_of_its_address(service: AccountService) -> None:
    made = await service.create_account("Ada@example.com", "Ada", PASSWORD, "admin")
    assert await service.find_by_email(" ADA@EXAMPLE.COM ") == made
    assert await service.find_by_email("\udcff@example.com") is None
    assert await service.list_accounts() == [made]
