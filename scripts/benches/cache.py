"""Byte-hit ratio of the edge's memory over an evening of viewers, beside other policies and Belady's.

The trace is made from a seed (`_trace.py` says what it imitates). The first part of it only warms the caches up. Sizes
are shares of the working set: all the bytes that anybody asks for in the trace. "Belady" keeps what is asked for
soonest, knowing the future, also when viewers will come that nobody can know of yet; with sizes that differ it is no
proven optimum, so beside it stands the ceiling that no policy can pass (PFOO-L).
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from ottserver.delivery.shelf import Shelf
from ottserver.delivery.viewers import Place, Viewers
from scripts.benches._policies import Belady, Lru, S3Fifo, SievePolicy, TinyLfu, ceiling, following_requests
from scripts.benches._trace import AUDIO, SEGMENT_SECONDS, Request, evening

if TYPE_CHECKING:
    from scripts.benches._policies import Policy

WARM_PART = 5
"""One part in so many of the requests is not counted."""


class Ours:
    """The store that the edge has, told of viewers as the edge tells it."""

    def __init__(self, limit: int, trace: list[Request], segments: dict[int, int]) -> None:
        """`segments` says how many each title has."""
        self._trace = trace
        self._segments = segments
        self._at = 0.0
        self._viewers = Viewers(lambda: self._at)
        self._shelf: Shelf[Place] = Shelf(limit, self._viewers, seed=1)

    def ask(self, key: int, size: int, number: int) -> bool:
        """Whether the segment was there."""
        request = self._trace[number]
        self._at, viewer = request.at, str(request.session)
        place = self._shelf.get(str(key))
        if place is not None:
            self._viewers.note(viewer, place)
            return True
        segments = self._segments[request.title]
        stretch = self._viewers.stretch(f"{request.title}/{request.rendition}", segments * SEGMENT_SECONDS, segments)
        place = Place(stretch, request.segment, request.segment * SEGMENT_SECONDS, "")
        self._viewers.note(viewer, place)
        self._shelf.put(str(key), place, size, place)
        return False


def main() -> None:
    """Print a row for each size."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--shows", type=int, default=16, help="films and series, of 8 episodes each")
    options.add_argument("--sessions", type=int, default=1200)
    options.add_argument("--hours", type=float, default=4.0)
    options.add_argument("--shares", type=float, nargs="+", default=[0.03, 0.1, 0.3])
    chosen = options.parse_args()
    trace, segments = evening(chosen.seed, shows=chosen.shows, sessions=chosen.sessions, hours=chosen.hours)
    numbers: dict[tuple[int, int, int], int] = {}
    keys = [numbers.setdefault((asked.title, asked.rendition, asked.segment), len(numbers)) for asked in trace]
    sizes = [asked.size for asked in trace]
    following = following_requests(keys)
    working_set = sum(dict(zip(keys, sizes, strict=True)).values())
    counted_from = len(keys) // WARM_PART
    counted = sum(sizes[counted_from:])
    seconds = trace[-1].at - trace[counted_from].at
    sound = sum(asked.rendition == AUDIO for asked in trace[counted_from:])
    print(
        f"{len(segments)} titles, {len(trace)} requests, on average {sound * SEGMENT_SECONDS / seconds:.0f} viewers "
        f"and {counted / seconds * 8e-9:.2f} Gbit/s; working set {working_set / 1e9:.1f} GB"
    )
    for share in chosen.shares:
        limit = round(share * working_set)
        policies: dict[str, Policy] = {
            "LRU": Lru(limit),
            "SIEVE": SievePolicy(limit),
            "S3-FIFO": S3Fifo(limit),
            "W-TinyLFU": TinyLfu(limit, sum(sizes) // len(sizes)),
            "ours": Ours(limit, trace, segments),
            "Belady": Belady(limit, following),
        }
        print(f"\n{share:.0%} of the working set, {limit / 1e9:.2f} GB")
        found: dict[str, float] = {}
        for name, policy in policies.items():
            begun = time.process_time()
            hits = 0
            for number, key in enumerate(keys):
                if policy.ask(key, sizes[number], number) and number >= counted_from:
                    hits += sizes[number]
            found[name] = hits / counted
            spent = (time.process_time() - begun) / len(keys) * 1e6
            print(f"  {name:10} {found[name]:.4f}  {spent:5.1f} us a request", flush=True)
        print(f"  {'ceiling':10} {ceiling(limit, sizes, following, counted_from) / counted:.4f}")
        best = max(found[name] for name in ("LRU", "SIEVE", "S3-FIFO", "W-TinyLFU"))
        print(
            f"  ours is {found['ours'] / found['Belady']:.3f} of Belady's, the best other {best / found['Belady']:.3f}"
        )


if __name__ == "__main__":
    main()
