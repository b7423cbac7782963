"""What `bench cache` holds the edge's store against: four policies that know nothing of films, and two that know all.

Each takes `ask(key, size, number)`, where `number` counts the requests, and says whether the key was there.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Protocol

from scripts.benches._sieve import Sieve

if TYPE_CHECKING:
    from collections.abc import Sequence

NEVER = 1 << 60
_COUNTER_LIMIT = 15
_MUCH = 0.05
"""A change of the hit ratio after which W-TinyLFU's window climbs in whole steps again."""


class Policy(Protocol):
    """A cache of a number of bytes."""

    def ask(self, key: int, size: int, number: int) -> bool:
        """Whether the key was there; it is now, if the policy likes."""
        ...


class Lru:
    """The least recently asked goes."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._sizes: OrderedDict[int, int] = OrderedDict()

    def ask(self, key: int, size: int, number: int) -> bool:  # noqa: ARG002 - the protocol's
        if key in self._sizes:
            self._sizes.move_to_end(key)
            return True
        self._sizes[key] = size
        self._left -= size
        while self._left < 0:
            self._left += self._sizes.popitem(last=False)[1]
        return False


class SievePolicy:
    """SIEVE (Zhang et al., NSDI 2024), as the edge had it before."""

    def __init__(self, limit: int) -> None:
        self._store: Sieve[int] = Sieve(limit)

    def ask(self, key: int, size: int, number: int) -> bool:  # noqa: ARG002 - the protocol's
        if self._store.get(str(key)) is not None:
            return True
        self._store.put(str(key), size, size)
        return False


class S3Fifo:
    """S3-FIFO (Yang et al., SOSP 2023): a tenth is a queue for newcomers, with a ghost queue of what has left it."""

    def __init__(self, limit: int) -> None:
        self._small_limit, self._main_limit = limit // 10, limit - limit // 10
        self._small: deque[int] = deque()
        self._main: deque[int] = deque()
        self._ghost: OrderedDict[int, int] = OrderedDict()
        self._known: dict[int, list[int]] = {}
        self._small_bytes = self._main_bytes = self._ghost_bytes = 0

    def ask(self, key: int, size: int, number: int) -> bool:  # noqa: ARG002 - the protocol's
        known = self._known.get(key)
        if known is not None:
            known[1] = min(known[1] + 1, 3)
            return True
        self._known[key] = [size, 0]
        if key in self._ghost:
            self._ghost_bytes -= self._ghost.pop(key)
            self._main.append(key)
            self._main_bytes += size
        else:
            self._small.append(key)
            self._small_bytes += size
        while self._small_bytes + self._main_bytes > self._small_limit + self._main_limit:
            if self._small_bytes > self._small_limit or not self._main:
                self._leave_small()
            else:
                self._leave_main()
        return False

    def _leave_small(self) -> None:
        key = self._small.popleft()
        size, asked = self._known[key]
        self._small_bytes -= size
        if asked > 1:
            self._known[key][1] = 0
            self._main.append(key)
            self._main_bytes += size
            while self._main_bytes > self._main_limit:
                self._leave_main()
            return
        del self._known[key]
        self._ghost[key] = size
        self._ghost_bytes += size
        while self._ghost_bytes > self._main_limit:
            self._ghost_bytes -= self._ghost.popitem(last=False)[1]

    def _leave_main(self) -> None:
        while True:
            key = self._main.popleft()
            size, asked = self._known[key]
            if not asked:
                del self._known[key]
                self._main_bytes -= size
                return
            self._known[key][1] = asked - 1
            self._main.append(key)


class _Sketch:
    """Count-min with four rows of counters up to 15, all halved when ten times as much was counted as is cached."""

    def __init__(self, width: int) -> None:
        self._mask = (1 << max(10, width.bit_length())) - 1
        self._rows = [bytearray(self._mask + 1) for _ in range(4)]
        self._counted, self._limit = 0, 10 * width
        self._halve = bytes(n // 2 for n in range(256))

    def _places(self, key: int) -> list[int]:
        mixed = (key + 1) * 0x9E3779B97F4A7C15 & (1 << 64) - 1
        mixed ^= mixed >> 32
        return [mixed * salt >> 7 & self._mask for salt in (0x1B873593, 0x2545F491, 0x7FEB352D, 0x846CA68B)]

    def add(self, key: int) -> None:
        for row, place in zip(self._rows, self._places(key), strict=True):
            if row[place] < _COUNTER_LIMIT:
                row[place] += 1
        self._counted += 1
        if self._counted >= self._limit:
            self._counted //= 2
            self._rows = [bytearray(row.translate(self._halve)) for row in self._rows]

    def count(self, key: int) -> int:
        return min(row[place] for row, place in zip(self._rows, self._places(key), strict=True))


class TinyLfu:
    """W-TinyLFU as Caffeine has it: a window whose size climbs after the hit ratio, and a segmented LRU behind it.

    Where a newcomer from the window and those it would push out are asked for equally often, the newcomer goes.
    """

    def __init__(self, limit: int, mean_size: int) -> None:
        self._limit = limit
        self._sketch = _Sketch(max(1000, limit // mean_size))
        self._window: OrderedDict[int, int] = OrderedDict()
        self._trial: OrderedDict[int, int] = OrderedDict()
        self._safe: OrderedDict[int, int] = OrderedDict()
        self._bytes = {"window": 0, "trial": 0, "safe": 0}
        self._window_share, self._step = 0.01, 0.0625
        self._sample = max(1000, 10 * (limit // mean_size))
        self._asked = self._hits = 0
        self._before = 0.0

    def ask(self, key: int, size: int, number: int) -> bool:  # noqa: ARG002 - the protocol's
        self._sketch.add(key)
        there = self._touch(key, size)
        if not there and size <= self._limit:
            self._window[key] = size
            self._bytes["window"] += size
            self._settle()
        self._climb(hit=there)
        return there

    def _touch(self, key: int, size: int) -> bool:
        if key in self._window:
            self._window.move_to_end(key)
        elif key in self._safe:
            self._safe.move_to_end(key)
        elif key in self._trial:
            del self._trial[key]
            self._safe[key] = size
            self._bytes["trial"] -= size
            self._bytes["safe"] += size
            most = 0.8 * (1 - self._window_share) * self._limit
            while self._bytes["safe"] > most:
                other, weight = self._safe.popitem(last=False)
                self._trial[other] = weight
                self._bytes["safe"] -= weight
                self._bytes["trial"] += weight
        else:
            return False
        return True

    def _settle(self) -> None:
        """Let the window's oldest go on, and the less asked for of newcomer and victim out."""
        while self._bytes["window"] > self._window_share * self._limit and self._window:
            candidate, size = self._window.popitem(last=False)
            self._bytes["window"] -= size
            self._trial[candidate] = size
            self._bytes["trial"] += size
            wanted = self._sketch.count(candidate)
            while sum(self._bytes.values()) > self._limit:
                victim = next(iter(self._trial))
                loser = victim if victim == candidate or self._sketch.count(victim) < wanted else candidate
                self._bytes["trial"] -= self._trial.pop(loser)
                if loser == candidate:
                    break
        while sum(self._bytes.values()) > self._limit:
            place, queue = ("trial", self._trial) if self._trial else ("safe", self._safe)
            self._bytes[place] -= queue.popitem(last=False)[1]

    def _climb(self, *, hit: bool) -> None:
        self._asked += 1
        self._hits += hit
        if self._asked < self._sample:
            return
        ratio = self._hits / self._asked
        if ratio < self._before:
            self._step = -self._step
        self._step = 0.98 * self._step if abs(ratio - self._before) < _MUCH else (0.0625 if self._step > 0 else -0.0625)
        self._window_share = min(0.8, max(0.01, self._window_share + self._step))
        self._before, self._asked, self._hits = ratio, 0, 0
        self._settle()


