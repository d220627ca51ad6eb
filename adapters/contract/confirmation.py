"""After a lost answer: what an order that was read whole says of a command, where the channel keeps no name of it.

Shared by kinds whose parcels are told with their lines. Where an equal parcel or an equal cancel may be an older one,
and the command could be carried out once more, nobody can know: a person has to look.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from adapters.contract.orders import (
    Confirmation,
    Done,
    LineQuantities,
    NotDone,
    Order,
    OrderLine,
    Package,
    Refuse,
    Ship,
    Undecided,
)

_ON_ITS_WAY: Final = frozenset({"shipped", "delivered", "undelivered", "back"})


def shipment(command: Ship, order: Order) -> Confirmation:
    """Say whether these pieces have been reported as shipped."""
    gone = [each for each in _parcels(command, order.packages) if each.state in _ON_ITS_WAY]
    if not gone:
        return NotDone()
    if command.tracking or command.package or not _could_be_again(command.lines, order):
        return Done(remote_id=gone[-1].key)
    return Undecided(reason="an equal parcel without a tracking number has left; it may be an older one")


def refusal(command: Refuse, order: Order, *, in_parts: bool = False) -> Confirmation:
    """Say whether these pieces have been cancelled.

    ``in_parts``: several requests carry it out. A part of it may be done, which must not be said again.
    """
    lines = {line.key: line for line in order.lines}
    if order.state == "cancelled":
        return Done()
    if any(key not in lines or lines[key].cancelled < pieces for key, pieces in command.lines):
        is_begun = any(key in lines and lines[key].cancelled for key, _ in command.lines)
        return Undecided(reason="a part of these pieces is cancelled") if in_parts and is_begun else NotDone()
    if not _could_be_again(command.lines, order):
        return Done()
    return Undecided(reason="as many pieces are cancelled; it may have been an earlier cancel")


def half_done(command: Ship, order: Order, *, tracked_later: bool = False) -> str:
    """Name the parcel that stands ready with just these pieces and has not left; empty: there is none.

    ``tracked_later``: the channel has a parcel without its tracking number until it leaves.
    """
    ready = [each for each in _parcels(command, order.packages, tracked_later=tracked_later) if each.state == "living"]
    return ready[0].key if ready else ""


def _parcels(command: Ship, packages: Iterable[Package], *, tracked_later: bool = False) -> list[Package]:
    if command.package:
        return [each for each in packages if each.key == command.package]
    tracking = {command.tracking, ""} if tracked_later else {command.tracking}
    wanted = _counted(command.lines)
    return [each for each in packages if each.tracking in tracking and _counted(each.lines) == wanted]


def _counted(lines: LineQuantities) -> Counter[str]:
    counted: Counter[str] = Counter()
    for key, pieces in lines:
        counted[key] += pieces
    return counted


def _could_be_again(lines: LineQuantities, order: Order) -> bool:
    left = {line.key: _left(line) for line in order.lines}
    return all(left.get(key, 0) >= pieces for key, pieces in lines)


def _left(line: OrderLine) -> int:
    return line.ordered - line.cancelled - line.shipped
