"""Who is told how far a backup or a restore is."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Is told what is done, how much of it, and of how much; 0: that is not known."""


def quiet(_what: str, _done: int, _total: int) -> None:
    """Tell nobody."""
