"""The edge function that we ship for CDNs, run by Node.js against real tickets and the real media route."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any

import pytest

from ottserver.delivery.tickets import KeyRing, Tickets
from tests.delivery.films import OTHER_VIDEO_ID, SESSION_ID, VIDEO_ID, content
from tests.delivery.test_gate import OPEN, SHUT
from tests.delivery.test_media import raw
from tests.support.server import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from ottserver.delivery.tickets import Key
    from tests.delivery.conftest import Stage

SECRET = b"a secret of thirty-two bytes ..."
HEIGHTS = {"v480": 480, "v720": 720, "v1080": 1080}
HOUR = 3600


async def run(node: Path, stage: Stage, addresses: list[str], keys: tuple[Key, ...] = ()) -> dict[str, Any]:
    """What the edge function says of addresses."""
    ring = keys or KeyRing(SECRET, lifetime_seconds=HOUR).around(time.time())
    known = {
        "keys": [{"id": k.id, "from": k.believed_from, "until": k.believed_until, "key": k.key.hex()} for k in ring],
        "heights": HEIGHTS,
    }
    bindings = {"EDGE_KEYS": json.dumps(known), "ORIGIN": str(stage.client.make_url("/"))}
    process = await asyncio.create_subprocess_exec(
        *(node, "tests/delivery/edge_function.mjs"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate(json.dumps({"bindings": bindings, "addresses": addresses}).encode())
    assert process.returncode == 0
    found: dict[str, Any] = json.loads(out)
    return found


async def test_it_serves_and_refuses_what_the_media_route_does(stage: Stage, node: Path) -> None:
    insides = [inside for inside in [*OPEN, *SHUT] if "original" not in inside]
    addresses = [stage.url(inside, max_height=720) for inside in insides]
    found = await run(node, stage, addresses)
    for address, inside, said in zip(addresses, insides, found["answers"], strict=True):
        own = await stage.client.get(raw(address))
        assert said["statuses"] == [own.status] * 2, inside
        assert own.status != 200 or said["body"] == await own.text(), inside
        if said["verdict"] == "serve":
            assert own.status in (200, 404), inside
            assert (said["ended"], said["asked"]) == ("refuse", [SESSION_ID.replace("-", "")])
        assert said["other"] == said["verdict"]
    # Kept without the ticket, and only what was there; manifests and what is above the plan are never kept.
    film = stage.film.id
    assert found["kept"] == [f"/kept/{film}/{name}" for name in ("a1/0.m4s", "v720/1.m4s", "v720/init.mp4")]
    assert "etag" in found["fields"]
    assert not {"x-request-id", "cmsd-dynamic"} & set(found["fields"])


async def test_tickets_that_open_nothing_are_refused_even_of_what_is_kept(stage: Stage, node: Path) -> None:
    good, inside = stage.ticket(), f"{stage.film.id}/v720/1.m4s"
    flipped = bytearray(urlsafe_b64decode(good))
    tickets = [good]
    for byte in range(len(flipped)):
        flipped[byte] ^= 1
        tickets.append(urlsafe_b64encode(flipped).decode())
        flipped[byte] ^= 1
    old = Tickets(SECRET, lifetime_seconds=HOUR, now=lambda: time.time() - HOUR - 1)
    foreign = Tickets(SECRET[::-1], lifetime_seconds=HOUR)
    tickets += [
        issuer.issue(session_id=SESSION_ID, video_id=VIDEO_ID, presentation_id=stage.film.id, max_height=1080)
        for issuer in (old, foreign)
    ]
    addresses = [f"/media/{ticket}/{VIDEO_ID}/{inside}" for ticket in (*tickets, good[:-1], f"{good}A")]
    addresses.append(f"/media/{good}/{OTHER_VIDEO_ID}/{inside}")
    stage.segments.asked.clear()
    first, *others = (await run(node, stage, addresses))["answers"]
    assert (first["statuses"], first["body"]) == ([200, 200], content("v720", "1").decode())
    assert {(said["verdict"], *said["statuses"]) for said in others} == {("refuse", 403, 403)}
    assert len(stage.segments.asked) == 1


@pytest.mark.parametrize(("hours", "status"), [(-49, 403), (-1, 200), (0, 200), (23, 200), (49, 403)])
async def test_keys_of_yesterday_today_and_tomorrow_are_enough(
    stage: Stage, node: Path, hours: int, status: int
) -> None:
    given = KeyRing(SECRET, lifetime_seconds=HOUR).around(time.time() + hours * HOUR)
    (said,) = (await run(node, stage, [stage.url("{p}/v720/1.m4s")], given))["answers"]
    assert said["statuses"] == [status] * 2
