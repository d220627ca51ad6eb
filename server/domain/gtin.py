"""Numbers of articles: GTINs of 8, 12, 13 and 14 digits, which are one number with or without leading zeros."""

import re
from typing import Final

_GTIN: Final = re.compile(r"[0-9]{8}|[0-9]{12,14}", re.ASCII)
_LENGTHS: Final = (8, 12, 13, 14)
_LONGEST: Final = 14


def check_digit(digits: str) -> str:
    """Return the digit that belongs behind these: modulo 10 with weights 3 and 1 from the right, as GS1 has it."""
    odd, even = digits[::-2], digits[-2::-2]
    return str(-(3 * sum(map(int, odd)) + sum(map(int, even))) % 10)


def is_gtin(text: str) -> bool:
    """Whether the length says that this is a GTIN; all else is a barcode of the merchant's own."""
    return _GTIN.fullmatch(text) is not None


def check_digit_fault(digits: str) -> str:
    """Return what is wrong with the last digit and how it is mended; empty where it fits."""
    fits = check_digit(digits[:-1])
    if digits[-1] == fits:
        return ""
    return (
        f"has a last digit that does not fit: scan or type {digits} again. Where all the others are right, it is"
        f" {digits[:-1]}{fits}"
    )


def same_gtins(digits: str) -> list[str]:
    """Return all spellings of a GTIN, the shortest first: with it, a GTIN is stored under one of them."""
    longest = digits.zfill(_LONGEST)
    zeros = _LONGEST - len(longest.lstrip("0"))
    return [longest[_LONGEST - length :] for length in _LENGTHS if _LONGEST - length <= zeros]
