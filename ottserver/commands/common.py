"""What all commands share: the options that are settings, errors as sentences, the event loop."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click
import uvloop

from ottserver.errors import OttError, SettingsError
from ottserver.settings import load

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ottserver.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")

_FOLDER = click.option("--data", type=click.Path(path_type=Path), help="The folder that holds everything.")
_FILE = click.option("--config", type=click.Path(path_type=Path), help="A TOML file of settings.")
_SERVING = (
    click.option("--host", help="The address to listen on."),
    click.option("--port", help="The port to listen on; 0 picks one."),
    click.option("--roles", help="What this process does: web, encode, consume, or several with commas."),
)


class Failure(click.ClickException):
    """The end of a command: one sentence on standard error, and exit code 1."""

    def show(self, file: Any = None) -> None:  # noqa: ANN401 - the base's signature
        """Print the sentence."""
        click.echo(f"ottserver: {self.message}", err=True, file=file)


class WrongSetting(Failure):
    """A setting that is unknown or has a bad value: exit code 2, as for a wrong option."""

    exit_code = 2


def _collect(options: dict[str, Any], context: click.Context) -> Settings:
    scopes = [options]
    while context.parent is not None:
        context = context.parent
        scopes.insert(0, context.params)
    given = {name: value for scope in scopes for name, value in scope.items() if value is not None}
    config = given.pop("config", None)
    try:
        return load({name: given[name] for name in ("host", "port", "data", "roles") if name in given}, config)
    except SettingsError as error:
        raise WrongSetting(str(error)) from error


def _with_options(command: Callable[..., R], decorators: tuple[Callable[..., Any], ...]) -> Callable[..., R]:
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


def takes_settings(*, serving: bool = False) -> Callable[[Callable[Concatenate[Settings, P], R]], Callable[..., R]]:
    """A command's first argument becomes the `Settings`, with --data and --config (`serving`: all) as options.

    Options may also stand before the command: `ottserver --data D user list`.
    """
    extra = _SERVING if serving else ()
    names = ("host", "port", "roles", "data", "config")

    def decorate(command: Callable[Concatenate[Settings, P], R]) -> Callable[..., R]:
        @functools.wraps(command)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            own = {name: kwargs.pop(name) for name in names if name in kwargs}
            return command(_collect(own, click.get_current_context()), *args, **kwargs)

        return _with_options(run, (_FOLDER, _FILE, *extra))

    return decorate


def group_options(command: Callable[..., R]) -> Callable[..., R]:
    """All options that are settings, for the group itself."""
    return _with_options(command, (_FOLDER, _FILE, *_SERVING))


def run(work: Coroutine[Any, Any, R]) -> R:
    """Run a command's work on uvloop; expected failures end it with their sentence."""
    try:
        return uvloop.run(work)
    except SettingsError as error:
        raise WrongSetting(str(error)) from error
    except OttError as error:
        raise Failure(error.detail) from error
