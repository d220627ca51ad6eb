"""What two names have in common that people take for one: the fold, by one table that has a version.

SKUs and locations whose folds are equal are alike: they differ by case (ı, I, İ and i are one letter), by ş or ţ with a
cedilla or a comma, by compatibility forms, by the kind of a dash, or by runs of blanks. The store finds a known name by
its fold. So a change of this table needs a new version: the index of every store is then built anew.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final, Literal

Kind = Literal["sku", "location"]

FOLD_VERSION: Final = 1
"""Raised with every change of what :func:`fold` returns."""

_DASHES: Final = "\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\ufe58"
_LETTERS: Final = str.maketrans(
    {"I": "i", "ı": "i", "İ": "i", "Ș": "ş", "ș": "ş", "Ț": "ţ", "ț": "ţ"} | dict.fromkeys(_DASHES, "-")
)
_DOTTED: Final = re.compile("i\u0307+")
"""An i with one more dot, as lower case of İ is written in some programs."""
_APART: Final = str.maketrans("", "", "- ")


def fold(name: str) -> str:
    """Return what is left of a name where spellings of one kind are alike; the same again for what it returned."""
    if name.isascii():
        return " ".join(name.lower().split())
    text = unicodedata.normalize("NFKC", name).translate(_LETTERS).casefold()
    text = unicodedata.normalize("NFKC", text).translate(_LETTERS)
    return " ".join(_DOTTED.sub("i", text).split())


def loose(name: str) -> str:
    """Return the fold without dashes and blanks: names that are alike in it may well be two, so it only warns."""
    return fold(name).translate(_APART)


def folds(names: Iterable[str]) -> dict[str, str]:
    """Return the fold of each name."""
    return {name: fold(name) for name in names}
