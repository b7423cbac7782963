"""`facts`: what a consumer could not digest, and giving it to the consumer again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ottserver.app import open_rooms
from ottserver.clock import rfc3339
from ottserver.commands.common import run, takes_settings

if TYPE_CHECKING:
    from ottserver.settings import Settings


@click.group("facts")
def facts() -> None:
    """List and retry facts that were parked."""


@facts.command("list")
@takes_settings()
def list_facts(settings: Settings) -> None:
    """Print every parked fact: consumer, number, type, key, when, and why."""
    run(_list(settings))


async def _list(settings: Settings) -> None:
    async with open_rooms(settings) as rooms:
        for fact in await rooms.bus.parked():
            when = rfc3339(fact.parked_at)
            click.echo(f"{fact.consumer}\t{fact.seq}\t{fact.type}\t{fact.key}\t{when}\t{fact.error}")


@facts.command("retry")
@click.argument("consumer")
@click.argument("number", type=int)
@takes_settings()
def retry(settings: Settings, consumer: str, number: int) -> None:
    """Give a parked fact to its CONSUMER again; NUMBER is the one that `facts list` prints."""
    run(_retry(settings, consumer, number))


async def _retry(settings: Settings, consumer: str, number: int) -> None:
    async with open_rooms(settings) as rooms:
        await rooms.bus.retry(consumer, number)
    click.echo(f"{consumer} gets fact {number} again as soon as a server runs")
