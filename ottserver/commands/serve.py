"""`serve`, the default command: everything in one process until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from ottserver import logs
from ottserver.app import open_rooms, serving, working
from ottserver.commands.common import run, takes_settings
from ottserver.commands.memory import giving_back, settle, share_one_heap

if TYPE_CHECKING:
    from ottserver.settings import Settings


@click.command("serve")
@takes_settings(serving=True)
def serve(settings: Settings) -> None:
    """Serve what is configured; the default."""
    share_one_heap()
    logs.configure(settings.log)
    run(_serve(settings))


def reachable(url: str) -> str:
    """The address as others on the network can type it, where the server listens on every one of the machine's."""
    parts = urlsplit(url)
    if parts.hostname not in ("0.0.0.0", "::"):  # noqa: S104 - only compared with
        return url
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it only asks which way packets would leave (RFC 5737)
            host = probe.getsockname()[0]
        except OSError:
            host = "127.0.0.1"
    return f"http://{host}:{parts.port}/"


async def _serve(settings: Settings) -> None:
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop.set)
    async with open_rooms(settings) as rooms, working(rooms), serving(rooms) as url, giving_back():
        settle()
        click.echo(f"ottserver ready on {url}")
        address = settings.public_url + "/" if settings.public_url else reachable(url)
        if address != url:
            click.echo(f"Open {address}")
        code = await rooms.accounts.set_up_code()
        if code is not None:
            click.echo(f"No owner yet: open {address}#setup={code} or enter the set-up code {code}")
        await told_to_stop.wait()
