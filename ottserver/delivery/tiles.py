"""Pictures for the seek bar in both manifests and as a WebVTT index, over the same sheets of tiles.

HLS: the image playlists of Roku and Disney ("HLS Image Media Playlist"), which shaka and others read. DASH: tiled
thumbnails of the DASH-IF Interoperability Points (section 6.2.6). WebVTT: cues with media fragments (`#xywh=`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET  # builds only; nothing is parsed here

if TYPE_CHECKING:
    from ottserver.media import Storyboard

FOLDERS = ("glance", "storyboard")
INDEX, IMAGES = "index.vtt", "images.m3u8"
SHEET_SUFFIX = ".jpg"
_TILED = "http://dashif.org/thumbnail_tile"


def hls_stream(presentation_id: str, board: Storyboard) -> str:
    """The tag that announces the image playlist in the master playlist."""
    return (
        f"#EXT-X-IMAGE-STREAM-INF:BANDWIDTH={board.bandwidth},"
        f'RESOLUTION={board.tile_width}x{board.tile_height},CODECS="jpeg",URI="{presentation_id}/{board.folder}/{IMAGES}"'
    )


def hls_playlist(board: Storyboard, seconds: float) -> str:
    """The image playlist of a film of so many seconds."""
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{max(1, math.ceil(min(seconds, _sheet_seconds(board))))}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-IMAGES-ONLY",
    ]
    resolution, layout = f"{board.tile_width}x{board.tile_height}", f"{board.columns}x{board.rows}"
    for sheet in range(board.sheets):
        lasts = min(seconds - sheet * _sheet_seconds(board), _sheet_seconds(board))
        lines += [
            f"#EXTINF:{lasts:.6f},",
            f"#EXT-X-TILES:RESOLUTION={resolution},LAYOUT={layout},DURATION={min(board.interval, seconds):.6f}",
            f"{sheet}{SHEET_SUFFIX}",
        ]
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


def dash_set(period: ET.Element, presentation_id: str, board: Storyboard, number: int) -> None:
    """The adaptation set of the sheets, with this number."""
    adaptation = ET.SubElement(
        period, "AdaptationSet", {"id": str(number), "contentType": "image", "mimeType": "image/jpeg"}
    )
    ET.SubElement(
        adaptation,
        "SegmentTemplate",
        {
            "timescale": "1000",
            "duration": str(round(1000 * _sheet_seconds(board))),
            "startNumber": "0",
            "media": f"{presentation_id}/$RepresentationID$/$Number${SHEET_SUFFIX}",
        },
    )
    representation = ET.SubElement(
        adaptation,
        "Representation",
        {
            "id": board.folder,
            "bandwidth": str(board.bandwidth),
            "width": str(board.tile_width * board.columns),
            "height": str(board.tile_height * board.rows),
        },
    )
    tiled = {"schemeIdUri": _TILED, "value": f"{board.columns}x{board.rows}"}
    ET.SubElement(representation, "EssentialProperty", tiled)


def index(board: Storyboard, seconds: float) -> str:
    """The WebVTT index of a film of so many seconds: one cue for each tile, without a gap; addresses are relative."""
    cues = ["WEBVTT"]
    for tile in range(board.tiles):
        sheet, place = divmod(tile, board.columns * board.rows)
        row, column = divmod(place, board.columns)
        end = seconds if tile == board.tiles - 1 else (tile + 1) * board.interval
        place_of = f"{column * board.tile_width},{row * board.tile_height},{board.tile_width},{board.tile_height}"
        cues.append(f"{_time(tile * board.interval)} --> {_time(end)}\n{sheet}{SHEET_SUFFIX}#xywh={place_of}")
    return "\n\n".join(cues) + "\n"


def _sheet_seconds(board: Storyboard) -> float:
    return board.interval * board.columns * board.rows


def _time(seconds: float) -> str:
    """A WebVTT timestamp, such as 01:02:03.040."""
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}.{milliseconds % 1000:03}"
