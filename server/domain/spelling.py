"""What makes two spellings one name, and what cannot be a name.

It holds for SKUs, locations, channels, barcodes and the keys of listings. A name is what people meant by it: without
blanks around it, and with its letters composed (NFC). It holds nothing that cannot be seen, and is not what a
spreadsheet made of another name.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

import msgspec

_PLAIN: Final = re.compile(r"(?:[A-Za-z_](?:[ -~]*[!-~])?|[0-9]+(?:[A-DF-Za-df-z_/-](?:[ -~]*[!-~])?)?)\Z").match
"""ASCII that cannot be changed or refused: no blank at an end, and no number, formula or error of a spreadsheet."""

_BLANKS: Final = " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
"""All that Unicode calls a space. Tabs and line ends are control characters, which no text may hold."""
_INVISIBLE: Final = re.compile(
    "["
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e007f"
    "]"
)
"""Zero-width characters, byte order marks, controls of the direction of text, fillers and tags."""
_NOT_UTF_8: Final = re.compile("[\ud800-\udfff\ufffd]")
"""Halves of surrogate pairs stand for bytes that were not UTF-8, and U+FFFD for those that somebody replaced."""

_POWER: Final = re.compile(r"[+-]?(?:[0-9](?:[.,][0-9]+)?[Ee]\+[0-9]{2,3}|[0-9][.,][0-9]+[Ee]-?[0-9]{1,3})", re.ASCII)
_DECIMALS: Final = re.compile(r"([0-9]{3,})[.,]0+", re.ASCII)
_FORMULA: Final = re.compile(r'="(.*)"', re.DOTALL)
_ERROR: Final = re.compile(r"#(?:N/A|NAME\?|REF!|VALUE!|DIV/0!|NUM!|NULL!|YOK|AD\?|BAŞV!|DEĞER!|SAYI/0!|SAYI!|BOŞ!|#+)")


_MADE_BY_SPREADSHEETS: Final = (
    (_POWER, "is a number that a spreadsheet rounded: format the column as text, and enter the whole number again"),
    (_FORMULA, "is a formula of a spreadsheet: send what stands between the quotation marks"),
    (_ERROR, "is an error of a spreadsheet: format the column as text, and enter the name again"),
)
"""What a spreadsheet makes of a name, and the rule with its mend."""


def is_plain(text: str) -> bool:
    """Return True for most names, quickly: this is its own normal form, and nothing speaks against it."""
    return _PLAIN(text) is not None


def normal(text: str) -> str:
    """Return the normal form of a name: without blanks around it, and composed."""
    return unicodedata.normalize("NFC", text.strip(_BLANKS))


def fault(name: str) -> str:
    """Return what keeps a normal form from being a name, and what to do; empty where nothing does."""
    found = _INVISIBLE.search(name)
    if found:
        return f"must not hold {_described(found[0])}, which cannot be seen: remove it, or type the name anew"
    if _NOT_UTF_8.search(name):
        return "must be UTF-8, and was not before it was sent: send it as UTF-8"
    found = _DECIMALS.fullmatch(name)
    if found:
        return f"is a number as a spreadsheet writes it: send {found[1]}, and format the column as text"
    return next((rule for made, rule in _MADE_BY_SPREADSHEETS if made.fullmatch(name)), "")


def _described(character: str) -> str:
    return f"U+{ord(character):04X} ({unicodedata.name(character, 'a control character').lower()})"


def mended(text: str) -> str:
    """Return the name that was meant by a stored one: one that needs no mending; empty where it cannot be told."""
    name = normal(_INVISIBLE.sub("", text))
    found = _FORMULA.fullmatch(name) or _DECIMALS.fullmatch(name)
    name = normal(found[1]) if found else name
    return "" if fault(name) else name


def asked_as(stored: str) -> str:
    """Return what the door makes of a name that was stored before there was one; empty where that is the same."""
    name = mended(stored)
    return "" if name == stored else name


def is_spelling(stored: str, name: str) -> bool:
    """Return whether a stored name is this one, or would be today."""
    return stored == name or (not is_plain(stored) and mended(stored) == name)


class StoredNames(msgspec.Struct, frozen=True):
    """Names of a partition that were stored before the door would have changed or refused them, by kind.

    ``spelled``: kind -> the name as it is asked for -> as it is stored. A stored name is found under its own spelling
    and under its mended one; where both are stored, requests for either go to the mended one.
    ``is_complete`` False: they are still looked for, and until then every name stays as it is sent.
    """

    spelled: Mapping[str, Mapping[str, str]] = {}
    is_complete: bool = True

    def spelling(self, kind: str, name: str) -> str | None:
        """Return how a name is stored; None: as the door makes it."""
        return self.spelled.get(kind, {}).get(name)

    def __bool__(self) -> bool:
        """Whether the door has anything to heed."""
        return bool(self.spelled) or not self.is_complete
