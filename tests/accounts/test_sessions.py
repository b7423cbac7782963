from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ottserver.accounts import revocations
from ottserver.accounts.models import SignedIn
from ottserver.accounts.sessions import DEVICES_LIMIT
from ottserver.backends.cache.memory import MemoryCache
from ottserver.backends.database.sqlite import READERS
from ottserver.errors import Conflict, NotAuthenticated
from tests.accounts.support import PASSWORD, SETTINGS, running

if TYPE_CHECKING:
    from ottserver.accounts.service import AccountService
    from ottserver.backends.cache import Cache
    from ottserver.backends.database import Database


class CacheDown(MemoryCache):
    """A cache that no call reaches."""

    async def get(self, key: str) -> bytes | None:
        """Fail as a network does."""
        raise ConnectionError(key)

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """Fail as a network does."""
        raise ConnectionError(key, value, ttl)


async def ada(service: AccountService) -> SignedIn:
    return await service.register("ada@example.com", PASSWORD, "Ada")


async def test_refresh_gives_new_tokens_of_the_same_session(service: AccountService) -> None:
    first = await ada(service)
    second = await service.sessions.refresh(first.refresh_token)
    assert second.refresh_token != first.refresh_token
    before, after = await service.authenticate(first.token), await service.authenticate(second.token)
    assert before.session_id == after.session_id
    assert (await service.sessions.refresh(second.refresh_token)).user_id == first.user_id


async def test_reuse_of_a_spent_refresh_token_ends_the_whole_session(service: AccountService) -> None:
    first = await ada(service)
    second = await service.sessions.refresh(first.refresh_token)
    with pytest.raises(NotAuthenticated, match="used before"):
        await service.sessions.refresh(first.refresh_token)
    with pytest.raises(NotAuthenticated):
        await service.sessions.refresh(second.refresh_token)
    for token in (first.token, second.token):
        with pytest.raises(NotAuthenticated, match="ended"):
            await service.authenticate(token)


async def test_of_simultaneous_refreshes_exactly_one_wins_and_the_session_ends(service: AccountService) -> None:
    first = await ada(service)
    results = await asyncio.gather(
        *(service.sessions.refresh(first.refresh_token) for _ in range(8)), return_exceptions=True
    )
    won = [result for result in results if isinstance(result, SignedIn)]
    assert len(won) == 1
    assert sum(isinstance(result, NotAuthenticated) for result in results) == 7
    with pytest.raises(NotAuthenticated):
        await service.sessions.refresh(won[0].refresh_token)


async def test_a_refresh_token_that_was_never_given_ends_nothing(service: AccountService) -> None:
    first = await ada(service)
    for text in ("", "x", "\ud800", first.refresh_token + "x", first.token):
        with pytest.raises(NotAuthenticated):
            await service.sessions.refresh(text)
    assert await service.sessions.refresh(first.refresh_token) is not None


async def test_an_expired_refresh_token_is_refused(database: Database, cache: Cache) -> None:
    async with running(database, cache, replace(SETTINGS, refresh_token_days=0)) as service:
        first = await ada(service)
        with pytest.raises(NotAuthenticated):
            await service.sessions.refresh(first.refresh_token)


async def test_restart_does_not_revive_an_ended_session(database: Database) -> None:
    async with running(database, MemoryCache()) as service:
        phone, tablet = await ada(service), await service.login("ada@example.com", PASSWORD)
        principal = await service.authenticate(phone.token)
        await service.sessions.end(principal.account_id, principal.session_id)
    async with running(database, MemoryCache()) as restarted:
        with pytest.raises(NotAuthenticated):
            await restarted.authenticate(phone.token)
        assert await restarted.authenticate(tablet.token) is not None


async def test_restart_does_not_revive_a_deleted_account(database: Database) -> None:
    async with running(database, MemoryCache()) as service:
        phone = await ada(service)
        await service.delete(await service.authenticate(phone.token))
    async with running(database, MemoryCache()) as restarted:
        with pytest.raises(NotAuthenticated):
            await restarted.authenticate(phone.token)


