"""Reads that weigh much: one SKU asked for a thousand times, and SKUs at thousands of places."""

import json
from collections.abc import Sequence
from typing import Final

from tests.rigs.neighbours.filling import fill, stock_at_many
from tests.rigs.neighbours.ground import Ground
from tests.rigs.neighbours.loader import Load
from tests.rigs.neighbours.registry import Pace, Row, Timed
from tests.support.operations import receive

TIMES: Final = 1_000
"""As many SKUs as one query may name."""
PLACES_EACH: Final = 20
CONNECTIONS: Final = 2
QUERY: Final = "POST /v1/availability/query"


class Query(Timed):
    """Queries without a pause."""

    name = "query"
    does = "an availability query that names one SKU 1,000 times, at 2,000 and at 10,000 places, on 2 connections"
    variants = ("2,000-places", "10,000-places", "1,000-SKUs-at-20", "one-SKU-alone")

    async def prepare(self, ground: Ground, variant: str, pace: Pace) -> None:
        if variant == "1,000-SKUs-at-20":
            pairs = ((f"wide-{sku}", f"store-{place}") for sku in range(TIMES) for place in range(PLACES_EACH))
            await fill(ground, "attacker", (receive(sku, 10, place) for sku, place in pairs))
        else:
            await stock_at_many(ground, "wide", pace.of(2_000 if variant == "2,000-places" else 10_000))

    def loads(self, ground: Ground, variant: str) -> Sequence[Load]:
        if variant == "one-SKU-alone":
            return [ground.load("ask", 4 * CONNECTIONS, "GET /v1/availability/wide")]
        skus = [f"wide-{sku}" for sku in range(TIMES)] if variant == "1,000-SKUs-at-20" else ["wide"] * TIMES
        return [ground.load("ask", CONNECTIONS, QUERY, body=json.dumps({"skus": skus}))]


ROWS: Final[tuple[Row, ...]] = (Query(),)
