"""The known name that is most similar to one that nothing has, for messages."""

from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Return "; did you mean …?" with the most similar known name; empty where none is similar."""
    close = closest(name, known, cutoff=cutoff)
    return f"; did you mean {close}?" if close else ""


def closest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Find the most similar known name; empty where none is similar. ``cutoff``: from 0, anything, to 1, the same."""
    from difflib import get_close_matches  # noqa: PLC0415  # only ever needed for a message

    return next(iter(get_close_matches(name, list(known), n=1, cutoff=cutoff)), "")
