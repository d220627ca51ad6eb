"""What can still be reserved of one SKU, as the service finds it, and as a caller sees it."""

from typing import NamedTuple

import msgspec

from server.domain.stock import LocationAvailable
from server.schemas.availability import AvailabilityView
from server.schemas.common import time_of


class SkuAvailability(NamedTuple):
    """What can still be reserved of a SKU at its locations, at a moment on the store's clock.

    ``is_known`` False: at no location. ``counted``: at how many of them; ``locations`` lists these, None: it was left
    out. ``among``: the locations that count; None: all. At a closed one nothing is available; ``locations_version``:
    see :class:`FoundAvailability`.
    """

    sku: str
    is_known: bool
    available: int
    seq: int
    counted: int
    locations: list[LocationAvailable] | None
    as_of_ms: int
    among: frozenset[str] | None
    locations_version: int

    @property
    def view(self) -> AvailabilityView:
        """Return what a caller sees of it."""
        listed = self.locations
        return AvailabilityView(
            sku=self.sku,
            available=self.available,
            seq=self.seq,
            locations=msgspec.UNSET if listed is None else listed,
            as_of=time_of(self.as_of_ms),
            locations_version=self.locations_version,
            locations_left_out=self.counted if listed is None else 0,
        )
