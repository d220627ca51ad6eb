"""Adds up what is on its way to each location: receipts that are expected in time, and transfers in transit."""

from collections import Counter
from collections.abc import Mapping
from datetime import date

from server.store.repositories.daily_figures import FigureStore
from server.store.repositories.expected_receipts import all_supply
from server.store.repositories.transfers import all_open_transfers

Incoming = Mapping[tuple[str, str], int]
"""Units by (SKU, location) that they go to."""


async def incoming(store: FigureStore, today: date) -> Incoming:
    """Read what is on its way. A receipt whose day is over is late, and counts for nothing until it came."""
    found: Counter[tuple[str, str]] = Counter()
    names = await store.location_names()
    async for supply in all_supply(store.client, store.keyspace):
        if supply.expected_on >= today:
            found[supply.sku, names.current(supply.location)] += supply.expected
    async for transfer in all_open_transfers(store.client, store.keyspace):
        for line in transfer.lines:
            found[line.sku, names.current(transfer.destination)] += line.in_transit
    return found
