"""Reads numbers as people and their programs write them, and refuses those that may mean two things."""

import re
from typing import Final

from server.files.reader import BadCellError, shown

_PLAIN: Final = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_NUMBER: Final = re.compile(r"([+-]?)([0-9]+(?:[ .,][0-9]+)*)(-?)", re.ASCII)
_MINUS: Final = str.maketrans({"−": "-", "–": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " "})
_BRACKETS: Final = re.compile(r"\(([0-9][0-9., ]*)\)", re.ASCII)
"""Negative, as accountants write it."""
_AMBIGUOUS: Final = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}", re.ASCII)
_GROUPED: Final = re.compile(r"[0-9]{1,3}(?:([ .,])[0-9]{3})(?:\1[0-9]{3})*", re.ASCII)


def whole_number(column: str, text: str, decimal: str = "", *, noun: str = "whole number of units") -> int:
    """Read a whole number: ``12``, ``+5``, ``12,00``, ``1.200,00``, ``1 200``; negative ones as ``-5`` and ``5-``.

    ``decimal``: the mark before decimals, if it is known.

    Raises
    ------
    BadCellError
        It is none, or may be two.

    """
    if _PLAIN.fullmatch(text):
        return int(text)
    number, fraction = _parts(column, text, decimal, f"a {noun}")
    if fraction.strip("0") or len(number) > 19:  # noqa: PLR2004  # a sign and 18 digits
        raise BadCellError(f"{column} is {shown(text)}, not a {noun}")
    return int(number)


def amount(column: str, text: str, decimal: str = "") -> str:
    """Bring an amount such as ``1.299,90`` to the form ``1299.90``; what is no number stays as it is.

    Raises
    ------
    BadCellError
        It may be two numbers.

    """
    try:
        number, fraction = _parts(column, text, decimal, "a number")
    except _NoNumberError:
        return text
    return f"{number}.{fraction}" if fraction else number


class _NoNumberError(BadCellError):
    """It is no number at all."""


def _parts(column: str, text: str, decimal: str, what: str) -> tuple[str, str]:
    """Return what stands before the decimals, with its sign, and the decimals."""
    bracketed = _BRACKETS.fullmatch(text)
    found = _NUMBER.fullmatch(f"-{bracketed[1]}" if bracketed else text.translate(_MINUS))
    if not found or (found[1] and found[3]):
        raise _NoNumberError(f"{column} is {shown(text)}, not {what}")
    sign = "-" if "-" in (found[1], found[3]) else ""
    number, fraction = _split(column, found[2], decimal, what)
    return sign + number, fraction


def _split(column: str, digits: str, decimal: str, what: str) -> tuple[str, str]:
    """Tell the mark before decimals from those between groups of three digits."""
    marks = [each for each in digits if not each.isdigit()]
    if not marks:
        return digits, ""
    if not decimal and _AMBIGUOUS.fullmatch(digits):
        mark, (before, behind) = marks[0], digits.split(marks[0])
        raise BadCellError(
            f"{column} is {shown(digits)}, which may be {before}{behind} or {before} and a fraction:"
            f" write {before}{behind}, or say what the mark is: --decimal {mark!r} if decimals follow it,"
            f" --decimal {',' if mark == '.' else '.'!r} if not"
        )
    last = marks[-1]
    has_decimals = last == decimal if decimal else last != " " and marks.count(last) == 1 and not _is_group(digits)
    whole, _, fraction = digits.rpartition(last) if has_decimals else (digits, "", "")
    between = {each for each in whole if not each.isdigit()}
    if between and (decimal in between or last in (between if has_decimals else ()) or not _GROUPED.fullmatch(whole)):
        raise _NoNumberError(f"{column} is {shown(digits)}, not {what}")
    return re.sub(r"[ .,]", "", whole), fraction


def _is_group(digits: str) -> bool:
    """Whether the marks can only stand between groups: there are several of one kind, or the mark is a blank."""
    found = _GROUPED.fullmatch(digits)
    return found is not None and (digits.count(found[1]) > 1 or found[1] == " ")
