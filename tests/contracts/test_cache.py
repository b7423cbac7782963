from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ottserver.backends.cache import memory, open_cache
from ottserver.backends.cache.memory import MemoryCache
from ottserver.errors import SettingsError

if TYPE_CHECKING:
    from ottserver.backends.cache import Cache

SOON = 0.05


async def _expired() -> None:
    """Until what lives `SOON` has ended in any store, those that count in whole milliseconds too."""
    await asyncio.sleep(SOON + 0.02)


async def test_value_is_kept_until_it_is_deleted(cache: Cache) -> None:
    assert await cache.get("k") is None
    await cache.put("k", b"\0\xff", 60)
    assert await cache.get("k") == b"\0\xff"
    await cache.put("k", b"new", 60)
    assert await cache.get("k") == b"new"
    await cache.delete("k")
    await cache.delete("k")
    assert await cache.get("k") is None


async def test_value_expires(cache: Cache) -> None:
    await cache.put("short", b"v", SOON)
    await cache.put("long", b"v", 60)
    await _expired()
    assert await cache.get("short") is None
    assert await cache.get("long") == b"v"


async def test_only_the_first_of_fifty_adders_wins(cache: Cache) -> None:
    won = await asyncio.gather(*(cache.add("k", str(number).encode(), 60) for number in range(50)))
    assert won.count(True) == 1
    assert await cache.get("k") == str(won.index(True)).encode()


async def test_key_can_be_added_again_once_it_has_expired(cache: Cache) -> None:
    assert await cache.add("k", b"1", SOON)
    assert not await cache.add("k", b"2", 60)
    await _expired()
    assert await cache.add("k", b"3", 60)


async def test_fifty_increments_at_once_count_to_fifty(cache: Cache) -> None:
    counts = await asyncio.gather(*(cache.increment("k", 60) for _ in range(50)))
    assert sorted(counts) == list(range(1, 51))


async def test_counter_lives_from_its_first_increment(cache: Cache) -> None:
    await cache.increment("k", SOON)
    await cache.increment("k", 60)
    await _expired()
    assert await cache.increment("k", 60) == 1


async def test_fifty_at_once_take_no_more_leases_than_there_are(cache: Cache) -> None:
    taken = await asyncio.gather(*(cache.lease("g", str(n), b"", ttl=60, limit=2) for n in range(50)))
    assert taken.count(True) == 2
    assert len(await cache.leases("g")) == 2


async def test_holder_takes_its_lease_again_when_all_are_taken(cache: Cache) -> None:
    assert await cache.lease("g", "a", b"tv", ttl=60, limit=1)
    assert await cache.lease("g", "a", b"phone", ttl=60, limit=1)
    assert not await cache.lease("g", "b", b"", ttl=60, limit=1)
    assert await cache.leases("g") == {"a": b"phone"}


async def test_groups_do_not_share_their_leases(cache: Cache) -> None:
    assert await cache.lease("g", "a", b"", ttl=60, limit=1)
    assert await cache.lease("h", "a", b"", ttl=60, limit=1)


async def test_no_lease_of_none(cache: Cache) -> None:
    assert not await cache.lease("g", "a", b"", ttl=60, limit=0)
    assert await cache.leases("g") == {}


async def test_lease_that_expired_makes_room(cache: Cache) -> None:
    assert await cache.lease("g", "a", b"", ttl=SOON, limit=1)
    await _expired()
    assert await cache.leases("g") == {}
    assert not await cache.renew("g", "a", ttl=60)
    assert await cache.lease("g", "b", b"", ttl=60, limit=1)


async def test_renewed_lease_lives_on(cache: Cache) -> None:
    assert await cache.lease("g", "a", b"tv", ttl=SOON, limit=1)
    assert await cache.renew("g", "a", ttl=60)
    await _expired()
    assert await cache.leases("g") == {"a": b"tv"}


async def test_released_lease_makes_room(cache: Cache) -> None:
    await cache.lease("g", "a", b"", ttl=60, limit=1)
    await cache.release("g", "a")
    await cache.release("g", "a")
    assert not await cache.renew("g", "a", ttl=60)
    assert await cache.lease("g", "b", b"", ttl=60, limit=1)


async def test_leases_are_named_oldest_first(cache: Cache) -> None:
    for member in ("b", "a", "c"):
        await cache.lease("g", member, member.encode(), ttl=60, limit=9)
    await cache.renew("g", "b", ttl=90)
    await cache.lease("g", "a", b"again", ttl=90, limit=9)
    assert list((await cache.leases("g")).items()) == [("b", b"b"), ("a", b"again"), ("c", b"c")]


async def test_check_passes_on_an_open_cache(cache: Cache) -> None:
    await cache.check()


@pytest.mark.parametrize("url", ["memcached://host", "memory", ""])
def test_unknown_scheme_is_refused_in_a_sentence(url: str) -> None:
    with pytest.raises(SettingsError, match="cache_url"):
        open_cache(url)


class TestMemory:
    """What only the cache in memory can get wrong: it must not grow."""

    async def test_values_expire_to_the_moment(self) -> None:
        now = 100.0
        cache = MemoryCache(lambda: now)
        await cache.put("k", b"v", 10)
        now = 109.9
        assert await cache.get("k") == b"v"
        now = 110.0
        assert await cache.get("k") is None

    async def test_expired_values_make_room_before_live_ones_go(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(memory, "ENTRIES_LIMIT", 100)
        now = 0.0
        cache = MemoryCache(lambda: now)
        await cache.put("oldest", b"v", 1000)
        for number in range(90):
            await cache.put(f"short {number}", b"v", 10)
        now = 20.0
        for number in range(50):
            await cache.put(f"later {number}", b"v", 10)
        assert await cache.get("oldest") == b"v"
        assert [await cache.get(f"later {number}") for number in range(50)] == [b"v"] * 50

    async def test_oldest_values_go_when_there_are_too_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(memory, "ENTRIES_LIMIT", 100)
        cache = MemoryCache()
        for number in range(1000):
            await cache.put(str(number), b"v", 1000)
        kept = [number for number in range(1000) if await cache.get(str(number)) is not None]
        assert 90 <= len(kept) <= 100
        assert kept == list(range(1000 - len(kept), 1000))

    async def test_groups_whose_leases_have_ended_make_room(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(memory, "GROUPS_LIMIT", 100)
        now = 0.0
        cache = MemoryCache(lambda: now)
        await cache.lease("alive", "a", b"", ttl=10_000, limit=1)
        for number in range(1000):
            now += 1
            await cache.lease(str(number), "a", b"", ttl=10, limit=1)
        assert await cache.leases("alive") == {"a": b""}
        assert len(cache.groups) <= 100
