"""The reads of a ledger that can take several calls; see ``slices.py``."""

from typing import Protocol

from server.domain.stock import FoundAvailability, FoundPlaces, FoundStocked, FoundSums, FoundUnits, SkuStock


class Reads(Protocol):
    """What a :class:`~server.store.ledger.ledger.Ledger` reads: each as far as one call comes."""

    async def availability(
        self, skus: list[str], location: str = "", channel: str = "", *, start: int = 0, weight: int = 0
    ) -> FoundAvailability:
        """Read what is available of SKUs at each location."""

    async def sums(
        self, skus: list[str], location: str = "", channel: str = "", *, start: int = 0, weight: int = 0
    ) -> FoundSums:
        """Read the same, summed up."""

    async def stock(self, sku: str, location: str = "", *, start: int = 0, weight: int = 1) -> SkuStock:
        """Read every bucket of a SKU."""

    async def stocked(self, skus: list[str], channel: str = "", *, start: int = 0, weight: int = 0) -> FoundStocked:
        """Read where an order could be taken from."""

    async def places(self, skus: list[str], *, weight: int = 0) -> FoundPlaces:
        """Read where SKUs are known."""

    async def units(self, pairs: list[tuple[str, str]], channel: str, *, growth: int = 1) -> FoundUnits:
        """Read how many units of each SKU at a location a channel can reserve."""
