"""In which encoding a subtitle file is written: what its first bytes say, else UTF-8, else a guess. Pure."""

from __future__ import annotations

import codecs

from charset_normalizer import from_bytes

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BY_LANGUAGE = {
    **dict.fromkeys(("pl", "cs", "sk", "hu", "hr", "sl", "ro", "bs", "sq"), ("cp1250", "iso8859_2")),
    **dict.fromkeys(("ru", "uk", "bg", "sr", "mk", "be"), ("cp1251", "koi8_r", "iso8859_5")),
    **dict.fromkeys(("lt", "lv", "et"), ("cp1257",)),
    **dict.fromkeys(("ar", "fa", "ur"), ("cp1256",)),
    "el": ("cp1253",),
    "tr": ("cp1254",),
    "he": ("cp1255",),
    "th": ("cp874",),
    "vi": ("cp1258",),
    "ja": ("cp932", "euc_jp"),
    "ko": ("cp949",),
    "zh": ("gb18030", "big5"),
}
_WESTERN = frozenset(
    (
        *("en", "de", "fr", "es", "it", "pt", "nl", "sv", "da", "no", "nb", "nn"),
        *("fi", "is", "ca", "gl", "eu", "ga", "af"),
    )
)
_ANY = ("cp1252", *dict.fromkeys(name for names in _BY_LANGUAGE.values() for name in names))
_SAMPLE_BYTES = 200_000


def decoded(data: bytes, language: str) -> str:
    """The file's text; what is in no known encoding is read as Windows-1252. `language` is a BCP 47 tag or "und"."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data.decode(name, errors="replace")
    zeros = data[:4000].count(0)
    if zeros * 4 > len(data[:4000]):
        # Two bytes a letter without a mark: in most scripts every second one is nought.
        return data.decode("utf-16-be" if data[:4000:2].count(0) * 2 > zeros else "utf-16-le", errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _guessed(data, language.partition("-")[0])


def _guessed(data: bytes, base: str) -> str:
    if base in _WESTERN:
        return data.decode("cp1252", errors="replace")
    likely = _BY_LANGUAGE.get(base, _ANY)
    best = from_bytes(data[:_SAMPLE_BYTES], cp_isolation=list(likely), threshold=0.5).best()
    return data.decode(likely[0] if best is None else best.encoding, errors="replace")
