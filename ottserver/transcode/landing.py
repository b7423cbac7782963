"""Where to begin reading so that what is wanted comes. Pure.

A seek may land after its target (MPEG-TS and PS do), or in damage after which nothing is whole for minutes. So it is
tried again from further back, in growing steps, and then from between: a film of hours is never read from its start for
a segment near its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from fractions import Fraction

    Item = TypeVar("Item")
    Seconds = float | Fraction

_GROWTH = 3
_FINE_SECONDS = 12
# What may be decoded in vain is worth no other seek.


def landed(
    attempt: Callable[[Seconds], Iterator[Item]],
    steps: Sequence[Seconds],
    room: Seconds,
    whole: Callable[[], Iterator[Item]],
) -> Iterator[Item]:
    """What the attempt gives that begins latest, yet early enough; the `whole` where none does within `room` seconds.

    `attempt` begins to read that many seconds before what is wanted, and gives nothing when that was not early enough.
    """
    failed: Seconds = 0
    for seconds in _growing(steps):
        if seconds >= room:
            break
        items = attempt(seconds)
        head = next(items, None)
        if head is None:
            failed = seconds
            continue
        while seconds - failed > _FINE_SECONDS:
            middle = (seconds + failed) / 2
            nearer = attempt(middle)
            found = next(nearer, None)
            if found is None:
                failed = middle
            else:
                seconds, items, head = middle, nearer, found  # noqa: PLW2901 - it is the same search
        return _with_head(head, items)
    return whole()


def _growing(steps: Sequence[Seconds]) -> Iterator[Seconds]:
    yield from steps
    seconds = steps[-1]
    while True:
        seconds *= _GROWTH
        yield seconds


def _with_head(head: Item, items: Iterator[Item]) -> Iterator[Item]:
    yield head
    yield from items
