from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from ottserver.ingest.probe import probe
from ottserver.transcode.audio import audio_init, audio_segments
from ottserver.transcode.downmix import matrix
from ottserver.transcode.grid import AAC_FRAME
from ottserver.transcode.limiter import BLOCK, CEILING, REACH, limited
from ottserver.transcode.pcm import Pcm
from tests.transcode.clips import packets_of
from tests.transcode.stitching import plan_of, stitched_audio

if TYPE_CHECKING:
    from pathlib import Path

    from av.audio.stream import AudioStream

RATE = 48000
DB = {-3: 0.5**0.5}


def film(path: Path, samples: np.ndarray, layout: str, codec: str = "flac") -> Path:
    """A film of grey pictures with this sound, shape (channels, n), at 48 kHz."""
    with av.open(str(path), "w") as out:
        pictures = out.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        sound: AudioStream = out.add_stream(codec, rate=RATE)  # type: ignore[assignment] # an audio codec's name
        sound.layout = layout
        for number in range(samples.shape[1] * 25 // RATE):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8))
            picture.pts = number
            out.mux(pictures.encode(picture))
        out.mux(pictures.encode(None))
        step = sound.codec_context.frame_size or 1024
        for at in range(0, samples.shape[1], step):
            block = np.ascontiguousarray(samples[:, at : at + step].T.astype(np.float32)).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(block, format="flt", layout=layout)
            frame.sample_rate, frame.pts = RATE, at
            for ready in av.AudioResampler(sound.codec_context.format, layout, RATE).resample(frame):
                out.mux(sound.encode(ready))
        out.mux(sound.encode(None))
    return path


def tones(channels: int, seconds: float, level: float) -> np.ndarray:
    """A tone of its own in every channel: 300 Hz, 400 Hz and so on."""
    time = np.arange(round(seconds * RATE)) / RATE
    return level * np.stack([np.sin(2 * np.pi * (300 + 100 * channel) * time) for channel in range(channels)])


def levels(samples: np.ndarray, tones: int) -> np.ndarray:
    """How strong each of the tones is in each row: shape (rows, tones)."""
    inner = samples[:, RATE // 2 : RATE // 2 + RATE]
    spectrum = np.abs(np.fft.rfft(inner)) * 2 / RATE
    return spectrum[:, [300 + 100 * tone for tone in range(tones)]]


def heard(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)


@pytest.mark.parametrize(
    ("layout", "left", "right"),
    [
        ("2.1", [0, None, None], [None, 0, None]),
        ("4.0", [0, None, -3, -6], [None, 0, -3, -6]),
        ("quad", [0, None, -3, None], [None, 0, None, -3]),
        ("5.0", [0, None, -3, -3, None], [None, 0, -3, None, -3]),
        ("5.1(side)", [0, None, -3, None, -3, None], [None, 0, -3, None, None, -3]),
        ("6.1", [0, None, -3, None, -6, -3, None], [None, 0, -3, None, -6, None, -3]),
        ("7.1", [0, None, -3, None, -6, None, -3, None], [None, 0, -3, None, None, -6, None, -3]),
        ("mono", [0], [0]),
    ],
)
def test_every_layout_is_heard_in_stereo(
    layout: str, left: list[int | None], right: list[int | None], tmp_path: Path
) -> None:
    sound = tones(len(left), 2, 0.1)
    source = film(tmp_path / "film.mkv", sound, layout, "flac" if layout != "2.1" else "pcm_s16le")
    plan = plan_of(probe(source))
    made = levels(heard(stitched_audio(source, plan, tmp_path / "stitched.mp4")), len(left))
    wanted = [[0.0 if db is None else 0.1 * 10 ** (db / 20) for db in side] for side in (left, right)]
    # Half a decibel, and 40 dB down where nothing is wanted.
    np.testing.assert_allclose(made, wanted, rtol=0.06, atol=0.001)
    assert [track.channels for track in plan.tracks] == ([2, 6] if layout in {"5.1(side)", "6.1", "7.1"} else [2])


@pytest.mark.parametrize(
    ("layout", "folded"),
    [
        ("5.1", {}),
        ("5.1(side)", {}),
        ("6.1", {(4, 4): 0.5**0.5, (5, 4): 0.5**0.5, (4, 5): 1, (5, 6): 1, (5, 5): 0}),
        ("7.1", {(4, 4): 0.5**0.5, (5, 5): 0.5**0.5, (4, 6): 1, (5, 7): 1}),
    ],
)
def test_surround_keeps_every_channel_in_its_place(
    layout: str, folded: dict[tuple[int, int], float], tmp_path: Path
) -> None:
    count = av.AudioLayout(layout).nb_channels
    # Deep enough for the LFE channel, whose band AAC's encoder cuts off.
    sound = tones(count, 4.5, 0.1)
    sound[3] = 0.1 * np.sin(2 * np.pi * 60 * np.arange(sound.shape[1]) / RATE)
    source = film(tmp_path / "film.mkv", sound, layout)
    plan = plan_of(probe(source))
    assert [(track.name, track.channels, track.bitrate) for track in plan.tracks] == [
        ("a0", 2, 128_000),
        ("a0s", 6, 384_000),
    ]
    stitched = stitched_audio(source, plan, tmp_path / "stitched.mp4", track=1)
    samples = heard(stitched)
    made = levels(samples, count)
    wanted = np.zeros((6, count))
    for row in range(6):
        wanted[row, row] = 0.1
    for (row, column), share in folded.items():
        wanted[row, column] = 0.1 * share
    wanted[3] = 0
    np.testing.assert_allclose(made, wanted, rtol=0.06, atol=0.002)
    deep = np.abs(np.fft.rfft(samples[3, RATE // 2 : RATE // 2 + RATE]))[60] * 2 / RATE
    assert deep == pytest.approx(0.1, rel=0.06)
    packets = packets_of(stitched)["audio"]
    assert all(after[0] - before[0] == AAC_FRAME for before, after in pairwise(packets))
    with av.open(str(stitched)) as container:
        context = container.streams.audio[0].codec_context
        # ISO/IEC 14496-3: AAC-LC, 48 kHz, channel configuration 6.
        assert bytes(context.extradata or b"")[:2] == bytes([0b00010_001, 0b1_0110_000])


def test_seams_of_surround_are_as_good_as_its_middles(bbb_1080p: Path, tmp_path: Path) -> None:
    plan = plan_of(probe(bbb_1080p))
    track = next(track for track in plan.tracks if track.channels == 6)
    pcm = Pcm(bbb_1080p, plan, track)
    init = audio_init(track).data
    parts = {index: media for n in (5, 4, 3) for index, _, media in audio_segments(bbb_1080p, plan, track, n, 1)}
    path = tmp_path / "three.mp4"
    path.write_bytes(init + b"".join(parts[index] for index in sorted(parts)))
    start = packets_of(path)["audio"][0][0]
    made = heard(path)
    wanted = pcm.read(start, start + made.shape[1])
    lengths = [len(packets_of_segment(init, parts[index], tmp_path)) * AAC_FRAME for index in (3, 4)]

    def noise(at: int) -> float:
        part = slice(at - 1536, at + 1536)
        error = float(((made[:, part] - wanted[:, part]) ** 2).mean())
        return 10 * float(np.log10(float((wanted[:, part] ** 2).mean()) / (error + 1e-12)))

    seams = [lengths[0], sum(lengths)]
    assert min(noise(at) for at in seams) > min(noise(at - 40_000) for at in seams) - 6
    assert min(noise(at) for at in seams) > 25


def packets_of_segment(init: bytes, media: bytes, folder: Path) -> list[tuple[int, int, int]]:
    path = folder / "one.mp4"
    path.write_bytes(init + media)
    return packets_of(path)["audio"]


def test_custom_layout_of_a_camera_plays(tmp_path: Path) -> None:
    # QuickTime's description of 7.1 gives a layout that PyAV by itself frees twice, which ends the process.
    source = film(tmp_path / "film.mov", tones(8, 2, 0.1), "7.1", "pcm_s16le")
    report = probe(source)
    assert report.audio[0].channels == 8
    plan = plan_of(report)
    assert [track.channels for track in plan.tracks] == [2, 6]
    made = levels(heard(stitched_audio(source, plan, tmp_path / "stitched.mp4")), 3)
    np.testing.assert_allclose(made, [[0.1, 0, 0.0707], [0, 0.1, 0.0707]], rtol=0.06, atol=0.001)


def test_channels_without_a_place_give_the_usual_ones() -> None:
    assert matrix(("",) * 6, 2).tolist() == matrix(("FL", "FR", "FC", "LFE", "BL", "BR"), 2).tolist()
    assert matrix(("",) * 4, 2).tolist() == [[1, 0, 0, 0], [0, 1, 0, 0]]
    assert matrix(("",), 2).tolist() == [[1], [1]]


def test_full_scale_in_all_channels_neither_clips_nor_wraps(tmp_path: Path) -> None:
    sound = np.repeat(np.sin(2 * np.pi * 440 * np.arange(RATE * 4) / RATE)[None], 6, axis=0)
    # Quiet, then all channels at full scale together, which stereo adds up to 2.4 times that, then quiet.
    sound[:, :RATE] *= 0.1
    sound[:, 3 * RATE :] *= 0.1
    source = film(tmp_path / "film.mkv", sound, "5.1")
    plan = plan_of(probe(source))
    made = heard(stitched_audio(source, plan, tmp_path / "stitched.mp4"))
    assert np.abs(made).max() < 1.0
    loud, quiet = made[:, RATE + 4800 : 3 * RATE - 4800], made[:, 4800 : RATE - 4800]
    spectrum = np.abs(np.fft.rfft(loud[0] * np.hanning(loud.shape[1])))
    at = round(440 * loud.shape[1] / RATE)
    rest = np.delete(spectrum, range(at - 8, at + 9))
    assert float((spectrum[at - 8 : at + 9] ** 2).sum() / (rest**2).sum()) > 1000
    assert np.abs(loud).max() > 0.85
    assert np.abs(quiet).max() == pytest.approx(0.1 * (1 + 2 * DB[-3]), rel=0.05)


def test_dialogue_is_as_loud_beside_the_front_pair_as_in_the_source(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    voice, music = rng.normal(0, 0.05, RATE * 2), rng.normal(0, 0.05, (2, RATE * 2))
    power = []
    for name, speech, front in (("voice", voice, music * 0), ("music", voice * 0, music)):
        sound = np.zeros((6, RATE * 2))
        sound[:2], sound[2] = front, speech
        source = film(tmp_path / f"{name}.mkv", sound, "5.1")
        plan = plan_of(probe(source))
        made = Pcm(source, plan, plan.tracks[0]).read(0, RATE * 2)
        power.append(10 * np.log10((made**2).sum() / (sound**2).sum()))
    assert abs(power[0]) < 0.1
    assert abs(power[1]) < 0.1


def test_limiting_is_the_same_from_wherever_it_begins() -> None:
    rng = np.random.default_rng(2)
    sound = (rng.normal(0, 0.3, (2, 400 * BLOCK)) * (1 + 2 * (rng.random(400 * BLOCK) > 0.9995))).astype(np.float32)
    whole = limited(sound)
    assert np.abs(whole).max() <= CEILING + 1e-6
    for at in (0, 3 * BLOCK, 171 * BLOCK):
        count = 64 * BLOCK
        part = limited(sound[:, at : at + count + 2 * REACH])
        assert (part == whole[:, at : at + count]).all()


def test_limiting_leaves_alone_what_is_not_too_loud() -> None:
    sound = np.full((2, 100 * BLOCK), 0.5, np.float32)
    sound[:, 50 * BLOCK] = 3.0
    made = limited(sound)
    reach = REACH // BLOCK
    assert made[0, (50 - reach) * BLOCK] < 3 * CEILING / 3 + 1e-6
    assert (made[:, : (50 - 2 * reach) * BLOCK] == 0.5).all()
    assert (made[:, 50 * BLOCK :] == 0.5).all()
