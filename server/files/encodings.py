"""Finds the encoding of a text file: it is read wholly in one, or not at all.

UTF-8 and UTF-16 show themselves. Of the old encodings, those of Turkish and of Romanian Excel share most bytes. Letters
that only one of the two languages has decide; where they do not, the words are asked; and where these do not tell,
the file is refused. A wrong guess would make articles that do not exist.
"""

import codecs
import re
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

UTF_8: Final = "utf-8"
UTF_8_BOM: Final = "utf-8-sig"
TURKISH: Final = "windows-1254"
ROMANIAN: Final = "windows-1250"

CHOICES: Final = (
    *("utf-8", "utf-16", "utf-16-le", "utf-16-be", "ascii"),
    *(f"windows-{number}" for number in range(1250, 1259)),
    *(f"iso-8859-{number}" for number in (1, 2, 3, 4, 5, 7, 9, 10, 13, 14, 15, 16)),
    *("cp437", "cp850", "cp852", "cp857", "cp858", "mac-turkish", "mac-roman", "mac-latin2"),
)
"""What a person may name: encodings of text in which a comma is a comma."""

_BOMS: Final = ((codecs.BOM_UTF8, UTF_8_BOM), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_UTF_32: Final = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_LOOKED_AT: Final = 4_000
"""Bytes at the beginning in which UTF-16 without a mark shows itself, since every second one is zero."""
_HALF: Final = 0.4
_SURE: Final = 0.3
"""How much of the letters' frequencies must speak for a language; guesses at random come to less than a tenth."""
_SAMPLE_BYTES: Final = 1 << 18
_PIECE: Final = 1 << 14
"""Characters that are looked at together, at least; a search keeps all other threads waiting, and so takes a moment."""
_SHOWN_GUESSES: Final = 2
_BROKEN: Final = re.compile("[\udc80-\udcff]")
_WHOLE: Final = re.compile("[\u0080-\ud7ff\ue000-\U0010ffff]")

_TURKISH_ONLY: Final = re.compile(rb"[\xd0\xf0\xdd\xfd]")
"""Ğ, ğ, İ and ı; in the Romanian encoding they would be Đ, đ, Ý and ý, which Romanian does not have."""
_ROMANIAN_ONLY: Final = re.compile(rb"[\xc3\xe3\xaa\xba]")
"""Ă, ă, Ş and ş; in the Turkish encoding they would be Ã, ã, ª and º, which Turkish does not have."""
_TURKISH_MOSTLY: Final = re.compile(rb"[\xc7\xe7\xd6\xf6\xdc\xfc]")
"""Ç, ç, Ö, ö, Ü and ü in both encodings. Romanian has none of them."""
_ROMANIAN_MOSTLY: Final = re.compile(rb"[\xc2\xe2\xce\xee]")
"""Â, â, Î and î in both encodings. Turkish has few of them."""
_LETTERS: Final = "ÇĞİÖŞÜÂÎÛçğıöşüâîûĂăŢţ"
_FOREIGN: Final = "ÁÉÍÓÚáéíóúàèìòùÀÈÄËÏäëïñßêÊôÔåÅøØæÆ"
_EXPECTED: Final = re.compile(f"[\x00-\x7f{_LETTERS}{_FOREIGN}\u00a0€™®©°²³½¼¾µ±×÷·•…–—‘’‚“”„«»‹›§¶¢£¥´¨¿¡]*")
"""What texts of shops in the two languages hold; others mean that the encoding is another one."""
_FOREIGN_WORD: Final = re.compile(f"[{_FOREIGN}]{{2}}|(?=[{_LETTERS}{_FOREIGN}]{{3}})[{_LETTERS}]{{0,2}}[{_FOREIGN}]")
"""Several such letters in a row: so looks another alphabet in a wrong encoding."""
_SIGN: Final = re.compile(r"[€™§”¶®©°²³½¼¾µ±×÷·•…¢£¥´¨¿¡](?=[^\W\d_])")
"""A sign before a letter: so looks a letter of DOS in a wrong encoding."""
_SIGN_BEHIND: Final = re.compile(r"(?<=[^\W\d_])[€™§”¶®©°²³½¼¾µ±×÷·•…¢£¥´¨¿¡]")
"""A sign behind a letter: it may be ®, and so be meant, where there are more letters than signs."""
_LETTER: Final = re.compile(f"[{_LETTERS}]")
_TURKISH_WORDS: Final = re.compile(rb"\b(?:stok|adet|depo|barkod|miktar|fiyat|kodu|kategori)\b", re.IGNORECASE)
_ROMANIAN_WORDS: Final = re.compile(
    rb"\b(?:cod|produs|cantitate|depozit|stoc|gestiune|denumire|categorie|pret|articol)\b", re.IGNORECASE
)
"""Headings in plain letters, which say the language of a file."""
_LANGUAGES: Final = {("cp1254", "Turkish"): TURKISH, ("cp1250", "Romanian"): ROMANIAN}
_GUESSED: Final = ["cp857", "cp852", "cp850", "cp1251", "cp1252", "cp1253", "cp1256"]


class EncodingError(Exception):
    """The file cannot be read as text; the message names what to do."""


class Text(NamedTuple):
    """A file as text. ``encoding``: in which it can be written again, with its mark if it has one."""

    text: str
    encoding: str
    bom: bytes = b""


class _Guess(NamedTuple):
    encoding: str
    language: str
    coherence: float


def decoded(content: bytes, named: str = "") -> Text:
    """Read a file as text: in the encoding that a person names, or the one that it has.

    Raises
    ------
    EncodingError
        It has none that is sure, is not text in it from beginning to end, or ``named`` is none.

    """
    if content.startswith(_UTF_32):
        raise EncodingError("It is UTF-32. Save it as “CSV UTF-8”.")
    if named:
        return _as_named(content, named.strip().lower().replace("_", "-"))
    for bom, encoding in _BOMS:
        if content.startswith(bom):
            return _strict(content, encoding, bom)
    if encoding := _utf_16(content):
        return _strict(content, encoding)
    try:
        return Text(content.decode(UTF_8), UTF_8)
    except UnicodeDecodeError:
        _refuse_broken_utf_8(content)
    return _strict(content, _old_encoding(content))


def _as_named(content: bytes, named: str) -> Text:
    name = re.sub(r"^(?:cp|win|windows)-?(125[0-8])$", r"windows-\1", named)
    if name not in CHOICES:
        raise EncodingError(f"Encoding {named!r} is not known. Choose one of {', '.join(CHOICES)}.")
    bom = next((bom for bom, encoding in _BOMS if content.startswith(bom) and encoding.startswith(name)), b"")
    if name == "utf-16":
        name = "utf-16-be" if bom == codecs.BOM_UTF16_BE else "utf-16-le"
    return _strict(content, UTF_8_BOM if bom == codecs.BOM_UTF8 else name, bom)


def _strict(content: bytes, encoding: str, bom: bytes = b"") -> Text:
    """Decode all of it; bytes that have no meaning in the encoding refuse the file."""
    try:
        return Text(content[len(bom) :].decode(UTF_8 if encoding == UTF_8_BOM else encoding), encoding, bom)
    except UnicodeDecodeError as error:
        line = _line_of(content, len(bom) + error.start)
        raise EncodingError(
            f"Line {line} is not {shown_encoding(encoding)}, so nothing was read."
            " Save the file as “CSV UTF-8”, or name its encoding with --encoding."
        ) from None


def _line_of(content: bytes, at: int) -> int:
    return content.count(b"\n", 0, at) + 1


def _utf_16(content: bytes) -> str:
    """Find UTF-16 without its mark: nearly all that shops write has a zero in every second byte."""
    head = content[:_LOOKED_AT]
    if len(head) < 2 or b"\0" not in head:  # noqa: PLR2004  # one character
        return ""
    pairs = len(head) // 2
    high, low = head[1::2].count(0) / pairs, head[::2].count(0) / pairs
    if high > _HALF and low < _HALF / 4:
        return "utf-16-le"
    if low > _HALF and high < _HALF / 4:
        return "utf-16-be"
    raise EncodingError("It is not text: it holds zero bytes. Save it as “CSV UTF-8” or as .xlsx.")


def _refuse_broken_utf_8(content: bytes) -> None:
    """Refuse text that is UTF-8 but for some bytes: many letters of several bytes do not come about by chance.

    Raises
    ------
    EncodingError
        It is.

    """
    text = content.decode(UTF_8, "surrogateescape")
    broken = next((found for piece in _pieces(text) if (found := _BROKEN.search(piece))), None)
    if broken and _count(_WHOLE, text) > _count(_BROKEN, text):
        line = text.count("\n", 0, text.index(broken[0])) + 1
        raise EncodingError(
            f"Line {line} is not UTF-8, and other lines are: parts of it come from elsewhere."
            " Correct that line, and save the file as “CSV UTF-8”."
        )


def _old_encoding(content: bytes) -> str:
    """Tell the Turkish from the Romanian encoding.

    Raises
    ------
    EncodingError
        It may be both, or neither.

    """
    turkish, romanian = _expected(content, TURKISH), _expected(content, ROMANIAN)
    if not turkish and not romanian:
        raise EncodingError(
            f"Its encoding is not sure{_guesses(content)}."
            " Save it as “CSV UTF-8”, or name its encoding with --encoding."
        )
    if turkish == romanian:
        return TURKISH  # the same letters in both
    found = _by_letters(content) or _by_words(content)
    if {TURKISH: turkish, ROMANIAN: romanian}.get(found):
        return found
    raise EncodingError(
        f"It may be {TURKISH} (Turkish) or {ROMANIAN} (Romanian): its letters are in both. Say which, with"
        f" --encoding {TURKISH} or --encoding {ROMANIAN}, or save it as “CSV UTF-8”."
    )


def _expected(content: bytes, encoding: str) -> str:
    """Decode it, if it holds what is expected in that encoding; else empty."""
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return ""
    for piece in _pieces(text):
        if not _EXPECTED.fullmatch(piece) or _FOREIGN_WORD.search(piece) or _SIGN.search(piece):
            return ""
    signs = _count(_SIGN_BEHIND, text)
    return "" if signs and signs >= _count(_LETTER, text) else text


def _pieces(text: str) -> Iterator[str]:
    """Cut a text at ends of lines, over which no pattern here goes; other threads go on in between."""
    at = 0
    while at < len(text):
        end = text.find("\n", at + _PIECE, at + 4 * _PIECE) + 1 or at + 4 * _PIECE
        yield text[at:end]
        time.sleep(0)
        at = end


def _count(pattern: re.Pattern[str], text: str) -> int:
    return sum(len(pattern.findall(piece)) for piece in _pieces(text))


def _by_letters(content: bytes) -> str:
    only_turkish, only_romanian = _TURKISH_ONLY.search(content), _ROMANIAN_ONLY.search(content)
    if bool(only_turkish) == bool(only_romanian):
        return ""
    return TURKISH if only_turkish else ROMANIAN


def _is_contradicted(content: bytes, language: str) -> bool:
    """Whether letters speak against what the words say: a table of one country is at times saved in another."""
    is_turkish, is_romanian = _TURKISH_MOSTLY.search(content), _ROMANIAN_MOSTLY.search(content)
    return bool(is_turkish) if language == ROMANIAN else bool(is_romanian) and not is_turkish


def _by_words(content: bytes) -> str:
    """Ask the headings, then how often letters come: the language tells the encoding where the letters do not."""
    head = content[:_LOOKED_AT]
    turkish, romanian = _TURKISH_WORDS.search(head), _ROMANIAN_WORDS.search(head)
    if bool(turkish) != bool(romanian):
        found = TURKISH if turkish else ROMANIAN
    else:
        best = next(iter(_guessed(content, ["cp1254", "cp1250"])), None)
        if best is None or best.coherence < _SURE:
            return ""
        found = _LANGUAGES.get((best.encoding, best.language), "")
    return "" if _is_contradicted(content, found) else found


def _guessed(content: bytes, encodings: list[str]) -> list[_Guess]:
    """Ask what a file may be in, the most likely first."""
    from charset_normalizer import from_bytes  # noqa: PLC0415  # nearly every file is UTF-8 and needs no guess

    found = from_bytes(content[:_SAMPLE_BYTES], cp_isolation=encodings)
    return [_Guess(each.encoding, each.language, each.coherence) for each in found]


def _guesses(content: bytes) -> str:
    found = [each.encoding for each in _guessed(content, _GUESSED)]
    names = [re.sub(r"^cp(125[0-8])$", r"windows-\1", each).replace("_", "-") for each in found[:_SHOWN_GUESSES]]
    return f" (it may be {' or '.join(names)})" if names else ""


def shown_encoding(encoding: str) -> str:
    """Name an encoding as people know it."""
    names = {UTF_8: "UTF-8", UTF_8_BOM: "UTF-8", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16"}
    return names.get(encoding, encoding.replace("windows", "Windows"))
