"""Audio segments: AAC-LC, stereo or 5.1, in fragmented MP4. Children only.

Each segment is encoded afresh with what sounds before and after it, and only the packets inside it are kept: with 16
frames of pre-roll the seams are as good as those of an encoding in one piece.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np

from ottserver.transcode.codecs import aac_codecs
from ottserver.transcode.downmix import LAYOUTS
from ottserver.transcode.grid import AAC_FRAME
from ottserver.transcode.limiter import REACH, limited
from ottserver.transcode.models import InitSegment
from ottserver.transcode.mux import Fragment
from ottserver.transcode.pcm import Pcm
from ottserver.transcode.plan import audio_bandwidth, audio_boundaries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.audio.codeccontext import AudioCodecContext
    from av.audio.stream import AudioStream
    from av.packet import Packet

    from ottserver.transcode.downmix import Samples
    from ottserver.transcode.models import EncodingPlan, Track

PRE_ROLL = 16
"""AAC frames encoded before a segment's first and thrown away."""
_POST_ROLL = 1
_CODER = {"aac_coder": "twoloop"}
# `fast` is three times as fast (232x real time instead of 76x in stereo, 94x instead of 36x in 5.1) and better with
# most sound (SNR of 30 s of a film 35 dB instead of 26, noise per third octave 6 dB lower), but a loud pure tone
# overflows its quantiser: 9 to 12 dB SNR at nine tenths of full scale, where this one has 38 to 69 dB.
_LESS = 0.85
_LEAST = 0.3


def audio_init(track: Track) -> InitSegment:
    """The track's init segment: it depends on the sample rate, the channels and the bit rate only."""
    silence = np.zeros((track.channels, AAC_FRAME), np.float32)
    init, _, extradata = fragment(track, encoded(track, silence, 0)[-1:])
    return InitSegment(track.name, aac_codecs(extradata), init)


def audio_segments(
    path: Path, plan: EncodingPlan, track: Track, first: int, count: int
) -> Iterator[tuple[int, bytes, bytes]]:
    """Segments `first` up to `first + count` of a track from one decoding: index, init segment, media segment.

    Raises `av.error.FFmpegError` or `OSError` when the source cannot be read at all.
    """
    bounds = audio_boundaries(plan, track)
    base, last = bounds[first] - PRE_ROLL * AAC_FRAME, bounds[first + count] + _POST_ROLL * AAC_FRAME
    samples = limited(Pcm(path, plan, track).read(base - REACH, last + REACH))
    for index in range(first, first + count):
        start, end = bounds[index], bounds[index + 1]
        at = start - PRE_ROLL * AAC_FRAME
        part = samples[:, at - base : end + _POST_ROLL * AAC_FRAME - base]
        most = audio_bandwidth(track) * Fraction(end - start, track.sample_rate)
        share = 1.0
        init, media, _ = fragment(track, _within(encoded(track, part, at), start, end))
        while len(media) * 8 > most and share > _LEAST:
            share *= _LESS
            init, media, _ = fragment(track, _within(encoded(track, part, at, share), start, end))
        yield index, init, media


def encoded(track: Track, samples: Samples, position: int, share: float = 1.0) -> list[Packet[AudioStream]]:
    """All packets of the samples, of which the first is at `position`, at a share of the track's bit rate."""
    context: AudioCodecContext = av.CodecContext.create("aac", "w")
    time_base, layout = Fraction(1, track.sample_rate), LAYOUTS[track.channels]
    context.options = dict(_CODER)
    context.sample_rate, context.layout, context.format = track.sample_rate, layout, "fltp"
    context.time_base, context.bit_rate = time_base, round(track.bitrate * share)
    packets = []
    for offset in range(0, samples.shape[1], AAC_FRAME):
        block = np.ascontiguousarray(samples[:, offset : offset + AAC_FRAME])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = track.sample_rate, position + offset, time_base
        packets += context.encode(frame)
    return packets + context.encode(None)


def fragment(track: Track, packets: list[Packet[AudioStream]]) -> tuple[bytes, bytes, bytes]:
    """Init segment, media segment and configuration (ISO/IEC 14496-3) of packets in the track's time base.

    The init segment is the same for all: it speaks of the bit rate that was asked for, not of what was taken.
    """
    made = Fragment(track.sample_rate, packets[0].pts or 0)
    stream: AudioStream = made.container.add_stream("aac", rate=track.sample_rate)
    stream.layout, stream.format, stream.time_base = LAYOUTS[track.channels], "fltp", Fraction(1, track.sample_rate)
    stream.bit_rate = track.bitrate
    made.container.start_encoding()
    extradata = bytes(stream.codec_context.extradata or b"")
    for packet in packets:
        packet.stream = stream
        made.add(packet)
    return (*made.close(), extradata)


def _within(packets: list[Packet[AudioStream]], start: int, end: int) -> list[Packet[AudioStream]]:
    kept = [packet for packet in packets if packet.pts is not None and start <= packet.pts < end]
    if len(kept) * AAC_FRAME != end - start:
        message = f"the audio encoder gave {len(kept)} frames for {(end - start) // AAC_FRAME}"
        raise RuntimeError(message)
    return kept
