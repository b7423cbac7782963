"""`user`: accounts from the command line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ottserver.app import open_rooms
from ottserver.clock import rfc3339
from ottserver.commands.common import Failure, run, takes_settings

if TYPE_CHECKING:
    from ottserver.accounts.models import Account
    from ottserver.app import Rooms
    from ottserver.identity import Role
    from ottserver.settings import Settings


@click.group("user")
def user() -> None:
    """Create, list, grant and shut out accounts."""


@user.command("create")
@click.option("--email", required=True)
@click.option("--name", required=True)
@click.option("--role", type=click.Choice(["owner", "admin", "member"]), default="member", show_default=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@takes_settings()
def create(settings: Settings, email: str, name: str, role: Role, *, password_stdin: bool) -> None:
    """Make an account."""
    run(_create(settings, email, name, role, _asked(password_stdin=password_stdin)))


async def _create(settings: Settings, email: str, name: str, role: Role, password: str) -> None:
    async with open_rooms(settings) as rooms:
        account = await rooms.accounts.create_account(email, name, password, role)
    click.echo(f"{account.id}\t{account.email}\t{account.role}")


@user.command("password")
@click.option("--email", required=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@takes_settings()
def password(settings: Settings, email: str, *, password_stdin: bool) -> None:
    """Give an account a new password and sign all its devices out."""
    run(_password(settings, email, _asked(password_stdin=password_stdin)))


async def _password(settings: Settings, email: str, word: str) -> None:
    async with open_rooms(settings) as rooms:
        account = await rooms.accounts.set_password(email, word)
    click.echo(f"{account.email} has a new password")


def _asked(*, password_stdin: bool) -> str:
    """The password, typed twice at the prompt or read from standard input."""
    if password_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return typed


@user.command("disable")
@click.option("--email", required=True)
@takes_settings()
def disable(settings: Settings, email: str) -> None:
    """Shut an account out: sign its devices out and end what it plays."""
    run(_shut_out(settings, email, out=True))


@user.command("enable")
@click.option("--email", required=True)
@takes_settings()
def enable(settings: Settings, email: str) -> None:
    """Let an account in again."""
    run(_shut_out(settings, email, out=False))


async def _shut_out(settings: Settings, email: str, *, out: bool) -> None:
    async with open_rooms(settings) as rooms:
        account = await _known(rooms, email)
        await (rooms.accounts.disable if out else rooms.accounts.enable)(account.id)
    click.echo(f"{account.email} is {'shut out' if out else 'let in'}")


async def _known(rooms: Rooms, email: str) -> Account:
    account = await rooms.accounts.find_by_email(email)
    if account is None:
        message = f"there is no account with the address {email}"
        raise Failure(message)
    return account


@user.command("grant")
@click.option("--email", required=True)
@click.option("--plan", required=True, help="The plan's id, such as premium.")
@click.option("--days", type=click.IntRange(1, 36500), required=True)
@takes_settings()
def grant(settings: Settings, email: str, plan: str, days: int) -> None:
    """Give an account a complimentary subscription."""
    run(_grant(settings, email, plan, days))


async def _grant(settings: Settings, email: str, plan: str, days: int) -> None:
    async with open_rooms(settings) as rooms:
        account = await _known(rooms, email)
        granted = await rooms.billing.grant(account.id, plan, days)
    click.echo(f"{account.email} has {granted.plan_id} until {rfc3339(granted.ends_at)}")


@user.command("withdraw")
@click.option("--email", required=True)
@click.option("--plan", required=True, help="The plan's id, such as premium.")
@takes_settings()
def withdraw(settings: Settings, email: str, plan: str) -> None:
    """Take a complimentary subscription back, from now on."""
    run(_withdraw(settings, email, plan))


async def _withdraw(settings: Settings, email: str, plan: str) -> None:
    async with open_rooms(settings) as rooms:
        account = await _known(rooms, email)
        await rooms.billing.withdraw(account.id, plan)
    click.echo(f"{account.email} has {plan} no longer")


@user.command("list")
@takes_settings()
def list_users(settings: Settings) -> None:
    """Print every account: id, address, role, name, and whether it is shut out."""
    run(_list(settings))


async def _list(settings: Settings) -> None:
    async with open_rooms(settings) as rooms:
        for account in await rooms.accounts.list_accounts():
            out = "\tshut out" if account.disabled_at else ""
            click.echo(f"{account.id}\t{account.email}\t{account.role}\t{account.name}{out}")
