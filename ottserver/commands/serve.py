"""`serve`, the default command: everything in one process until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import click

from ottserver import logs
from ottserver.app import open_rooms, serving, working
from ottserver.commands.common import run, takes_settings

if TYPE_CHECKING:
    from ottserver.settings import Settings


@click.command("serve")
@takes_settings(serving=True)
def serve(settings: Settings) -> None:
    """Serve what is configured; the default."""
    logs.configure(settings.log)
    run(_serve(settings))


async def _serve(settings: Settings) -> None:
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop.set)
    async with open_rooms(settings) as rooms, working(rooms), serving(rooms) as url:
        click.echo(f"ottserver ready on {url}")
        code = await rooms.accounts.set_up_code()
        if code is not None:
            click.echo(f"No owner yet: open {url}#setup={code} or enter the set-up code {code}")
        await told_to_stop.wait()
