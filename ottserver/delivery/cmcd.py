"""Common Media Client Data (CTA-5004, and what CTA-5004-A adds): what a player says of itself with a request.

It comes in the query argument `CMCD`, or in four header fields that are read as one list. What is not written as the
standard says is passed over, key by key; it never makes a request wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

_TRUE = ("?1", "true")
LONGEST = 4_000
"""Characters that are looked at."""
HEADERS = ("cmcd-request", "cmcd-object", "cmcd-status", "cmcd-session")
_ARGUMENT = "CMCD="
_READ = frozenset({"bs", "su", "mtp", "nor"})
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_STRING = re.compile(r'"((?:[^"\\]|\\["\\])*)"', re.ASCII)
_ITEM = re.compile(r'\s*([^\s=,"()]+)(?:=("(?:[^"\\]|\\.)*"|\([^()]*\)|[^,"()]*))?\s*(?:,|$)', re.ASCII)
_FIRST = re.compile(r'\(\s*("(?:[^"\\]|\\.)*"|[0-9]+)', re.ASCII)
"""The first of an inner list, where the second version has one: aggregated, or of one track each."""


@dataclass(frozen=True, slots=True)
class Report:
    """What is looked at of all that a player may say."""

    starved: bool = False
    """`bs`: its buffer ran dry since its last request."""
    starting: bool = False
    """`su`: it needs the object at once, to start, to seek or after having run dry."""
    throughput: int = 0
    """`mtp`: kbit/s that it has measured; 0 where it says nothing."""
    following: str = ""
    """`nor`: the next object that it will ask for, relative to this one; not yet believed."""


def from_query(query: str) -> str:
    """What a raw query says under `CMCD`, nothing where it does not."""
    if _ARGUMENT not in query:
        return ""
    for argument in query.split("&"):
        if argument.startswith(_ARGUMENT):
            return unquote(argument[len(_ARGUMENT) : LONGEST].replace("+", " "))
    return ""


def read(text: str) -> Report:
    """The report in a list of keys and values. Never raises."""
    said: dict[str, str] = {}
    at = 0
    text = text[:LONGEST]
    while at < len(text):
        item = _ITEM.match(text, at)
        if item is None:  # nothing behind a broken one can be told apart any more
            break
        key, value = item.groups()
        if key in _READ and key not in said:
            said[key] = value if value is not None else "?1"
        at = item.end()
    return Report(
        starved=said.get("bs") in _TRUE,
        starting=said.get("su") in _TRUE,
        throughput=_number(said["mtp"]) if "mtp" in said else 0,
        following=_string(said["nor"]) if "nor" in said else "",
    )


def _number(value: str) -> int:
    number = _NUMBER.fullmatch(_first(value))
    return int(number[0]) if number else 0


def _string(value: str) -> str:
    string = _STRING.fullmatch(_first(value))
    return unquote(string[1].replace('\\"', '"').replace("\\\\", "\\")) if string else ""


def _first(value: str) -> str:
    inner = _FIRST.match(value) if value.startswith("(") else None
    return inner[1] if inner else value
