"""The routes of the HTTP API, a file for each resource; collected in :data:`ROUTES`."""

from typing import Final

from server.api.http.routing import Route
from server.api.routes import (
    allocations,
    availability,
    available_to_promise,
    backorders,
    barcodes,
    calendars,
    changes,
    channels,
    expected_receipts,
    listings,
    locations,
    map_lines,
    nearby,
    relocate,
    renames,
    replenishment,
    reports,
    reservations,
    returns_and_exchanges,
    safety_stock,
    shortages,
    sourcing,
    stock,
    transfers,
)

ROUTES: Final[list[Route]] = [
    *reservations.ROUTES,
    *returns_and_exchanges.ROUTES,
    *availability.ROUTES,
    *changes.ROUTES,
    *stock.ROUTES,
    *allocations.ROUTES,
    *transfers.ROUTES,
    *expected_receipts.ROUTES,
    *available_to_promise.ROUTES,
    *barcodes.ROUTES,
    *shortages.ROUTES,
    *backorders.ROUTES,
    *channels.ROUTES,
    *listings.ROUTES,
    *locations.ROUTES,
    *nearby.ROUTES,
    *sourcing.ROUTES,
    *relocate.ROUTES,
    *map_lines.ROUTES,
    *reports.ROUTES,
    *replenishment.ROUTES,
    *calendars.ROUTES,
    *safety_stock.ROUTES,
    *renames.ROUTES,
]
"""Every route that needs a key, in the order of the documentation."""
