"""Text stays text: what a terminal would obey, or a person could not see, is shown as an escape.

A SKU, a channel's reason or a file name comes from outside. ESC and other control characters could move the cursor,
colour or hide lines and make links. Characters that turn the direction of writing show a text as another one.
"""

import re
from typing import Final

_JOINERS: Final = "\u00a0\u200c\u200d"
"""Not printable to Python, and yet part of ordinary writing: a space that keeps together, and two joiners."""
_NOT_ASCII: Final = re.compile(r"[^\x20-\x7e]")


def visible(text: str, *, keep: str = "") -> str:
    r"""Return a text that a terminal shows and does not obey: ``\x1b`` for ESC, ``\u202e`` for a turn of direction.

    What is visible already is returned as it is, so doing it twice is doing it once. ``keep``: characters to leave,
    such as the line breaks of a text that has lines of its own.
    """
    if text.isprintable():
        return text
    return _NOT_ASCII.sub(lambda found: _shown(found[0], keep), text)


def _shown(character: str, keep: str) -> str:
    if character.isprintable() or character in _JOINERS or character in keep:
        return character
    return character.encode("unicode_escape").decode("ascii")


def visible_json(document: str) -> str:
    """Return a JSON document that means the same, with escapes of JSON for what a terminal would obey."""
    return _NOT_ASCII.sub(_json_escape, document)


def _json_escape(found: re.Match[str]) -> str:
    character = found[0]
    if character.isprintable() or character in _JOINERS or character == "\n":
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
