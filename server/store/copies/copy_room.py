"""How much the copies of all partitions may keep in one process together."""

from typing import Protocol

from server.telemetry.copy_metrics import COPIED_PLACES


class Kept(Protocol):
    """What takes room: see :class:`~server.store.copies.stock_copy.StockCopy`."""

    @property
    def places(self) -> int:
        """How much it takes."""
        ...

    def drop_oldest(self) -> None:
        """Take less."""


class CopyRoom:
    """Room for ``places_max`` places (a SKU at a location) of all copies of a process. 0: there are no copies.

    Whoever has the most gives way, so no partition takes the room of the others.
    """

    def __init__(self, places_max: int) -> None:
        self.places_max = places_max
        self.places = 0
        self.copies: set[Kept] = set()

    def change(self, places: int) -> None:
        """Note that so many places more are kept, negative: fewer."""
        self.places += places
        COPIED_PLACES.set(self.places)

    def make(self) -> None:
        """Make room where too much is kept."""
        while self.places > self.places_max:
            max(self.copies, key=lambda copy: copy.places).drop_oldest()
