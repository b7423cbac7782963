"""Draws docs/rooms.svg from the code's own imports: floors as rows, rooms as boxes, who imports whom as lines.

    .venv/bin/python scripts/picture.py

A test draws it again and compares, so the picture in docs/architecture.md stays true.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

import grimp

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "rooms.svg"

FLOORS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("entrance", ("__main__", "commands", "app")),
    ("rooms", ("accounts", "billing", "catalog", "ingest", "transcode", "playback", "delivery", "ops")),
    ("web", ("web",)),
    ("backends", ("database", "blobs", "cache", "bus", "archive", "ffmpeg", "outage")),
    (
        "ground",
        ("settings", "live", "events", "media", "errors", "identity", "ids", "clock", "languages", "machine", "units"),
    ),
)
"""The boxes of each floor, top to bottom; the helpers of the entrance are drawn with `app`."""

WIDTH, MARGIN, LABEL, ROW, BOX = 1120, 24, 92, 118, 44
INK, SOFT, PAPER = "#1c2330", "#8a94a6", "#ffffff"
COLOURS = {"entrance": "#e8ecf3", "rooms": "#dcebe3", "web": "#f4e8d2", "backends": "#e0e6f5", "ground": "#efefef"}


def box_of(module: str) -> str | None:
    """The box that a module is drawn in, such as ottserver.backends.blobs.files in "blobs"."""
    parts = module.split(".")[1:]
    if not parts:
        return None
    if parts[0] == "backends":
        return parts[1] if len(parts) > 1 else None
    known = {name for _, names in FLOORS for name in names}
    return parts[0] if parts[0] in known else "app"


def imports() -> set[tuple[str, str]]:
    """Pairs of boxes of which the first imports from the second."""
    graph = grimp.build_graph("ottserver", cache_dir=None)
    pairs = set()
    for importer in graph.modules:
        for imported in graph.find_modules_directly_imported_by(importer):
            pair = box_of(importer), box_of(imported)
            if pair[0] and pair[1] and pair[0] != pair[1]:
                pairs.add((pair[0], pair[1]))
    return pairs


def places() -> dict[str, tuple[float, float, float]]:
    """Centre, top and width of every box, in pixels."""
    found: dict[str, tuple[float, float, float]] = {}
    for row, (_, names) in enumerate(FLOORS):
        width = (WIDTH - LABEL - MARGIN) / len(names)
        for column, name in enumerate(names):
            found[name] = (LABEL + width * (column + 0.5), MARGIN + row * ROW + 22, min(width - 14, 190))
    return found


def draw() -> str:
    """The picture as SVG text."""
    place = places()
    floor_of = {name: row for row, (_, names) in enumerate(FLOORS) for name in names}
    height = MARGIN * 2 + ROW * len(FLOORS)
    out = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
            'role="img" aria-label="Floors and rooms of ottserver; lines are imports and only go down">'
        ),
        f'<rect width="{WIDTH}" height="{height}" fill="{PAPER}"/>',
    ]
    for row, (floor, _) in enumerate(FLOORS):
        edge = MARGIN + row * ROW
        out.append(
            f'<rect x="{MARGIN / 2}" y="{edge}" width="{WIDTH - MARGIN}" height="{ROW - 30}" rx="10" '
            f'fill="{COLOURS[floor]}"/><text x="{MARGIN}" y="{edge + 50}" font-size="15" fill="{INK}">{floor}</text>'
        )
    down = sorted(pair for pair in imports() if floor_of[pair[0]] < floor_of[pair[1]])
    for importer, group in groupby(down, key=lambda pair: pair[0]):
        x, top, _ = place[importer]
        for _, imported in group:
            to_x, to_top, _ = place[imported]
            reach = floor_of[imported] - floor_of[importer]
            out.append(
                f'<path d="M{x:.0f} {top + BOX} C{x:.0f} {top + BOX + 34} {to_x:.0f} {to_top - 34} '
                f'{to_x:.0f} {to_top}" fill="none" stroke="{SOFT}" stroke-opacity="{0.75 / reach:.2f}"/>'
            )
    for name, (x, top, width) in place.items():
        out.append(
            f'<rect x="{x - width / 2:.0f}" y="{top}" width="{width:.0f}" height="{BOX}" rx="8" fill="{PAPER}" '
            f'stroke="{INK}"/><text x="{x:.0f}" y="{top + 28}" text-anchor="middle" font-size="15" fill="{INK}">'
            f"{escape(name)}</text>"
        )
    out.append("</svg>\n")
    return "\n".join(out)


if __name__ == "__main__":
    TARGET.write_text(draw(), encoding="utf-8")
    print(f"drew {TARGET.relative_to(ROOT)}")
