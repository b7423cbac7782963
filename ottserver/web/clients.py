"""Who asks, behind proxies: the client's address and scheme, believed only of proxies that the operator trusts.

A proxy appends the address of whoever spoke to it, so a list is true from its right end up to the first address that is
no proxy of ours; whatever stands further left is the client's own invention (RFC 7239 section 8.1).
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Literal

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Network, IPv6Network

    from multidict import CIMultiDictProxy

log = logging.getLogger(__name__)

Header = Literal["x-forwarded-for", "forwarded"]
HOPS_LIMIT = 16
"""Proxies in a row that are looked through."""
_PAIR = re.compile(r'([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*))')
_ELEMENT = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*")+')
_PORT = re.compile(r":[0-9_A-Za-z.-]+$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks: an IP address, or "" where even the nearest is unknown, and whether the last mile is encrypted."""

    address: str
    secure: bool


class Proxies:
    """The proxies whose word is taken, and the header field that they write."""

    def __init__(self, trusted: Iterable[str] = (), header: Header = "x-forwarded-for") -> None:
        """`trusted` are addresses or networks, such as 10.0.0.0/8. Raises `ValueError` for what is neither."""
        self._networks = tuple(ip_network(text, strict=False) for text in trusted)
        self._header = header
        self._warned = False

    def trusts(self, address: str) -> bool:
        """Whether the address is one of the proxies."""
        found = parse_address(address)
        return found is not None and _within(found, self._networks)

    def client(self, peer: str | None, headers: CIMultiDictProxy[str], *, secure: bool) -> Client:
        """Who asks on a connection from `peer`, which is encrypted or not.

        An address that no proxy can have written ends the search: the nearest that can be believed is taken.
        """
        nearest = parse_address(peer or "")
        if nearest is None:
            return Client("", secure)
        if not _within(nearest, self._networks):
            self._warn(nearest, headers)
            return Client(str(nearest), secure)
        hops = self._hops(headers)
        for address, https in reversed(hops[-HOPS_LIMIT:]):
            if https is not None:
                secure = https
            found = parse_address(address)
            if found is None:
                break
            nearest = found
            if not _within(found, self._networks):
                break
        return Client(str(nearest), secure)

    def _hops(self, headers: CIMultiDictProxy[str]) -> list[tuple[str, bool | None]]:
        """Address and encryption as the proxies said, the nearest last."""
        if self._header == "forwarded":
            return [_element(text) for line in headers.getall("Forwarded", []) for text in _ELEMENT.findall(line)]
        addresses = _list(headers.getall("X-Forwarded-For", []))
        schemes: list[bool | None] = [
            text.lower() == "https" for text in _list(headers.getall("X-Forwarded-Proto", []))
        ]
        if len(schemes) != len(addresses):
            # Most proxies hand the first one's word on, or overwrite it: one value for the whole way.
            schemes = [schemes[-1] if schemes else None] * len(addresses)
        return list(zip(addresses, schemes, strict=True))

    def _warn(self, peer: IPv4Address | IPv6Address, headers: CIMultiDictProxy[str]) -> None:
        if self._warned or not (peer.is_private or peer.is_loopback):
            return
        if "X-Forwarded-For" in headers or "Forwarded" in headers:
            self._warned = True
            log.warning(
                "%s says whom it asks for but is not in web.trusted_proxies: "
                "if it is your proxy, all its users count as one address until you add it",
                peer,
            )


PROXIES = web.AppKey("proxies", Proxies)
_CLIENT = web.RequestKey("client", Client)


def client_of(request: web.Request) -> Client:
    """Who asks, found once for each request."""
    known = request.get(_CLIENT)
    if known is None:
        proxies = request.app[PROXIES]
        known = proxies.client(request.remote, request.headers, secure=request.secure)
        request[_CLIENT] = known
    return known


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """The address, without zone, brackets or port; one that IPv6 only wraps (::ffff:192.0.2.1) is the IPv4 address."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = _PORT.sub("", text)
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def household(address: str | None) -> str:
    """Whom an address stands for: an IPv6 network of 64 bits is one customer, who may use every address in it."""
    found = parse_address(address or "")
    if found is None:
        return "unknown"
    return str(found) if isinstance(found, IPv4Address) else str(ip_network((found, 64), strict=False))


def _within(address: IPv4Address | IPv6Address, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _list(lines: list[str]) -> list[str]:
    return [part.strip() for line in lines for part in line.split(",") if part.strip()]


def _element(text: str) -> tuple[str, bool | None]:
    """What one element of a Forwarded field says by `for` and `proto` (RFC 7239 section 4)."""
    pairs = {name.lower(): quoted or plain for name, quoted, plain in _PAIR.findall(text)}
    proto = pairs.get("proto")
    return pairs.get("for", ""), None if proto is None else proto.lower() == "https"
