"""The goods of a run: which SKUs there are, who may touch them, and the requests that set them up."""

from typing import Any, Final

from tests.rigs.rolling_upgrade.records import LOCATION, Ask, Move

HOT: Final = tuple(f"hot-{number}" for number in range(8))
"""Sold by all callers at once, always enough of them."""
SCARCE: Final = tuple(f"scarce-{number}" for number in range(2))
"""Sold by all callers at once, and mostly sold out."""
SPREAD: Final = tuple(f"spread-{number}" for number in range(4))
"""At several locations, for orders that leave the choice to the server."""
PLACES: Final = ("ankara", "istanbul", "izmir")
GROUP: Final = "shops"
DEPOT: Final = "depot"
"""Where transfers go."""
PLENTY: Final = 1_000_000
FEW: Final = 5
PACK: Final = 12
"""Units of a pack that is received by its barcode."""
NEVER_PAID: Final = "never paid"
"""The order_ref of holds that are left to expire."""
LISTED: Final = (*HOT, *SCARCE, *SPREAD)
"""What the channels show."""
DAY_S: Final = 86_400
"""A hold of this length outlives every run."""


def counted_by(caller: int) -> str:
    """Name the SKU that only this caller receives, counts and transfers, so that a count meets no other caller's."""
    return f"counted-{caller}"


def awaited_by(caller: int) -> str:
    """Name the SKU that only this caller's orders wait for."""
    return f"awaited-{caller}"


def allocated_to(caller: int) -> str:
    """Name the SKU of which only this caller sets units aside."""
    return f"allotted-{caller}"


def barcode_of(sku: str) -> str:
    """Name the barcode of a pack of a SKU."""
    return f"pack-of-{sku}"


def first_goods(callers: int) -> list[Ask]:
    """Make the requests that register the locations and bring the first units."""
    asks = [
        Ask("location", "PUT", f"/v1/locations/{place}", {"kind": "store", "groups": [GROUP], "priority": number})
        for number, place in enumerate(PLACES)
    ]
    # Where any is registered, 0.2.0 takes units at no other for the first time, as its changelog says.
    asks.append(Ask("location", "PUT", f"/v1/locations/{DEPOT}", {"kind": "warehouse"}))
    asks += [received(f"first-{sku}", sku, PLENTY) for sku in HOT]
    asks += [received(f"first-{sku}", sku, FEW) for sku in SCARCE]
    asks += [received(f"first-{sku}-{place}", sku, PLENTY, place) for sku in SPREAD for place in PLACES]
    packs = [{"barcode": barcode_of(sku), "sku": sku, "factor": PACK} for sku in HOT]
    asks.append(Ask("barcodes", "PUT", "/v1/barcodes", {"barcodes": packs}))
    for caller in range(callers):
        for sku in (counted_by(caller), allocated_to(caller)):
            asks.append(received(f"first-{sku}", sku, PLENTY))
        asks.append(waiting_allowed(f"first-{awaited_by(caller)}", awaited_by(caller)))
    return asks


def movement(kind: str, key: str, body: dict[str, Any], *moves: Move, supply: tuple[str, int] | None = None) -> Ask:
    """Make a request of one movement of stock."""
    return Ask(kind, "POST", "/v1/stock/movements", {"movements": [body]}, key, moves, supply)


def received(key: str, sku: str, units: int, location: str = LOCATION) -> Ask:
    """Units arrive."""
    body = {"kind": "receive", "sku": sku, "quantity": units, "location": location}
    return movement("receive", key, body, Move(sku, location, "on_hand", units))


def waiting_allowed(key: str, sku: str) -> Ask:
    """Let orders wait for units of a SKU."""
    body = {"mode": "backorder", "limit": PLENTY, "promise_on": "2035-01-01"}
    return Ask("let wait", "PUT", f"/v1/stock/{sku}/{LOCATION}/backorder", body, key)
