"""Where rate limits keep their windows: this process's memory, bounded, or whatever storage `limits` knows by a URL."""

from __future__ import annotations

import time
from array import array
from bisect import bisect_right
from collections import OrderedDict
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from limits.aio.storage import MemoryStorage, Storage
from limits.storage import storage_from_string

if TYPE_CHECKING:
    from collections.abc import Callable

KEYS_LIMIT = 50_000
"""Windows that are kept, a few hundred bytes each; past it the one used longest ago goes."""
ENTRIES_LIMIT = 2_000_000
"""Entries in all windows together, 8 bytes each; past it the same happens."""


class BoundedStorage(MemoryStorage):
    """Moving windows in memory.

    That of `limits` looks at every window, in a thread for each, whenever one is counted in: so many callers would slow
    all of them down. Here a window is looked at when it is used, and those that nobody uses make room for others.
    """

    STORAGE_SCHEME = ["async+bounded"]  # noqa: RUF012 - the base's way to name its URL

    def __init__(
        self,
        keys_limit: int = KEYS_LIMIT,
        entries_limit: int = ENTRIES_LIMIT,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Start empty; `now` gives seconds since 1970."""
        super().__init__()
        self._keys_limit = keys_limit
        self._entries_limit = entries_limit
        self._now = now
        self._windows: OrderedDict[str, array[float]] = OrderedDict()
        self._entries = 0

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` into the window of the last `expiry` seconds unless that makes more than `limit`."""
        now = self._now()
        window = self._windows.pop(key, None) or array("d")
        self._entries -= len(window)
        del window[bisect_right(window, now) :]  # made before the clock was set back
        del window[: bisect_right(window, now - expiry)]
        granted = len(window) + amount <= limit
        if granted:
            window.extend([now] * amount)
        if window:
            self._windows[key] = window
            self._entries += len(window)
        while len(self._windows) > self._keys_limit or self._entries > self._entries_limit:
            _, oldest = self._windows.popitem(last=False)
            self._entries -= len(oldest)
        return granted

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:  # noqa: ARG002 - the base's signature
        """When the oldest entry that counts was made, and how many count."""
        now = self._now()
        window = self._windows.get(key, array("d"))
        first = bisect_right(window, now - expiry)
        return (window[first], len(window) - first) if first < len(window) else (now, 0)

    async def clear(self, key: str) -> None:
        """Forget the window."""
        self._entries -= len(self._windows.pop(key, ()))

    async def reset(self) -> int:
        """Forget all windows; how many there were."""
        count = len(self._windows)
        self._windows.clear()
        self._entries = 0
        return count


def open_storage(url: str) -> Storage:
    """Windows beside the cache that `url` names: memory://, or a server that all processes share, such as redis://."""
    if urlsplit(url).scheme == "memory":
        return BoundedStorage()
    storage = storage_from_string(f"async+{url}")
    if not isinstance(storage, Storage):
        message = f"{url} gives no storage that can be waited for"
        raise TypeError(message)
    return storage
