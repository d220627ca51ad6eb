"""The alerts that a change raises: what is available is low, out or back, or orders lack units.

Those that begin with ``sku.`` are of a SKU as a whole: it is new, ran out at its last open location, or is back at one.
"""

from typing import Final, Literal

Alert = Literal["stock.low", "stock.out", "stock.back", "shortage.opened", "sku.new", "sku.out", "sku.back"]
PLACE_ALERTS: Final[tuple[Alert, ...]] = ("stock.low", "stock.out", "stock.back", "shortage.opened")
"""Those of a SKU at a location. Who does not ask for others gets these alone, as before there were others."""
SKU_ALERTS: Final[tuple[Alert, ...]] = ("sku.new", "sku.out", "sku.back")
ALERTS: Final[tuple[Alert, ...]] = (*PLACE_ALERTS, *SKU_ALERTS)


def crossed(was: int, now: int, reorder_point: int) -> tuple[Alert, ...]:
    """Return the alerts of a change from ``was`` to ``now`` units available; none for most changes.

    An alert is raised again only after its threshold was crossed the other way: ``stock.low`` after more units than the
    reorder point, ``stock.out`` after any units were available. A fall through both raises only the greater one.
    What orders lack does not follow from these: safety stock is not available, and yet it can be shipped.
    """
    if was > now:
        if was > 0 >= now:
            return ("stock.out",)
        if was > reorder_point >= now > 0:
            return ("stock.low",)
    elif was <= 0 < now:
        return ("stock.back",)
    return ()
