"""Decides on a command whose answer was lost where its kind cannot: by how the order stood just before it was sent.

An adapter sees only how the order stands now. Where as many pieces were cancelled before, it cannot tell its own cancel
from an earlier one. The figures of a line only grow, so what they were tells.
"""

from collections.abc import Sequence

from adapters.contract.orders import Command, Confirmation, Done, NotDone, Order, Refuse, Ship, Undecided

_Figures = Sequence[tuple[str, int, int]]
"""Of each line: its key, and how many pieces are cancelled and shipped."""


def figures_of(command: Command, order: Order) -> list[tuple[str, int, int]]:
    """Return the key of each line that a command is about, and how many pieces of it are cancelled and shipped."""
    if not isinstance(command, Refuse | Ship):
        return []
    keys = {key for key, _ in command.lines}
    return [(line.key, line.cancelled, line.shipped) for line in order.lines if line.key in keys]


def decided(found: Confirmation, command: Command, before: _Figures, order: Order) -> Confirmation:
    """Decide where an adapter could not; ``before``: the figures when the command was sent, empty: nobody noted them.

    Done as soon as the order has so many pieces more of them, whoever did that meanwhile: once more would be too many.
    A shipment that shows nowhere stays undecided: a kind may tell it long after.
    """
    if not isinstance(found, Undecided) or not isinstance(command, Refuse | Ship):
        return found
    is_cancel = isinstance(command, Refuse)
    were = _counted(before, is_cancel=is_cancel)
    are = _counted(figures_of(command, order), is_cancel=is_cancel)
    wanted: dict[str, int] = {}
    for key, pieces in command.lines:
        wanted[key] = wanted.get(key, 0) + pieces
    if not wanted or not were.keys() & are.keys() >= wanted.keys():
        return found
    more = {key: are[key] - were[key] for key in wanted}
    if all(more[key] >= pieces for key, pieces in wanted.items()):
        return Done()
    return NotDone() if is_cancel and not any(more.values()) else found


def _counted(figures: _Figures, *, is_cancel: bool) -> dict[str, int]:
    return {key: cancelled if is_cancel else shipped for key, cancelled, shipped in figures}
