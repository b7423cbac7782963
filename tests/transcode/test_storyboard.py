from __future__ import annotations

import asyncio
import io
import time
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

from ottserver.events import ExtrasReady, PresentationComplete
from ottserver.ingest.probe import probe
from ottserver.media import artwork_key, segment_key
from ottserver.transcode import keyframes, store
from ottserver.transcode.board import from_segments, layout
from ottserver.transcode.keyframes import coarse_to_fine
from ottserver.transcode.plan import grid_of
from ottserver.transcode.storyboard import NothingShown, glance, storyboard
from tests.transcode.clips import BITS, Clip, number_on, turn, write
from tests.transcode.stitching import plan_of
from tests.transcode.test_service import planned

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ottserver.media import Storyboard
    from ottserver.transcode.models import EncodingPlan
    from ottserver.transcode.storyboard import Made
    from tests.transcode.room import OpenRoom, Room

KEYS = (("preset", "ultrafast"), ("bf", "2"), ("g", "50"), ("sc_threshold", "0"))


def decoded(data: bytes) -> np.ndarray:
    """Red, green and blue of a JPEG, shape (height, width, 3)."""
    with av.open(io.BytesIO(data), "r", format="jpeg_pipe") as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


class Drawn:
    """What an errand made of a file."""

    def __init__(self, source: Path, errand: Callable[[Path, EncodingPlan], Made] = storyboard) -> None:
        self.files: dict[str, bytes] = {}
        for about, data in errand(source, plan_of(probe(source))):
            if "result" in about:
                self.board: dict[str, Any] = about["result"]["storyboard"]
                self.artwork: dict[str, Any] = about["result"].get("artwork", {})
            else:
                self.files[about.get("extra") or about["picture"]] = data

    def tiles(self) -> list[np.ndarray]:
        """Every tile in its order."""
        width, height = self.board["tile_width"], self.board["tile_height"]
        columns, rows = self.board["columns"], self.board["rows"]
        found = []
        for sheet in range(-(-self.board["tiles"] // (columns * rows))):
            picture = decoded(self.files[f"{self.board['folder']}/{sheet}.jpg"])
            assert picture.shape == (height * rows, width * columns, 3)
            found += [
                picture[row * height : (row + 1) * height, column * width : (column + 1) * width]
                for row in range(rows)
                for column in range(columns)
            ]
        assert f"{self.board['folder']}/{len(found) // (columns * rows)}.jpg" not in self.files
        return found[: self.board["tiles"]]


def number_in(tile: np.ndarray) -> int:
    """The number that the bars of a tile stand for."""
    luma = tile.mean(axis=2)
    edges = np.linspace(0, luma.shape[1], BITS + 1).astype(int)
    bits = [luma[:, left + 3 : right - 3].mean() > 126 for left, right in pairwise(edges)]
    return int("".join("1" if bit else "0" for bit in bits), 2)


@pytest.fixture(scope="module")
def long_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten minutes and twenty seconds, one picture a second."""
    options = (("preset", "ultrafast"), ("bf", "0"), ("g", "2"), ("sc_threshold", "0"))
    clip = Clip("long.mp4", seconds=620, rate=Fraction(1), size=(160, 90), options=options)
    return write(clip, tmp_path_factory.mktemp("long"))


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.ts", "film.avi", "film.mov"])
def test_every_tile_shows_its_own_place_in_the_film(tmp_path: Path, name: str) -> None:
    options = KEYS if not name.endswith("avi") else (("preset", "ultrafast"), ("bf", "0"), ("g", "50"))
    drawn = Drawn(write(Clip(name, seconds=21, options=options), tmp_path))
    assert (drawn.board["interval"], drawn.board["tiles"]) == (2.0, 11)
    assert [number_in(tile) for tile in drawn.tiles()] == list(range(0, 525, 50))


@pytest.mark.parametrize("name", ["late.mp4", "late.ts", "late.mkv"])
def test_between_rare_key_frames_the_last_one_is_shown(tmp_path: Path, name: str) -> None:
    options = (("preset", "ultrafast"), ("bf", "2"), ("g", "130"), ("sc_threshold", "0"))
    drawn = Drawn(write(Clip(name, seconds=14, first=37, options=options), tmp_path))
    assert [number_in(tile) for tile in drawn.tiles()] == [0, 0, 0, 130, 130, 130, 260]


def test_film_that_cannot_be_sought_in_is_read_through(tmp_path: Path) -> None:
    source = write(Clip("film.mp4", seconds=9, options=KEYS), tmp_path)
    plan = plan_of(probe(source))
    until = time.monotonic() + 60
    found = keyframes._passed(source, plan, [place * 2 * 12800 for place in range(5)], until)  # noqa: SLF001 - no small file refuses to be sought in
    assert [(place, number_on(frame)) for place, _, frame in found if frame] == [(n, 50 * n) for n in range(5)]


def test_film_of_one_frame_has_one_tile_and_one_picture(tmp_path: Path) -> None:
    drawn = Drawn(write(Clip("one.mp4", seconds=0.04), tmp_path))
    assert (drawn.board["tiles"], drawn.board["columns"], drawn.board["rows"]) == (1, 1, 1)
    assert (len(drawn.artwork["seconds"]), drawn.artwork["poster"], drawn.artwork["backdrop"]) == (1, 0, 0)
    assert {"storyboard/0.jpg", "poster-0", "backdrop-0"} == set(drawn.files)


def test_tiles_are_upright_and_in_the_shape_that_is_shown(tmp_path: Path) -> None:
    turned = Drawn(turn(write(Clip("phone.mp4", seconds=1), tmp_path), 90))
    assert (turned.board["tile_width"], turned.board["tile_height"]) == (144, 256)
    wide = Drawn(write(Clip("wide.mp4", seconds=1, size=(720, 576), aspect=Fraction(64, 45)), tmp_path))
    assert wide.board["tile_width"] / wide.board["tile_height"] == pytest.approx(16 / 9, rel=0.01)
    small = Drawn(write(Clip("small.mp4", seconds=1, size=(96, 64)), tmp_path))
    assert (small.board["tile_width"], small.board["tile_height"]) == (96, 64)
    assert {decoded(data).shape for name, data in small.files.items() if "-" in name} == {(64, 96, 3)}


def coloured(path: Path, colours: list[tuple[int, int, int]], *, noise: int = 60, bars: int = 0) -> Path:
    """A film of one key frame a second, each of its own colour with some structure; `bars` rows black at each edge."""
    random = np.random.default_rng(7)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=1, options={"preset": "ultrafast", "g": "1", "crf": "12"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for colour in colours:
            grain = np.repeat(np.repeat(random.integers(-noise, noise + 1, (23, 40, 1)), 8, axis=0), 8, axis=1)[:180]
            picture = np.clip(np.array(colour)[None, None] + grain * (20 < max(colour) < 255), 0, 255).astype(np.uint8)
            if bars:
                picture[:bars] = picture[-bars:] = 0
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
    return path


def test_black_and_white_pictures_are_left_out_and_the_others_differ(tmp_path: Path) -> None:
    colours = [(0, 0, 0), (0, 0, 0), (200, 60, 60), (200, 60, 60), (60, 180, 60), (60, 180, 60), (60, 60, 200)]
    drawn = Drawn(coloured(tmp_path / "film.mp4", [*colours, (60, 60, 200), (255, 255, 255), (255, 255, 255)]))
    assert set(drawn.artwork["seconds"]) == {2.0, 4.0, 6.0}
    assert len(drawn.artwork["seconds"]) == 3
    means = [decoded(drawn.files[f"poster-{number}"]).mean(axis=(0, 1)) for number in range(3)]
    assert {int(mean.argmax()) for mean in means} == {0, 1, 2}


def test_bars_are_cut_off_pictures_and_stay_on_tiles(tmp_path: Path) -> None:
    drawn = Drawn(coloured(tmp_path / "scope.mp4", [(180, 120, 80)] * 4, bars=24))
    height, width, _ = decoded(drawn.files["backdrop-0"]).shape
    assert width == 320
    assert height == pytest.approx(132, abs=4)
    assert decoded(drawn.files["poster-0"])[0].mean() > 60
    assert drawn.tiles()[0][:8].mean() < 8


def test_colours_of_tiles_are_those_of_the_film(tmp_path: Path) -> None:
    drawn = Drawn(coloured(tmp_path / "red.mp4", [(200, 40, 40)], noise=0))
    assert drawn.tiles()[0].mean(axis=(0, 1)) == pytest.approx([200, 40, 40], abs=8)


def test_pictures_of_high_dynamic_range_are_shown_in_the_standard_one(tmp_path: Path) -> None:
    path = tmp_path / "pq.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx265", rate=1, options={"preset": "ultrafast", "x265-params": "log-level=none"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p10le"
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace, context.color_range = 16, 9, 9, 1
        grey = av.VideoFrame.from_ndarray(np.full((180, 320, 3), 148, np.uint8), format="rgb24")
        out.mux(stream.encode(grey.reformat(format="yuv420p10le")))
        out.mux(stream.encode(None))
    # The code of reference white, 203 cd/m2 (ITU-R BT.2408): nine tenths of the signal.
    assert Drawn(path).tiles()[0].mean() == pytest.approx(0.9 * 255, abs=5)


def test_damaged_place_holds_the_picture_before(tmp_path: Path) -> None:
    source = write(Clip("film.mkv", seconds=13, options=KEYS), tmp_path)
    with av.open(str(source)) as container:
        keys = [packet for packet in container.demux(video=0) if packet.is_keyframe and packet.size]
        third = bytes(keys[3])
    data = bytearray(source.read_bytes())
    at = data.index(third)
    data[at : at + len(third)] = b"\x00" * len(third)
    source.write_bytes(data)
    assert [number_in(tile) for tile in Drawn(source).tiles()] == [0, 50, 100, 100, 200, 250, 300]


def test_film_without_a_single_picture_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write(Clip("film.mp4", seconds=3, options=KEYS), tmp_path)
    monkeypatch.setattr(keyframes, "_picture", lambda stream, packet: None)  # noqa: ARG005 - the function's signature
    with pytest.raises(NothingShown):
        Drawn(source)


@pytest.mark.parametrize(
    ("seconds", "interval", "tiles", "sheets"),
    [(0.04, 2, 1, 1), (30, 2, 15, 1), (1000, 2, 500, 8), (1001, 3, 334, 6), (7200, 15, 480, 8), (86_400, 300, 288, 5)],
)
def test_number_of_tiles_is_bounded_for_any_length(
    tmp_path: Path, seconds: float, interval: int, tiles: int, sheets: int
) -> None:
    report = probe(write(Clip("film.mp4", seconds=0.2), tmp_path))
    board = layout(plan_of(replace(report, video=replace(report.video, frames=round(25 * seconds)))))
    assert (board.interval, board.tiles, board.sheets) == (interval, tiles, sheets)


def test_long_film_has_a_rough_sheet_with_its_artwork_before_the_fine_ones(long_film: Path) -> None:
    rough, fine = Drawn(long_film, glance), Drawn(long_film)
    assert (rough.board["folder"], rough.board["interval"], rough.board["tiles"]) == ("glance", 10.0, 62)
    assert [number_in(tile) for tile in rough.tiles()] == list(range(0, 620, 10))
    assert len(rough.artwork["seconds"]) > 1
    assert {"glance/0.jpg", "poster-0", "backdrop-0"} < set(rough.files)
    # What a title page shows does not change when the fine ones come.
    assert (fine.board["folder"], fine.board["tiles"], fine.artwork) == ("storyboard", 310, {})
    assert set(fine.files) == {f"storyboard/{sheet}.jpg" for sheet in range(5)}


async def test_rough_pictures_of_a_long_film_are_announced_first_and_stay(long_film: Path, room: Room) -> None:
    await asyncio.to_thread(room.take, long_film)
    async with room.open(fill=True) as opened:
        presentation = await planned(room, opened)
        first, second = await opened.fact(ExtrasReady), await opened.fact(ExtrasReady, 2)
        assert isinstance(first, ExtrasReady)
        assert isinstance(second, ExtrasReady)
        assert first.extras.storyboard is None
        assert first.extras.board == first.extras.glance is not None
        assert second.extras.board == second.extras.storyboard is not None
        assert (second.extras.glance, second.extras.artwork) == (first.extras.glance, first.extras.artwork)
        give = opened.service.extra
        for sheet in ("glance/0.jpg", "storyboard/4.jpg"):
            assert (await give(presentation.id, sheet)).startswith(b"\xff\xd8\xff")


@pytest.fixture(scope="module")
def rare_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """13 seconds with a key frame every seven."""
    options = (("preset", "ultrafast"), ("g", "175"), ("sc_threshold", "0"))
    return write(Clip("rare.mp4", seconds=13, size=(160, 90), options=options), tmp_path_factory.mktemp("rare"))


async def seen(opened: OpenRoom, identity: str, board: Storyboard | None) -> list[int]:
    """The numbers on the tiles of a storyboard of one sheet."""
    assert board is not None
    assert board.sheets == 1
    give = opened.service.extra
    sheet = decoded(await give(identity, f"{board.folder}/0.jpg"))
    wide, high = board.tile_width, board.tile_height
    corners = [(tile // board.columns * high, tile % board.columns * wide) for tile in range(board.tiles)]
    return [number_in(sheet[top : top + high, left : left + wide]) for top, left in corners]


async def test_between_rare_key_frames_every_place_is_shown_once_it_was_encoded(rare_film: Path, room: Room) -> None:
    await asyncio.to_thread(room.take, rare_film)
    async with room.open(fill=True) as opened:
        identity = (await planned(room, opened)).id
        first = await opened.fact(ExtrasReady)
        assert isinstance(first, ExtrasReady)
        assert first.extras.artwork is not None
        assert first.extras.storyboard is None
        assert await seen(opened, identity, first.extras.board) == [0, 0, 0, 0, 175, 175, 175]
    # A server that ends in between goes on with what is left, and then with the pictures.
    async with room.open(fill=True) as opened:
        second = await opened.fact(ExtrasReady, 2)
        assert isinstance(second, ExtrasReady)
        assert second.extras.board == second.extras.storyboard
        # There was one picture to choose beside the black first one, and there are more now.
        assert second.extras.artwork is not None
        assert len(first.extras.artwork.seconds) == 1 < len(second.extras.artwork.seconds)
        for place in ("poster", "backdrop"):
            chosen = len(second.extras.artwork.seconds) - 1
            picture = await opened.blobs.get(artwork_key(identity, f"{place}-{chosen}"))
            assert decoded(picture).shape == (90, 160, 3)
        assert await seen(opened, identity, second.extras.board) == list(range(0, 301, 50))
        # What players were told of before is still there, as it was.
        assert await seen(opened, identity, second.extras.glance) == [0, 0, 0, 0, 175, 175, 175]
        await opened.fact(PresentationComplete)


async def test_pictures_are_drawn_after_a_restart_and_of_what_is_there(rare_film: Path, room: Room) -> None:
    await asyncio.to_thread(room.take, rare_film)
    async with room.open() as opened:
        presentation = await planned(room, opened)
        for index in range(6):
            await opened.service.segment(presentation.id, "v480", index)
        async with opened.database.writing() as work:
            await store.keep_damage(work.connection, presentation.id, {"v480": {3: "it could not be read"}})
        await opened.blobs.delete(segment_key(presentation.id, "v480", 3))
        await opened.blobs.put(segment_key(presentation.id, "v480", 5), b"not what was written")
    async with room.open(fill=True) as opened:
        drawn = await opened.fact(ExtrasReady, 2)
        assert isinstance(drawn, ExtrasReady)
        shown = await seen(opened, presentation.id, drawn.extras.storyboard)
        assert shown == [0, 50, 100, 100, 200, 200, 300]


def test_key_frames_are_enough_where_segments_show_no_more(rare_film: Path) -> None:
    report = probe(rare_film)
    assert from_segments(plan_of(report)) is not None
    frequent = replace(report.video, keys=tuple(range(0, 325, 50)))
    assert from_segments(plan_of(replace(report, video=frequent))) is None
    assert from_segments(replace(plan_of(report), cuts=(175,))) is None
    assert from_segments(replace(plan_of(report), rungs=())) is None


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(25), Fraction(60)])
def test_tiles_are_taken_from_segments_within_a_second_of_their_places(rare_film: Path, rate: Fraction) -> None:
    report = probe(rare_film)
    plan = plan_of(replace(report, video=replace(report.video, frame_rate=str(rate), frames=round(900 * rate))))
    drawn, starts = from_segments(plan), grid_of(plan).starts
    assert drawn is not None
    assert len(drawn.segments) == drawn.board.tiles
    away = [abs(starts[index] / rate - 2 * tile) for tile, index in enumerate(drawn.segments)]
    assert max(away) <= 1
    assert max(away[:20]) < 0.1


def test_places_far_apart_come_first_and_each_once() -> None:
    order = coarse_to_fine(300)
    assert order[:5] == [0, 64, 128, 192, 256]
    assert sorted(order) == list(range(300))
