"""The command line: `python -m ottserver [COMMAND]`."""

from __future__ import annotations

import click

from ottserver import __version__
from ottserver.commands.common import group_options
from ottserver.commands.edge import edge_keys
from ottserver.commands.facts import facts
from ottserver.commands.importing import import_films
from ottserver.commands.maintain import backup, doctor, migrate, restore
from ottserver.commands.serve import serve
from ottserver.commands.users import user


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ottserver")
@group_options
@click.pass_context
def main(context: click.Context, /, **_options: object) -> None:
    """Serve a streaming platform of one's own. Without a command: serve."""
    if context.invoked_subcommand is None:
        context.invoke(serve)


for command in (serve, import_films, user, facts, migrate, backup, restore, doctor, edge_keys):
    main.add_command(command)

if __name__ == "__main__":
    main(prog_name="ottserver")
