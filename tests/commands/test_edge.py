from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from ottserver.delivery.tickets import KeyRing
from tests.support.server import Server

if TYPE_CHECKING:
    from pathlib import Path


def test_edge_keys_are_those_that_tickets_are_signed_with(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", env={"OTT_DELIVERY_TICKET_HOURS": "6"})
    printed = json.loads(server.run("edge-keys").stdout)
    assert printed["heights"] == {"v480": 480, "v720": 720, "v1080": 1080, "v2160": 2160}
    key_id, key = KeyRing((server.data / "secret").read_bytes(), lifetime_seconds=6 * 3600).signing(time.time())
    now = time.time()
    (signing,) = [one for one in printed["keys"] if one["id"] == key_id]
    assert signing["key"] == key.hex()
    assert signing["from"] <= now < now + 6 * 3600 <= signing["until"]
    assert len(printed["keys"]) == 3
