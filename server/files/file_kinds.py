"""The kinds of file by name, for who has a name and parameters and no command: a console, or a connector."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from server.domain.limits import DEFAULT_LOCATION
from server.domain.principal import Scope
from server.files.applying import Origin
from server.files.barcodes import BARCODES
from server.files.categories import CATEGORIES
from server.files.file_import import FileImport
from server.files.listings import listings_import
from server.files.locations import locations_import
from server.files.movements import movements_import
from server.files.stock import count_import, stock_import


class Wanted(NamedTuple):
    """What is asked of a file beside its rows. ``reason``: what the journal keeps; the others: see each import.

    ``salt``: empty where a file that was imported before is a repeat.
    """

    file: str
    channel: str = ""
    location: str = DEFAULT_LOCATION
    baseline_seq: int = -1
    counted_ms: int = -1
    allow_similar: bool = False
    salt: str = ""


class Kind(NamedTuple):
    """A kind of file: what it takes to send one, how it is made of what is wanted, and where what is wanted is."""

    scope: Scope
    make: Callable[[str, Wanted], FileImport[Any]]
    where: Callable[[Wanted], str] = lambda _wanted: ""

    def origin(self, name: str, wanted: Wanted) -> Origin:
        """Return what an import of it is remembered as."""
        return Origin(name, wanted.file, self.where(wanted))


def _stock(reason: str, wanted: Wanted) -> FileImport[Any]:
    return stock_import(reason, wanted.salt, wanted.location, allow_similar=wanted.allow_similar)


def _count(reason: str, wanted: Wanted) -> FileImport[Any]:
    return count_import(
        reason, wanted.location, baseline_seq=wanted.baseline_seq, counted_ms=wanted.counted_ms,
        allow_similar=wanted.allow_similar,
    )  # fmt: skip


def _movements(reason: str, wanted: Wanted) -> FileImport[Any]:
    return movements_import(reason, wanted.salt, allow_similar=wanted.allow_similar)


KINDS: Final[Mapping[str, Kind]] = {
    "import": Kind(Scope.STOCK, _stock),
    "count": Kind(Scope.STOCK, _count, lambda wanted: wanted.location),
    "move": Kind(Scope.STOCK, _movements),
    "barcodes": Kind(Scope.STOCK, lambda _reason, _wanted: BARCODES),
    "categories": Kind(Scope.STOCK, lambda _reason, _wanted: CATEGORIES),
    "locations": Kind(Scope.STOCK, lambda _reason, wanted: locations_import(allow_similar=wanted.allow_similar)),
    "listings": Kind(
        Scope.ADMIN, lambda _reason, wanted: listings_import(wanted.channel), lambda wanted: wanted.channel
    ),
}
"""By the names that the commands have."""
