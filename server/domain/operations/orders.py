"""What stands in front of an operation where a channel's order is known by its number."""

from typing import ClassVar

import msgspec

from server.domain.operations.base import Operation
from server.domain.operations.reservations import (
    Cancel,
    Commit,
    Extend,
    Fulfil,
    MapLines,
    Order,
    Release,
    Reserve,
    Return,
)

_WHEN_FULL = "mutate_when_full"


class OrderOperation(Operation, frozen=True):
    """An operation on the record of an order alone; it touches neither stock nor a reservation."""

    key: str = ""


class NoteOrder(OrderOperation, tag="note_order", frozen=True):
    """Write the record of an order that needs no other operation."""

    function: ClassVar[str] = "mutate_noting_when_full"


Step = Reserve | Order | Commit | Extend | Release | Cancel | Fulfil | Return | MapLines | NoteOrder


class Noted(msgspec.Struct, frozen=True):
    """A step of an order's booking: the operation runs if nothing has moved, and its record is written with it.

    ``version``: that of the record before, 0 where there is none. ``record``: the new one, packed. ``seen``: ids of
    reservations and what they had, see :func:`~server.domain.order_progress.seen_of`. ``lines``: how many those have.
    """

    field: str
    version: int
    record: bytes
    seen: list[tuple[str, str]]
    lines: int
    operation: Step

    @property
    def function(self) -> str:
        """The Lua function that runs it."""
        return _noting(self.operation.function)

    @property
    def weight(self) -> int:
        """The operation's, and the lines that are compared."""
        return self.operation.weight + self.lines


class Numbered(msgspec.Struct, frozen=True):
    """A reserve, order or commit that names the number of an order of a configured channel.

    ``channel`` empty and ``channels``: of a commit, whose reservation knows its channel.
    """

    channel: str
    number: str
    channels: tuple[str, ...]
    operation: object

    @property
    def function(self) -> str:
        """The Lua function that runs it."""
        return _noting(self.operation.function)  # type: ignore[attr-defined]  # each has one

    @property
    def weight(self) -> int:
        """The operation's."""
        return self.operation.weight  # type: ignore[attr-defined,no-any-return]  # each has one


def _noting(function: str) -> str:
    return "mutate_noting_when_full" if function == _WHEN_FULL else "mutate_noting"
