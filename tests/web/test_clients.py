from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from ottserver.web.clients import Header, Proxies, household
from ottserver.web.routing import Access, Call, Cookie, NoBody, NoQuery, Reply, Route

if TYPE_CHECKING:
    from tests.web.conftest import Serve

TRUSTED = ("10.0.0.0/8", "2001:db8:ff::/48")


def _asked(peer: str | None, *fields: tuple[str, str], header: Header = "x-forwarded-for") -> tuple[str, bool]:
    found = Proxies(TRUSTED, header).client(peer, CIMultiDictProxy(CIMultiDict(fields)), secure=False)
    return found.address, found.secure


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "192.0.2.66, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "192.0.2.66, 198.51.100.1, 10.2.0.1", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("2001:db8:ff::1", "198.51.100.1", "198.51.100.1"),
        ("fe80::1%eth0", "198.51.100.1", "fe80::1"),
        ("10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.66, garbage, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "198.51.100.1, 999.1.1.1", "10.0.0.1"),
        ("10.0.0.1", ", ,198.51.100.1,", "198.51.100.1"),
        (None, "198.51.100.1", ""),
    ],
)
def test_address_is_the_last_that_no_proxy_of_ours_has(peer: str | None, forwarded: str, address: str) -> None:
    assert _asked(peer, ("X-Forwarded-For", forwarded))[0] == address


def test_lines_of_the_header_are_one_list() -> None:
    lines = (("X-Forwarded-For", "192.0.2.66"), ("X-Forwarded-For", "198.51.100.1, 10.0.0.2"))
    assert _asked("10.0.0.1", *lines)[0] == "198.51.100.1"


def test_a_list_without_end_is_looked_through_to_a_limit() -> None:
    assert _asked("10.0.0.1", ("X-Forwarded-For", ", ".join(["198.51.100.1"] + ["10.0.0.2"] * 500)))[0] == "10.0.0.2"


@pytest.mark.parametrize(
    ("fields", "secure"),
    [
        ([("X-Forwarded-For", "198.51.100.1"), ("X-Forwarded-Proto", "https")], True),
        ([("X-Forwarded-For", "198.51.100.1"), ("X-Forwarded-Proto", "HTTPS")], True),
        ([("X-Forwarded-For", "198.51.100.1"), ("X-Forwarded-Proto", "http")], False),
        ([("X-Forwarded-For", "198.51.100.1, 10.0.0.2"), ("X-Forwarded-Proto", "https, http")], True),
        ([("X-Forwarded-For", "192.0.2.66, 198.51.100.1"), ("X-Forwarded-Proto", "https, http")], False),
        ([("X-Forwarded-For", "198.51.100.1")], False),
    ],
)
def test_last_mile_is_as_encrypted_as_the_proxy_says(fields: list[tuple[str, str]], *, secure: bool) -> None:
    assert _asked("10.0.0.1", *fields)[1] is secure
    assert _asked("203.0.113.9", *fields)[1] is False


@pytest.mark.parametrize(
    ("forwarded", "address", "secure"),
    [
        ("for=198.51.100.1;proto=https;by=10.0.0.1", "198.51.100.1", True),
        ('For="[2001:db8::1]:4711"; Proto=HTTPS', "2001:db8::1", True),
        ("for=192.0.2.66;proto=https, for=198.51.100.1;proto=http", "198.51.100.1", False),
        ('for="192.0.2.66, for=198.51.100.9", for=198.51.100.1', "198.51.100.1", False),
        ("for=198.51.100.1, for=_hidden", "10.0.0.1", False),
        ("for=198.51.100.1, for=unknown", "10.0.0.1", False),
        ('for="198.51.100.1:_port"', "198.51.100.1", False),
        ('"', "10.0.0.1", False),
    ],
)
def test_forwarded_is_read_where_it_is_the_header_that_counts(forwarded: str, address: str, *, secure: bool) -> None:
    fields = (("Forwarded", forwarded), ("X-Forwarded-For", "192.0.2.66"), ("X-Forwarded-Proto", "https"))
    assert _asked("10.0.0.1", *fields, header="forwarded") == (address, secure)
    assert _asked("10.0.0.1", *fields)[0] == "192.0.2.66"


async def test_cookies_are_secure_where_the_proxy_says_that_its_client_is(serve: Serve) -> None:
    async def cookie(_call: Call[NoBody, NoQuery]) -> Reply:
        return Reply({}, cookies=(Cookie("a", "b", 60),))

    routes = [Route("GET", "/", cookie, "Cookie", access=Access.PUBLIC)]
    said = {"X-Forwarded-For": "198.51.100.1", "X-Forwarded-Proto": "https"}
    behind, alone = await serve(routes, proxies=Proxies(["127.0.0.1"])), await serve(routes)
    assert "Secure" in (await behind.call("GET", "/", headers=said)).headers["Set-Cookie"]
    assert "Secure" not in (await alone.call("GET", "/", headers=said)).headers["Set-Cookie"]


@pytest.mark.parametrize(
    ("address", "whom"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, "unknown"),
        ("", "unknown"),
    ],
)
def test_one_household_is_one_caller(address: str | None, whom: str) -> None:
    assert household(address) == whom
