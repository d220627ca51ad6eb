"""Words of summaries, and of what people say of files."""

import csv
from collections.abc import Iterable


def counted(count: int, noun: str, plural: str = "") -> str:
    """Write a count and its noun: ``1 row``, ``2,000 rows``. The plural takes an s unless it is given."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def fitting(text: str, bytes_max: int) -> str:
    """Cut a text to so many bytes of UTF-8, at the end of a character."""
    return text.encode("utf-8", "backslashreplace")[:bytes_max].decode("utf-8", "ignore")


def pieces_of(said: str) -> list[str]:
    """Split what was said at commas; a piece that holds one stands in quotation marks."""
    return [piece.strip() for row in csv.reader([said], skipinitialspace=True) for piece in row if piece.strip()]


def named_columns(pieces: Iterable[str]) -> dict[str, str]:
    """Read ``column=heading`` of each piece.

    Raises
    ------
    ValueError
        A piece is none; it is the first argument.

    """
    found: dict[str, str] = {}
    for piece in pieces:
        column, _, heading = piece.partition("=")
        if not column.strip() or not heading.strip():
            raise ValueError(piece)
        found[column.strip()] = heading.strip()
    return found
