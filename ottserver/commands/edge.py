"""`edge-keys`: what a content delivery network needs to check tickets by itself."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from ottserver import datafolder
from ottserver.commands.common import takes_settings
from ottserver.delivery.tickets import KeyRing
from ottserver.wiring import ticket_seconds

if TYPE_CHECKING:
    from ottserver.settings import Settings


@click.command("edge-keys")
@takes_settings()
def edge_keys(settings: Settings) -> None:
    """Print the keys that check tickets, for edge functions of a CDN, as JSON.

    Good for a day or longer: give them to the CDN every day. Whoever has them can make tickets too.
    """
    datafolder.prepare(settings.data)
    secret = datafolder.load_secret(settings.data, settings.secret)
    ring = KeyRing(secret, lifetime_seconds=ticket_seconds(settings))
    keys = [
        {"id": key.id, "from": key.believed_from, "until": key.believed_until, "key": key.key.hex()}
        for key in ring.around(time.time())
    ]
    click.echo(json.dumps({"keys": keys, "heights": {rung.name: rung.height for rung in settings.transcode.ladder}}))
