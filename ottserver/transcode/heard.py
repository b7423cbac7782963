"""Sound that is whole: what is damaged is left out, and so becomes silence. Children only.

A decoder does not say of every damaged packet that it is one. So those beside one that is known to be damaged are left
out too, and so is what no microphone has recorded.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from ottserver.backends.ffmpeg.losses import marked
from ottserver.backends.ffmpeg.opus import packet_samples
from ottserver.backends.ffmpeg.sourcefile import packets
from ottserver.transcode.downmix import planar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from av.audio.codeccontext import AudioCodecContext
    from av.audio.frame import AudioFrame
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream

    from ottserver.transcode.downmix import Samples
    from ottserver.transcode.placing import Placed

    Judged = tuple[list[AudioFrame], bool]

_CHECKED = ("ac3", "eac3", "flac")
# Their frames bear checksums, and encoders are known to write right ones.
_PARSED = ("mpegts", "mpeg")
_STUBBORN = 8
_SEEK_SECONDS = 1
# After so many damaged packets FFmpeg's parser may have lost the beat: it is made anew, at most once in so long.
_LOUDEST = 4.0
# Twelve decibels above full scale: decoders of floats overshoot, but not that far.
_NOISE_LEVEL, _NOISE_SHAPE, _NOISE_TIE = (0.53, 0.62), (1.6, 2.0), 0.15
# Root mean square, kurtosis and correlation of neighbours of random bytes read as samples.
_PART, _TINY = 256, 1e-12
_FADE_SECONDS = 0.004
_OPUS_RATE, _OPUS_SLACK = 48_000, 72
# Matroska rounds to milliseconds.


def whole_frames(container: InputContainer, stream: Stream) -> Iterator[AudioFrame]:
    """Decoded frames of an audio stream from here to the end, without those that are damaged."""
    held: list[AudioFrame] = []
    sound = True
    for frames, whole in _judged(container, stream):
        if whole and sound:
            yield from held
        held, sound = (frames if whole and sound else []), whole
    yield from held


def _judged(container: InputContainer, stream: Stream) -> Iterator[Judged]:
    """What every packet gives, and whether it is whole."""
    marks, coming = marked(packets(container, stream))
    decoder = _Decoder(stream, marks=marks)
    damaged, sought = 0, None
    parsed = container.format.name in _PARSED
    while (packet := next(coming, None)) is not None:
        frames, whole = decoder.decode(packet)
        yield frames, whole
        damaged = 0 if whole else damaged + 1
        if damaged < _STUBBORN or not parsed or packet.pts is None:
            continue
        if sought is None or (packet.pts - sought) * packet.time_base > _SEEK_SECONDS:
            damaged, sought = 0, packet.pts
            with suppress(av.error.FFmpegError):
                container.seek(packet.pts, backward=True, stream=stream)
                coming = packets(container, stream)


class _Decoder:
    """Decodes packets of one stream, each judged by itself."""

    def __init__(self, stream: Stream, *, marks: bool) -> None:
        self._marks = marks
        self._stream = stream
        self._context: AudioCodecContext = stream.codec_context  # type: ignore[assignment] # an audio stream's, says the probe
        self._kind = self._context.codec.canonical_name
        if self._kind in _CHECKED:
            self._context.options = {"err_detect": "crccheck+explode"}

    def decode(self, packet: Packet[Any]) -> Judged:
        """The frames, and whether they are to be trusted."""
        if packet.size and ((packet.is_corrupt and self._marks) or not self._long_enough(packet)):
            return [], False
        try:
            frames = self._context.decode(packet if packet.size else None)
        except av.error.EOFError:
            return [], True
        except av.error.FFmpegError:
            self._renew()
            return [], False
        for frame in frames:
            frame.time_base = self._stream.time_base
        return frames, not any(frame.is_corrupt or self._noise(frame) for frame in frames)

    def _renew(self) -> None:
        """A decoder of AAC goes on with the channels that it found in the damage."""
        if self._kind != "aac":
            return
        fresh: AudioCodecContext = av.CodecContext.create(self._context.codec, "r")  # type: ignore[assignment] # as it was
        if self._stream.codec_context.extradata:
            fresh.extradata = self._stream.codec_context.extradata
        self._context = fresh

    def _long_enough(self, packet: Packet[Any]) -> bool:
        """Any bytes are sound to a decoder of Opus; but they last as long as the container says by chance only."""
        if self._kind != "opus" or not packet.duration:
            return True
        samples = packet_samples(bytes(packet)[:2])
        return samples is not None and abs(samples - packet.duration * packet.time_base * _OPUS_RATE) <= _OPUS_SLACK

    def _noise(self, frame: AudioFrame) -> bool:
        """Whether no microphone has recorded this."""
        samples = planar(frame)
        if not samples.size:
            return False
        if not np.abs(samples).max() <= _LOUDEST:
            return True
        if not self._kind.startswith("pcm_"):
            return False
        # Damage may begin in the middle of a block.
        count = samples.shape[1] // _PART
        parts = samples[:, : count * _PART].reshape(samples.shape[0], count, _PART)
        power = (parts**2).mean(axis=(0, 2))
        level = np.sqrt(power)
        shape = (parts**4).mean(axis=(0, 2)) / np.maximum(power, _TINY) ** 2
        tie = (parts[..., 1:] * parts[..., :-1]).mean(axis=(0, 2)) / np.maximum(power, _TINY)
        loud = (level > _NOISE_LEVEL[0]) & (level < _NOISE_LEVEL[1])
        return bool((loud & (shape > _NOISE_SHAPE[0]) & (shape < _NOISE_SHAPE[1]) & (np.abs(tie) < _NOISE_TIE)).any())


def faded(blocks: Iterable[Placed], rate: int) -> Iterator[Placed]:
    """The blocks, faded out before a hole and in after it, so that none of them clicks."""
    length = round(_FADE_SECONDS * rate)
    held: Placed | None = None
    for position, block in blocks:
        now = block
        if held is not None and position > held[0] + held[1].shape[1]:
            yield held[0], _ramped(held[1], length, out=True)
            now = _ramped(block, length, out=False)
        elif held is not None:
            yield held
        held = position, now
    if held is not None:
        yield held


def _ramped(block: Samples, length: int, *, out: bool) -> Samples:
    some = min(length, block.shape[1])
    ramp = np.arange(some, dtype=np.float32) / max(1, length)
    faded = block.copy()
    if out:
        faded[:, block.shape[1] - some :] *= ramp[::-1]
    else:
        faded[:, :some] *= ramp
    return faded
