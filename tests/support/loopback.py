"""Keeps tests on this machine: a connection or a look-up that would leave it fails, whichever library asks for it."""

from __future__ import annotations

import ipaddress
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_guarding = False


class LeftTheMachine(Exception):
    """A test reached for another host."""


def _is_local(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode()
    if not isinstance(host, str) or host in ("", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host.endswith((".localhost", ".invalid"))
    return address.is_loopback or address.is_unspecified


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if not _guarding:
        return
    host: object = None
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    if not _is_local(host):
        message = f"{event} to {host!r}: tests meet only what runs on this machine"
        raise LeftTheMachine(message)


sys.addaudithook(_hook)


@contextmanager
def loopback_only() -> Iterator[None]:
    """Refuse, while the context lasts, what this process asks of other hosts."""
    global _guarding  # noqa: PLW0603 - an audit hook cannot be removed, only told to rest
    _guarding = True
    try:
        yield
    finally:
        _guarding = False
