"""The matrix: every kind of source that must play."""

from __future__ import annotations

from fractions import Fraction as F  # noqa: N817 - a table of fractions

from tests.sources.specs import X264, Options, Sound, Source

NTSC, FILM, FAST = F(30000, 1001), F(24000, 1001), F(60000, 1001)
MPEG2: Options = (("g", "12"), ("bf", "2"), ("b", "2500k"))
# Its filter over time mixes pictures that have nothing in common.
SVT: Options = (("preset", "8"), ("g", "40"), ("crf", "8"), ("svtav1-params", "enable-tf=0"))
VP9: Options = (("deadline", "realtime"), ("cpu-used", "8"), ("g", "40"), ("crf", "24"), ("b", "0"))
X265: Options = (("preset", "ultrafast"), ("x265-params", "log-level=none:keyint=40:bframes=2"), ("crf", "18"))
LONG: Options = (("preset", "ultrafast"), ("g", "999"), ("sc_threshold", "0"), ("crf", "18"))
OPEN: Options = (("preset", "veryfast"), ("x264-params", "open-gop=1:keyint=30:bframes=3:scenecut=0"), ("crf", "18"))
X265_OPEN: Options = (
    ("preset", "ultrafast"), ("x265-params", "log-level=none:open-gop=1:keyint=30:bframes=3"), ("crf", "18"),
)  # fmt: skip
FIELDS: Options = (*MPEG2, ("flags", "+ildct+ilme"))
X264_FIELDS: Options = (*X264, ("x264-params", "tff=1"))
PHONE = tuple(n * 33 + n % 3 + (n // 20) * 33 for n in range(110))
PAUSE = tuple(n * 40 + (1500 if n > 45 else 0) for n in range(80))
BURST = tuple(n * 40 if n < 50 else 2000 + (n - 50) * 20 for n in range(120))
SLIDES = (0, 1500, 3000, 4500, 6000)
STEREO = (Sound(),)
VORBIS: Options = (("strict", "-2"),)

MATRIX = (
    # Rates and containers
    Source("r10.mp4", rate=F(10), sounds=STEREO, fast=True),
    Source("r12.5.mkv", rate=F(25, 2), sounds=STEREO),
    Source("r15.mov", rate=F(15), sounds=(Sound("pcm_s16le"),)),
    Source("r23.976.mp4", rate=FILM, sounds=STEREO),
    Source("r23.976.mkv", rate=FILM, sounds=(Sound("ac3"),), fast=True),
    Source("r23.976.ts", rate=FILM, sounds=(Sound("ac3"),)),
    Source("r24.mp4", rate=F(24), sounds=(Sound("libmp3lame", 44100),)),
    Source("r25.avi", codec="mpeg4", options=(("g", "40"), ("b", "1500k")), sounds=(Sound("ac3"),), fast=True),
    Source("r29.97.mp4", rate=NTSC, sounds=STEREO, fast=True),
    Source("r29.97.mkv", rate=NTSC, sounds=(Sound("libopus"),)),
    Source("r29.97.ts", rate=NTSC, sounds=(Sound("mp2"),), fast=True),
    Source("r29.97.avi", codec="mjpeg", pixel_format="yuvj420p", full=True, rate=NTSC, options=(("q", "3"),),
           sounds=(Sound("pcm_s16le", 44100),)),
    Source("r29.97.mpg", codec="mpeg2video", rate=NTSC, options=MPEG2, sounds=(Sound("mp2"),), format="vob"),
    Source("r30.mov", rate=F(30), sounds=(Sound("pcm_s24le"),)),
    Source("r48.mkv", rate=F(48), seconds=F(3), sounds=(Sound("flac"),)),
    Source("r50.ts", rate=F(50), seconds=F(3), sounds=STEREO),
    Source("r59.94.mp4", rate=FAST, seconds=F(3), sounds=STEREO),
    Source("r59.94.mkv", rate=FAST, seconds=F(5), sounds=STEREO, fast=True),
    Source("r59.94.ts", rate=FAST, seconds=F(3), sounds=(Sound("ac3"),)),
    Source("r59.94.mov", rate=FAST, seconds=F(3), sounds=STEREO),
    Source("r60.webm", codec="libvpx-vp9", options=VP9, rate=F(60), seconds=F(3), sounds=(Sound("libopus"),)),
    Source("r100.mp4", rate=F(100), seconds=F(3), grid_rate=F(50), sounds=STEREO),
    Source("r120.mkv", rate=F(120), seconds=F(3), grid_rate=F(60), sounds=STEREO, fast=True),
    Source("r5.mp4", rate=F(5), seconds=F(6), grid_rate=F(10), sounds=STEREO),
    # Variable rates and other clocks
    Source("phone.mkv", rate=F(30), seconds=F(4), times=PHONE, grid_rate=F(30), sounds=STEREO, fast=True),
    Source("pause.mp4", times=PAUSE, seconds=F(5), grid_rate=F(25), sounds=STEREO),
    Source("burst.mkv", times=BURST, seconds=F(4), grid_rate=F(50), sounds=STEREO),
    Source("slides.mkv", times=SLIDES, rate=F(1), seconds=F(7), grid_rate=F(32, 3)),
    Source("late.mkv", first=F(5), sounds=STEREO, fast=True),
    Source("late.mp4", first=F(3, 5), sounds=STEREO),
    Source("late.ts", first=F(100), sounds=(Sound("ac3"),)),
    Source("before-zero.mp4", first=F(-3, 5), sounds=STEREO, fast=True),
    Source("before-zero.mov", rate=NTSC, first=F(-1001 * 20, 30000), sounds=(Sound("pcm_s16le"),)),
    # Groups of pictures and fields
    Source("open-gop.mkv", options=OPEN, sounds=STEREO),
    Source("open-gop.ts", options=OPEN, sounds=STEREO, fast=True),
    Source("open-gop-hevc.mp4", codec="libx265", options=X265_OPEN, sounds=STEREO),
    Source("open-gop-hevc.ts", codec="libx265", options=X265_OPEN, sounds=(Sound("ac3"),)),
    Source("open-gop.mpg", codec="mpeg2video", options=MPEG2, sounds=(Sound("ac3"),), format="vob", fast=True),
    Source("ten-second-gop.mp4", seconds=F(13), options=LONG, sounds=STEREO),
    Source("ten-second-gop.ts", seconds=F(13), options=(*LONG[:1], ("g", "250"), *LONG[2:]), sounds=STEREO),
    Source("fields.mpg", codec="mpeg2video", size=(352, 288), options=FIELDS, interlaced=True,
           sounds=(Sound("mp2"),), format="vob"),
    Source("fields.ts", options=X264_FIELDS, size=(352, 288), interlaced=True, sounds=(Sound("ac3"),), fast=True),
    Source("fields.mkv", codec="mpeg2video", rate=NTSC, size=(352, 240), options=FIELDS, interlaced=True,
           sounds=(Sound("ac3"),)),
    # Shapes
    *(Source(f"turned-{90 * quarter}.mp4", turned=quarter, sounds=STEREO, fast=quarter == 1) for quarter in (1, 2, 3)),
    Source("turned-90.mov", turned=1, size=(322, 182), aspect=F(4, 3)),
    Source("pal-wide.mkv", size=(360, 288), aspect=F(64, 45), sounds=STEREO),
    Source("dvd-wide.mpg", codec="mpeg2video", size=(352, 240), rate=NTSC, options=MPEG2, aspect=F(40, 33),
           sounds=(Sound("ac3"),), format="vob"),
    Source("narrow.mp4", size=(320, 180), aspect=F(3, 4), sounds=STEREO, fast=True),
    Source("odd.mkv", size=(321, 181), pixel_format="yuv444p", sounds=STEREO, fast=True),
    Source("odd.webm", codec="libvpx-vp9", options=VP9, size=(319, 179), sounds=(Sound("vorbis", options=VORBIS),)),
    Source("tiny.mp4", size=(64, 48), sounds=STEREO),
    # Samples
    Source("422.mp4", pixel_format="yuv422p", sounds=STEREO),
    Source("422-10.mkv", pixel_format="yuv422p10le", sounds=(Sound("flac"),), fast=True),
    Source("444-10.mkv", pixel_format="yuv444p10le", sounds=STEREO),
    Source("420-10.mp4", codec="libx265", options=X265, pixel_format="yuv420p10le", sounds=STEREO),
    Source("420-12.mkv", codec="libx265", options=X265, pixel_format="yuv420p12le", sounds=STEREO),
    Source("444-12.mp4", codec="libx265", options=X265, pixel_format="yuv444p12le", sounds=STEREO, fast=True),
    Source("rgb.avi", codec="utvideo", options=(), pixel_format="gbrp", matrix=0, seconds=F(2),
           sounds=(Sound("pcm_s16le"),)),
    Source("rgb-hevc.mp4", codec="libx265", options=X265, pixel_format="gbrp", matrix=0, seconds=F(2), sounds=STEREO),
    Source("grey.mkv", pixel_format="gray", sounds=STEREO),
    Source("grey-hevc.mkv", codec="libx265", options=X265, pixel_format="gray", sounds=STEREO, fast=True),
    Source("grey-10.mkv", codec="libx265", options=X265, pixel_format="gray10le", seconds=F(2)),
    # Codecs
    Source("av1.mp4", codec="libsvtav1", options=SVT, sounds=STEREO),
    Source("av1-10.webm", codec="libsvtav1", options=SVT, pixel_format="yuv420p10le", sounds=(Sound("libopus"),),
           fast=True),
    Source("vp9.mkv", codec="libvpx-vp9", options=VP9, sounds=(Sound("libopus", layout="5.1"),)),
    Source("vp8.webm", codec="libvpx", options=VP9[:3], sounds=(Sound("vorbis", options=VORBIS),), fast=True),
    Source("hevc.ts", codec="libx265", options=X265, sounds=(Sound("eac3"),), fast=True),
    Source("prores.mov", codec="prores_ks", options=(), pixel_format="yuv422p10le",
           sounds=(Sound("pcm_s24le", layout="5.1"),), fast=True),
    Source("prores-4444.mov", codec="prores_ks", options=(("profile", "4"),), pixel_format="yuv444p10le",
           seconds=F(2)),
    Source("mjpeg.mov", codec="mjpeg", pixel_format="yuvj422p", full=True, options=(("q", "3"),),
           sounds=(Sound("pcm_s16be"),)),
    Source("mpeg4.mp4", codec="mpeg4", options=(("g", "40"), ("bf", "2"), ("b", "1500k")), sounds=STEREO),
    Source("mpeg2.ts", codec="mpeg2video", options=MPEG2, sounds=(Sound("ac3", layout="5.1"),)),
    Source("mpeg1.mpg", codec="mpeg1video", options=MPEG2, sounds=(Sound("mp2", 44100),), format="mpeg"),
    Source("flash.flv", codec="flv", options=(("g", "40"), ("b", "1500k")), sounds=(Sound("libmp3lame", 44100),)),
    Source("windows.asf", codec="wmv2", options=(("g", "40"), ("b", "1500k")), sounds=(Sound("wmav2", 44100),)),
    Source("dnxhd.mxf", codec="dnxhd", size=(1280, 720), pixel_format="yuv422p", seconds=F(1), matrix=1,
           options=(("b", "90M"),), sounds=(Sound("pcm_s16le", layout="mono"),)),
    # Colour
    Source("hd-unnamed.mp4", size=(1280, 720), matrix=1, seconds=F(1), sounds=STEREO, fast=True),
    Source("bt709.mp4", matrix=1, tags=(1, 1, 1), sounds=STEREO),
    Source("full.mp4", matrix=1, tags=(1, 1, 1), full=True, sounds=STEREO, fast=True),
    Source("full-jpeg.mkv", pixel_format="yuvj420p", full=True, sounds=STEREO),
    Source("pal.mkv", matrix=5, tags=(5, 6, 5), sounds=STEREO),
    Source("ntsc.mkv", matrix=6, tags=(6, 6, 6), sounds=STEREO, fast=True),
    Source("p3.mov", matrix=1, tags=(12, 1, 1), sounds=STEREO, fast=True),
    Source("p3-turned.mp4", matrix=1, tags=(12, 13, 1), turned=1),
    Source("bt2020.mkv", codec="libx265", options=X265, pixel_format="yuv420p10le", matrix=9, tags=(9, 14, 9),
           sounds=STEREO),
    Source("full-10.mkv", codec="libx265", options=X265, pixel_format="yuv420p10le", matrix=1, tags=(1, 1, 1),
           full=True, sounds=STEREO),
    Source("pq.mp4", codec="libx265", options=X265, pixel_format="yuv420p10le", matrix=9, tags=(9, 16, 9),
           sounds=STEREO, fast=True),
    Source("pq.ts", codec="libx265", options=X265, rate=FILM, pixel_format="yuv420p10le", matrix=9, tags=(9, 16, 9),
           sounds=(Sound("ac3"),)),
    Source("pq-full.mkv", codec="libx265", options=X265, rate=FAST, seconds=F(2), pixel_format="yuv420p12le", matrix=9,
           tags=(9, 16, 9), full=True),
    Source("pq-av1.webm", codec="libsvtav1", options=SVT, pixel_format="yuv420p10le", matrix=9, tags=(9, 16, 9),
           sounds=(Sound("libopus"),)),
    Source("pq-turned.mp4", codec="libx265", options=X265, pixel_format="yuv420p10le", matrix=9, tags=(9, 16, 9),
           turned=3),
    Source("pq-phone.mkv", codec="libx265", options=X265, times=PHONE, rate=F(30), grid_rate=F(30),
           pixel_format="yuv420p10le", matrix=9, tags=(9, 16, 9), sounds=STEREO),
    Source("hlg.mp4", codec="libx265", options=X265, pixel_format="yuv420p10le", matrix=9, tags=(9, 18, 9),
           sounds=STEREO),
    Source("hlg-50.ts", codec="libx265", options=X265, rate=F(50), seconds=F(2), pixel_format="yuv420p10le", matrix=9,
           tags=(9, 18, 9), sounds=(Sound("ac3"),), fast=True),
    Source("hlg-fields.ts", options=X264_FIELDS, size=(352, 288), interlaced=True, pixel_format="yuv420p10le",
           matrix=9, tags=(9, 18, 9)),
    # Sound
    Source("mono.mp4", sounds=(Sound(layout="mono"),)),
    Source("5.1.mp4", sounds=(Sound(layout="5.1"),), fast=True),
    Source("7.1.mkv", sounds=(Sound(layout="7.1"),)),
    Source("7.1-flac.mkv", sounds=(Sound("flac", layout="7.1"),)),
    Source("eac3.mp4", sounds=(Sound("eac3", layout="5.1"),)),
    Source("alac.mov", sounds=(Sound("alac", 44100),)),
    Source("8000.mov", sounds=(Sound("pcm_s16le", 8000, "mono"),), fast=True),
    Source("8000-alaw.avi", codec="mpeg4", options=(("b", "1500k"),), sounds=(Sound("pcm_alaw", 8000, "mono"),)),
    Source("11025.mkv", sounds=(Sound("libmp3lame", 11025),)),
    Source("16000.mkv", sounds=(Sound("libopus", 16000, "mono"),)),
    Source("22050.mp4", sounds=(Sound(rate=22050),)),
    Source("32000.ts", sounds=(Sound("ac3", 32000),)),
    Source("88200.mkv", sounds=(Sound("flac", 88200),)),
    Source("96000.mp4", sounds=(Sound(rate=96000),)),
    Source("192000.mkv", sounds=(Sound("flac", 192000),), fast=True),
    Source("192000.mov", sounds=(Sound("pcm_f32le", 192000),)),
    Source("languages.mkv", fast=True, sounds=(
        Sound(language="eng", hertz=700), Sound("ac3", language="hin", hertz=1100, layout="5.1"),
        Sound("libopus", language="deu", title="Kommentar", hertz=1700))),
    Source("languages.mp4", sounds=(Sound(language="eng", hertz=700), Sound(language="fra", hertz=1300))),
    Source("languages.ts", sounds=(Sound(language="eng", hertz=700), Sound("ac3", language="spa", hertz=1300))),
    Source("silent.mp4", fast=True),
    Source("silent.ts"),
    Source("longer-sound.mkv", sounds=(Sound(ends=F(7)),)),
    Source("shorter-sound.mp4", sounds=(Sound(ends=F(2)),)),
    Source("late-sound.mkv", sounds=(Sound(starts=F(5, 4)),), fast=True),
    Source("late-sound.mp4", sounds=(Sound(starts=F(5, 4)),)),
    Source("late-sound.ts", sounds=(Sound("ac3", starts=F(5, 4)),)),
    # What comes along
    Source("srt.mkv", sounds=STEREO, subtitles="srt"),
    Source("ass.mkv", sounds=STEREO, subtitles="ass"),
    Source("mov-text.mp4", sounds=STEREO, subtitles="mov_text"),
    Source("words.webm", codec="libvpx-vp9", options=VP9, sounds=(Sound("libopus"),), subtitles="webvtt"),
    Source("chapters.mkv", sounds=STEREO, chapters=3, fast=True),
    Source("chapters.mp4", sounds=STEREO, chapters=2),
    Source("cover.mp4", sounds=STEREO, cover="art", fast=True),
    Source("cover.mkv", sounds=STEREO, cover="attachment", fast=True),
    Source("cover-track.mkv", sounds=STEREO, cover="track"),
    Source("cover-track.mov", codec="mpeg4", options=(("b", "1500k"),), cover="track", fast=True),
    # Structures
    Source("one.mp4", seconds=F(1, 25), fast=True),
    Source("one.mkv", seconds=F(1, 25), sounds=STEREO),
    Source("fragmented.mp4", sounds=STEREO, muxer=(("movflags", "frag_keyframe+empty_moov"),), fast=True),
    Source("fast-start.mp4", sounds=STEREO, muxer=(("movflags", "faststart"),)),
    Source("no-cues.mkv", sounds=STEREO, mend="no cues", seconds=F(7), fast=True),
    Source("live.webm", codec="libvpx-vp9", options=VP9, sounds=(Sound("libopus"),), muxer=(("live", "1"),)),
    Source("no-index.avi", codec="mpeg4", options=(("g", "40"), ("b", "1500k")), sounds=(Sound("pcm_s16le"),),
           mend="no idx1", fast=True),
)  # fmt: skip
