"""The child processes of a server, as the system sees them."""

from __future__ import annotations

from pathlib import Path

from tests.flows.people import eventually

MODULES = ("ottserver.ingest.probe", "ottserver.transcode.worker")


def children(pid: int, module: str = "") -> list[int]:
    """Ids of the living processes that the server with this id has started, even when it has died meanwhile.

    A child says in its command line which module it runs, and then whose child it is.
    """
    modules = (module,) if module else MODULES
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue
        named = [words[index + 1] for index, word in enumerate(words[:-1]) if word.decode(errors="replace") in modules]
        if named == [str(pid).encode()] and state != "Z":
            found.append(int(folder.name))
    return found


def until_no_child(pid: int) -> None:
    """Wait until nothing is left of the server with this id.

    What is scheduled as idle needs a turn to die, which takes its time where others keep the processors busy.
    """
    eventually(lambda: not children(pid) or None, within=60)