async def test_what_one_process_ends_another_refuses(database: Database, cache: Cache) -> None:
    async with running(database, cache) as one, running(database, cache) as other:
        phone = await ada(one)
        principal = await other.authenticate(phone.token)
        await one.sessions.end(principal.account_id, principal.session_id)
        with pytest.raises(NotAuthenticated):
            await other.authenticate(phone.token)


async def test_while_the_cache_is_down_the_database_says_what_has_ended(database: Database) -> None:
    async with running(database, CacheDown()) as one, running(database, CacheDown()) as other:
        phone, tablet = await ada(one), await one.login("ada@example.com", PASSWORD)
        principal = await other.authenticate(phone.token)
        await one.sessions.end(principal.account_id, principal.session_id)
        with pytest.raises(NotAuthenticated):
            await other.authenticate(phone.token)
        assert await other.authenticate(tablet.token) is not None


async def test_while_neither_cache_nor_database_answers_signed_in_people_stay_so(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocations, "DATABASE_WAIT_SECONDS", 0.05)
    async with running(database, CacheDown()) as service, AsyncExitStack() as stack:
        phone, tablet = await ada(service), await service.login("ada@example.com", PASSWORD)
        principal = await service.authenticate(phone.token)
        await service.sessions.end(principal.account_id, principal.session_id)
        for _ in range(READERS):  # nobody else gets a connection
            await stack.enter_async_context(database.reading())
        assert await service.authenticate(tablet.token) is not None
        with pytest.raises(NotAuthenticated):
            await service.authenticate(phone.token)


async def test_one_device_more_than_the_limit_signs_out_the_one_used_longest_ago(service: AccountService) -> None:
    devices = [await ada(service)]
    devices += [await service.login("ada@example.com", PASSWORD) for _ in range(DEVICES_LIMIT - 1)]
    devices[0] = await service.sessions.refresh(devices[0].refresh_token)
    await service.login("ada@example.com", PASSWORD)
    assert await service.authenticate(devices[0].token) is not None
    with pytest.raises(NotAuthenticated):
        await service.authenticate(devices[1].token)
    assert len(await service.sessions.live(devices[0].user_id)) == DEVICES_LIMIT


async def test_of_many_who_set_up_at_once_one_becomes_owner(service: AccountService) -> None:
    code = await service.set_up_code()
    assert code
    results = await asyncio.gather(
        *(service.set_up(code, f"o{n}@example.com", PASSWORD, "O") for n in range(5)), return_exceptions=True
    )
    assert sum(isinstance(result, SignedIn) for result in results) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 4
    assert [account.role for account in await service.list_accounts()] == ["owner"]


async def test_of_many_who_register_one_address_at_once_one_gets_it(service: AccountService) -> None:
    results = await asyncio.gather(*(ada(service) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(result, SignedIn) for result in results) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 4


async def test_two_last_owners_cannot_both_leave(service: AccountService) -> None:
    for n in (1, 2):
        await service.create_account(f"o{n}@example.com", "O", PASSWORD, "owner")
    owners = [await service.authenticate((await service.login(f"o{n}@example.com", PASSWORD)).token) for n in (1, 2)]
    results = await asyncio.gather(*(service.delete(owner) for owner in owners), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "NoneType"]
    assert await service.set_up_code() is None


async def test_a_stronger_work_factor_takes_effect_at_the_next_sign_in(database: Database, cache: Cache) -> None:
    async with running(database, cache) as service:
        await ada(service)
    async with running(database, cache, replace(SETTINGS, bcrypt_rounds=5)) as service:
        await service.login("ada@example.com", PASSWORD)
        async with service.sessions.changing() as change:
            known = await change.accounts.credentials_by_email("ada@example.com")
        assert known
        assert ",r=5$" in known.password_hash
        assert known.password_hash not in repr(known)
        assert await service.login("ada@example.com", PASSWORD) is not None
