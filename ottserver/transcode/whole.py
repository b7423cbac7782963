"""Pictures that are whole: damaged ones and those that refer to them are left out, so that the one before is held.

FFmpeg conceals damage: it shows grey smears, and goes on predicting from them. Here decoding stops at the first damaged
picture, counted in the order of decoding, and begins anew at the next key picture, exactly as it does after a seek; so
a film has the same pictures from wherever its decoding began. Children only.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import floor
from typing import TYPE_CHECKING, Any

import av

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from fractions import Fraction

    from av.packet import Packet
    from av.stream import Stream
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream as Demuxed

    from ottserver.backends.ffmpeg.losses import Losses

    Numbered = tuple[int, VideoFrame]

PATIENCE_SECONDS = 10
"""After so long without any whole picture damaged ones are better than none."""
_MOST_REORDERED = 16
# Pictures that may be shown before one that was decoded before them (H.264 and HEVC allow no more).
_B_REFERRED_TO_BY_NONE = ("mpeg1video", "mpeg2video", "mpeg4", "flv1", "wmv2", "vc1")


@dataclass(frozen=True, slots=True)
class _Fed:
    """A packet that was given to the decoder."""

    place: int
    """Which one it was, counted from 0."""
    stamp: int | None
    referred: bool


@dataclass(frozen=True, slots=True)
class _Shown:
    fed: _Fed
    number: int
    frame: VideoFrame


class WholePictures:
    """Decodes one stream's packets."""

    def __init__(
        self,
        stream: Demuxed,
        losses: Losses,
        number: Callable[[int], int],
        rate: Fraction,
        *,
        patient: bool = True,
    ) -> None:
        """`number` turns a timestamp into a frame number of the grid, which has `rate` frames a second.

        Who is not `patient` is shown damaged pictures at once, until a whole one comes.
        """
        self._context = stream.codec_context
        self._time_base = stream.time_base
        self._context.copy_opaque = True
        self._losses = losses
        self._number_at = number
        self._patience = PATIENCE_SECONDS * rate
        self._latest: int | None = None
        # Number up to which damaged pictures are not shown.
        if not patient:
            self._latest = -1
        self._number = -1
        self._fed = -1
        self._fresh = True
        self._waiting = True
        self._keys: deque[_Fed] = deque(maxlen=_MOST_REORDERED)
        self._pending: deque[int] = deque()
        self._ready: deque[_Shown] = deque()
        self._greatest = -1
        self._damaged: int | None = None
        # Place of the first damaged picture; what follows is left out up to a key picture.
        self._anew: _Fed | None = None

    def read(self, packets: Iterable[Packet[Stream]]) -> Iterator[Numbered]:
        """The pictures with their numbers, in the order in which they are shown."""
        return _agreed(self._read(packets), self._patience)

    def _read(self, packets: Iterable[Packet[Stream]]) -> Iterator[Numbered]:
        for packet in packets:
            if not packet.size:
                self._drain()
                break
            self._feed(packet)
            yield from self._settled()
        yield from self._settled(end=True)

    def _feed(self, packet: Packet[Stream]) -> None:
        stamp = packet.dts if packet.pts is None else packet.pts
        if self._latest is None:
            self._latest = floor(self._patience) + (0 if stamp is None else self._number_at(stamp))
        loss = self._losses.at(packet)
        if (loss.before or loss.inside) and not self._waiting:
            self._stop(max(0, self._fed + 1 - loss.before))
        if self._waiting and (loss.inside or not packet.is_keyframe) and not self._late(stamp):
            return
        fed = _Fed(self._fed + 1, stamp, referred=loss.referred)
        if packet.is_keyframe and not loss.inside:
            self._keys.append(fed)
            if self._waiting:
                self._waiting = False
                # What a fresh decoder shows is whole, says the decoder.
                self._damaged = None if self._fresh else self._damaged
                self._anew = fed
        elif self._waiting:
            self._damaged = fed.place if self._damaged is None else self._damaged
            self._fresh = False
        self._fed = fed.place
        packet.opaque = fed
        self._pending.append(fed.place)
        # In vain in all decoders that know when they have recovered, until patience is at its end.
        self._context.flags = self._context.flags | _CORRUPT if self._waiting else self._context.flags & ~_CORRUPT
        self._decode(packet)

    def _decode(self, packet: Packet[Any] | None) -> None:
        try:
            frames = self._context.decode(packet)
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            # Threads say so later.
            self._stop(max(0, self._fed - max(0, self._context.thread_count - 1)))
            return
        for frame in frames:
            self._take(frame)

    def _take(self, frame: VideoFrame) -> None:
        frame.time_base = self._time_base
        fed = frame.opaque if isinstance(frame.opaque, _Fed) else _Fed(self._fed, frame.pts, referred=True)
        shown = frame.dts if frame.pts is None else frame.pts
        self._number = self._number + 1 if shown is None else self._number_at(shown)
        if fed.place in self._pending:
            self._pending.remove(fed.place)
        self._greatest = max(self._greatest, fed.place)
        late = self._number > (self._latest or 0)
        if frame.is_corrupt and self._whole(fed):
            alone = not fed.referred or (
                self._context.name in _B_REFERRED_TO_BY_NONE and frame.pict_type == av.video.frame.PictureType.B
            )
            if not alone:
                self._stop(fed.place)
            elif not late:
                return
        if self._whole(fed) or late:
            self._ready.append(_Shown(fed, self._number, frame))

    def _stop(self, place: int) -> None:
        """What was fed at `place` is damaged: what refers to it is left out, and decoding begins anew at a key."""
        if self._damaged is not None and self._anew is None:
            place = min(place, self._damaged)
        self._damaged = place
        self._anew = next((key for key in self._keys if key.place > place), None)
        self._ready = deque(shown for shown in self._ready if self._whole(shown.fed))
        if self._anew is None and not self._waiting:
            self._waiting = True
            self._drain()
            self._context.flush_buffers()
            self._pending.clear()
            self._fresh = True

    def _whole(self, fed: _Fed) -> bool:
        if self._damaged is None or fed.place < self._damaged:
            return True
        if self._anew is None or fed.place < self._anew.place:
            return False
        # Pictures shown before the key picture and decoded after it refer to what was before it.
        return fed.stamp is None or self._anew.stamp is None or fed.stamp >= self._anew.stamp

    def _late(self, stamp: int | None) -> bool:
        return stamp is not None and self._number_at(stamp) > (self._latest or 0)

    def _drain(self) -> None:
        self._decode(None)

    def _settled(self, *, end: bool = False) -> Iterator[Numbered]:
        """Those of which nothing that was decoded before them can turn out to be damaged."""
        while self._ready:
            shown = self._ready[0]
            while self._pending and self._pending[0] + _MOST_REORDERED < self._greatest:
                self._pending.popleft()
            if not end and not self._waiting and self._pending and self._pending[0] < shown.fed.place:
                return
            self._ready.popleft()
            if self._whole(shown.fed):
                self._latest = floor(shown.number + self._patience)
            yield shown.number, shown.frame


def _agreed(pictures: Iterator[Numbered], most: Fraction) -> Iterator[Numbered]:
    """The pictures, without one whose number the pictures on either side of it contradict: its time is damaged."""
    before: int | None = None
    held: Numbered | None = None
    for number, frame in pictures:
        fits = before is None or before <= number <= before + most
        if held is not None and not fits:
            yield held
            before = held[0]
            fits = before <= number <= before + most
        held = None if fits else (number, frame)
        if fits:
            yield number, frame
            before = number
    if held is not None:
        yield held


_CORRUPT = av.codec.context.Flags.output_corrupt
