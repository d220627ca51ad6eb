"""How much safety stock locations are to keep: rules for categories of SKUs and for locations."""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from server.domain.limits import NAME_BYTES_MAX
from server.domain.replenishment import Units

CATEGORY_BYTES_MAX: Final = 2 * NAME_BYTES_MAX
"""In UTF-8."""
SKUS_PER_CALL_MAX: Final = 1_000
"""SKUs whose category one call sets."""

Percent = Annotated[int, Meta(ge=0, le=100)]


class SafetyRule(msgspec.Struct, frozen=True, kw_only=True):
    """How much a location keeps back. Kept as JSON: new fields need a default.

    ``units``, or ``percent`` of ``on_hand``, rounded up: the greater of the two.
    """

    units: Units = 0
    percent: Percent = 0


SafetyRules = Mapping[tuple[str, str], SafetyRule]
"""By (category, location), either of which may be :data:`server.domain.replenishment.ANY`."""
