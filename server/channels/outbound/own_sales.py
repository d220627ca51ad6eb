"""A channel's own sales, by the journal: a channel that sells changes the number that it shows without being told."""

from typing import Final

from server.domain.changes import Change

SAY_NOTHING: Final = frozenset({"extend", "fulfil", "relocate", "backorder_fill"})
"""Changes of a reservation at which no channel changes its number: the units were sold before, and stay so."""


def add_own_sales(change: Change, units_by_sku: dict[str, int]) -> None:
    """Add what a change of a reservation says of its channel's own number: units sold, fewer than none if taken back.

    A hold counts, too: some channels take the units off before they are paid. So does what comes later: the commit of
    a hold that took them off then, the end of one that gives them back, a cancel, a return.
    """
    if not change.reservation_id or change.operation in SAY_NOTHING:
        return
    for line in change.lines:
        units = line.d_held + line.d_committed + line.d_waiting + line.d_owed
        units_by_sku[line.sku] = units_by_sku.get(line.sku, 0) + units
