"""Times as commands show them."""

from datetime import UTC, datetime


def shown_time(time_ms: int) -> str:
    """Show milliseconds since 1970 as a time in UTC."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def time_text(time_ms: int | None) -> str | None:
    """Show a time that may be none; None for none."""
    return None if time_ms is None else shown_time(time_ms)
