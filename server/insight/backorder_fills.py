"""Units that came in and filled backorders at once, seen as one change: only the rest was ever available."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from server.domain.changes import Change, ChangeLine

FILL: Final = "backorder_fill"
"""The operation by which units go to a line that waited; it follows the change that brought them, in the same entry."""

Filled = Mapping[int, tuple[int, int]]
"""By a line's seq: from how many units to how many it is to be seen to move what is available."""

NOBODY_WAITED: Final[Filled] = MappingProxyType({})


def seen_as_one(changes: Sequence[Change]) -> Filled:
    """Return how lines are to be seen whose units filled backorders at once, for the changes of one journal entry.

    The first line of a change at a location goes from what was before to what is left in the end. Its others there, and
    those by which the units filled backorders, move nothing. A fill that no change before it brought units for, because
    they were there already, is not in the answer: it stands for itself.
    """
    seen: dict[int, tuple[int, int]] = {}
    brought: dict[tuple[str, str], list[ChangeLine]] = {}
    for change in changes:
        is_fill = change.operation == FILL
        if not is_fill:
            brought = {}
        for line in change.lines:
            lines = brought.get((line.sku, line.location), [])
            if is_fill and not lines:
                continue
            brought[line.sku, line.location] = lines = [*lines, line]
            if is_fill:
                seen |= {each.seq: (line.available, line.available) for each in lines}
                seen[lines[0].seq] = (lines[0].available - lines[0].d_available, line.available)
    return seen
