"""Languages of tracks: one spelling of their tags (BCP 47, RFC 5646), whatever a file writes, and their own names."""

from __future__ import annotations

UNKNOWN = "und"

_NAMES = (
    "ab Аԥсшәа · am አማርኛ · ar العربية · as অসমীয়া · az Azərbaycan · be Беларуская · bg Български · "
    "bn বাংলা · bo བོད་སྐད་ · br Brezhoneg · bs Bosanski · ca Català · ce Нохчийн · co Corsu · "
    "cs Čeština · cy Cymraeg · da Dansk · de Deutsch · el Ελληνικά · en English · eo Esperanto · "
    "es Español · et Eesti · eu Euskara · fa فارسی · ff Pulaar · fi Suomi · fil Filipino · "
    "fo Føroyskt · fr Français · fy Frysk · ga Gaeilge · gd Gàidhlig · gl Galego · gu ગુજરાતી · "
    "haw ʻŌlelo Hawaiʻi · he עברית · hi हिन्दी · hr Hrvatski · ht Kreyòl Ayisyen · hu Magyar · "  # noqa: RUF001 - a letter of these languages
    "hy Հայերեն · id Bahasa Indonesia · is Íslenska · it Italiano · ja 日本語 · jv Jawa · ka ქართული · "
    "kk Қазақ тілі · km ខ្មែរ · kn ಕನ್ನಡ · ko 한국어 · ku Kurdî · ky Кыргызча · la Latina · "
    "lb Lëtzebuergesch · lo ລາວ · lt Lietuvių · lv Latviešu · mk Македонски · ml മലയാളം · "
    "mn Монгол · mr मराठी · ms Bahasa Malaysia · mt Malti · my မြန်မာ · nb Norsk bokmål · "
    "ne नेपाली · nl Nederlands · nn Norsk nynorsk · no Norsk · oc Occitan · pa ਪੰਜਾਬੀ · pl Polski · "
    "ps پښتو · pt Português · pt-BR Português (Brasil) · qu Runasimi · rm Rumantsch · ro Română · "
    "ru Русский · sc Sardu · sd سنڌي · se Davvisámegiella · si සිංහල · sk Slovenčina · "
    "sl Slovenščina · so Soomaali · sq Shqip · sr Српски · sr-Latn Srpski · sv Svenska · "
    "sw Kiswahili · ta தமிழ் · te తెలుగు · tg Тоҷикӣ · th ไทย · tr Türkçe · tt Татар · ug ئۇيغۇرچە · "
    "uk Українська · ur اردو · uz O‘zbek · vi Tiếng Việt · xh IsiXhosa · yi ייִדיש · yo Èdè Yorùbá · "  # noqa: RUF001 - a letter of these languages
    "yue 粵語 · zh 中文 · zh-Hans 简体中文 · zh-Hant 繁體中文 · zu isiZulu · es-419 Español (Latinoamérica)"
)
_OWN = {tag: name for tag, _, name in (entry.partition(" ") for entry in _NAMES.split(" · "))}
_CODES = (
    "ab abk · am amh · ar ara · as asm · az aze · be bel · bg bul · bn ben · bo bod tib · br bre · bs bos · "
    "ca cat · ce che · co cos · cs ces cze · cy cym wel · da dan · de deu ger · el ell gre · en eng · "
    "eo epo · es spa · et est · eu eus baq · fa fas per · ff ful · fi fin · fo fao · fr fra fre · fy fry · "
    "ga gle · gd gla · gl glg · gu guj · he heb · hi hin · hr hrv · ht hat · hu hun · hy hye arm · id ind · "
    "is isl ice · it ita · ja jpn · jv jav · ka kat geo · kk kaz · km khm · kn kan · ko kor · ku kur · "
    "ky kir · la lat · lb ltz · lo lao · lt lit · lv lav · mk mkd mac · ml mal · mn mon · mr mar · "
    "ms msa may · mt mlt · my mya bur · nb nob · ne nep · nl nld dut · nn nno · no nor · oc oci · pa pan · "
    "pl pol · ps pus · pt por · qu que · rm roh · ro ron rum · ru rus · sc srd · sd snd · se sme · si sin · "
    "sk slk slo · sl slv · so som · sq sqi alb · sr srp · sv swe · sw swa · ta tam · te tel · tg tgk · "
    "th tha · tr tur · tt tat · ug uig · uk ukr · ur urd · uz uzb · vi vie · xh xho · yi yid · yo yor · "
    "zh zho chi · zu zul"
)
# ISO 639-2, both its terminology codes and its bibliographic ones: what nearly all films write.
_TAGS = {code: tag for tag, *codes in map(str.split, _CODES.split(" · ")) for code in codes}
_TAGS |= {tag.casefold(): tag for tag in _OWN} | {UNKNOWN: UNKNOWN, "": UNKNOWN}
_FREE = {"zxx", "mis", "mul", "qaa", UNKNOWN}
# Codes that name no language; qaa is what broadcasters write for "the original one".


def language_tag(code: str) -> str:
    """The code as a BCP 47 tag in its usual spelling: "eng" and "EN" are "en"; "und" for what names no language."""
    given = code.strip().replace("_", "-")
    if (usual := _TAGS.get(given.casefold())) is not None:
        return usual
    import langcodes  # noqa: PLC0415 - 3 MB in every process, for codes that few films have

    try:
        tag = langcodes.standardize_tag(given)
        known = langcodes.Language.get(tag, normalize=False)
    except (ValueError, AttributeError):
        return UNKNOWN
    return UNKNOWN if not known.language or known.language in _FREE or not known.is_valid() else tag


def known_tag(text: str) -> str:
    """The tag of a language that somebody names: by a code, or as its speakers do ("Deutsch"); "und" for nothing.

    Nothing where it names no language.
    """
    given = text.strip()
    tag = language_tag(given)
    if tag != UNKNOWN or given.casefold() in ("", *_FREE):
        return tag
    for own, name in _OWN.items():
        if name.casefold() == given.casefold():
            return own
    return ""


def own_name(tag: str) -> str:
    """How the language's speakers call it; the tag where that is not known here, nothing for "und"."""
    if tag == UNKNOWN:
        return ""
    base, _, place = tag.partition("-")
    if tag in _OWN or base not in _OWN:
        return _OWN.get(tag, tag)
    return f"{_OWN[base]} ({place})"
