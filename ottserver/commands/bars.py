"""The progress bars of a terminal: they fit its width whatever a film is called.

Commands import this where they draw: a server does without the 3 MB of what draws.
"""

from __future__ import annotations

import math
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column
from rich.text import Text

if TYPE_CHECKING:
    from rich.progress import Task

_LEAST_BAR = 10
_MOST_BAR = 40
_NUMBERS = 16
# Cells of a share and a time, and of what keeps the columns apart.
_LEAST_TITLE = 8


class TimeLeftColumn(ProgressColumn):
    """The time left, where it is known."""

    def render(self, task: Task) -> Text:
        """Hours, minutes and seconds."""
        left = task.fields.get("left")
        return Text("" if left is None else str(timedelta(seconds=math.ceil(left))), style="progress.remaining")


def bars(console: Console | None = None) -> Progress:
    """Progress bars on standard error, where that is a terminal."""
    console = console or Console(file=sys.stderr)
    words = TextColumn(
        "{task.description}",
        # "[x265]" in the name of a film stands for itself.
        markup=False,
        table_column=Column(no_wrap=True, overflow="ellipsis", max_width=_room(console.width)),
    )
    return Progress(
        words,
        BarColumn(_bar(console.width)),
        TaskProgressColumn(),
        TimeLeftColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,
        disable=not console.is_terminal,
    )


def bar_of_bytes(label: str) -> Progress:
    """One bar for bytes that are read or written, on standard error where that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn(label), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def described(title: str, words: str, width: int) -> str:
    """What a bar says of a film on a terminal of so many columns: a long title leaves room for the words after it."""
    short = Text(title)
    short.truncate(max(_room(width) - cell_len(words) - 2, _LEAST_TITLE), overflow="ellipsis")
    return f"{short.plain}: {words}"


def _bar(width: int) -> int:
    return min(max(width // 5, _LEAST_BAR), _MOST_BAR)


def _room(width: int) -> int:
    """Cells of the words before the bars."""
    return max(width - _bar(width) - _NUMBERS, _LEAST_TITLE)