class Belady:
    """Knows the future: what is asked for latest goes, the newcomer itself if it is that (MIN with bypassing).

    Where sizes differ this is no proven optimum, which would be NP-hard, but what can be reached; `ceiling` is what no
    policy can pass.
    """

    def __init__(self, limit: int, following: Sequence[int]) -> None:
        self._left = limit
        self._following = following
        self._held: dict[int, tuple[int, int]] = {}
        self._latest: list[tuple[int, int]] = []

    def ask(self, key: int, size: int, number: int) -> bool:
        there = key in self._held
        following = self._following[number]
        if not there:
            if following >= NEVER:
                return False
            self._left -= size
        self._held[key] = (following, size)
        heapq.heappush(self._latest, (-following, key))
        while self._left < 0:
            latest, victim = heapq.heappop(self._latest)
            held = self._held.get(victim)
            if held is not None and held[0] == -latest:
                self._left += held[1]
                del self._held[victim]
        return there


def following_requests(keys: Sequence[int]) -> list[int]:
    """For each request the number of the next one for the same key, `NEVER` where there is none."""
    following = [NEVER] * len(keys)
    seen: dict[int, int] = {}
    for number in range(len(keys) - 1, -1, -1):
        following[number] = seen.get(keys[number], NEVER)
        seen[keys[number]] = number
    return following


def ceiling(limit: int, sizes: Sequence[int], following: Sequence[int], counted_from: int) -> int:
    """Bytes that any policy can find at most from request `counted_from` on: PFOO-L (Berger et al., SIGMETRICS 2018).

    A cache of L bytes has L x n bytes of room over n requests. Keeping a body until its next use takes its size times
    the requests in between; the shortest waits fill that room first, as if they could be cut to fit.
    """
    room = limit * (len(sizes) - counted_from)
    waits = sorted(
        (following[number] - max(number, counted_from), sizes[number])
        for number in range(len(sizes))
        if counted_from <= following[number] < NEVER
    )
    found = 0
    for wait, size in waits:
        room -= wait * size
        if room < 0:
            break
        found += size
    return found
