"""Fields of answers whose form nobody guarantees: read as far as they are what they should be."""

from datetime import datetime
from typing import Any


def inner(value: Any, *names: str) -> Any:
    """Return a field within fields; None: one of them is not there."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def text(value: Any) -> str:
    """Return a name or a number as text; empty for what is neither."""
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def in_ms(moment: str) -> int:
    """Return a time with a zone, as ISO 8601 writes it, in milliseconds since 1970.

    Raises
    ------
    ValueError
        It is none. The message quotes nothing of it.

    """
    try:
        read = datetime.fromisoformat(moment)
    except ValueError:
        raise ValueError("a time of another form") from None
    if read.tzinfo is None:
        raise ValueError("a time without a zone")
    return round(read.timestamp() * 1000)
