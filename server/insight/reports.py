"""Reads the figures of days and the stock for the reports, letting others have their turn on the way."""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import NamedTuple

from server.domain.reports import By, Pace, Sales, Span, Velocity, velocity
from server.domain.spelling import is_spelling
from server.insight.rests import Rests
from server.store.repositories.calendars import read_calendar
from server.store.repositories.daily_figures import Counted, FigureStore, Row, StockAtLocation
from server.store.repositories.locations import read_closed


class Only(NamedTuple):
    """What a report is about; an empty field stands for all."""

    sku: str = ""
    channel: str = ""
    location: str = ""


async def span_of(store: FigureStore, counted: Counted | None) -> Span:
    """Return for which days velocity can be worked out."""
    now_ms, calendar = await store.now_ms(), await read_calendar(store.client, store.keyspace)
    return Span(now_ms, counted.since_ms if counted is not None else now_ms, calendar)


async def sales(store: FigureStore, by: By, days: Iterable[int], only: Only) -> Sales:
    """Add the figures of some days up."""
    summed = Sales(by)
    async for day, sku, row in _rows(store, days, only):
        summed.add(day, sku, row.channel, row.location, row.figures)
    return summed


async def velocities(
    store: FigureStore, span: Span, only: Only, is_about: Callable[[Velocity], bool] = lambda _: True
) -> list[Velocity]:
    """Work out how fast every SKU sells, or the one; also those that lie there and do not sell. In no order.

    ``is_about``: which of them to return.
    """
    lying: dict[str, list[int]] = {}
    async for shelf in shelves(store, only):
        levels = lying.setdefault(shelf.sku, [0, 0])
        levels[0] += shelf.on_hand
        levels[1] += shelf.available
    paces: dict[str, Pace] = {}
    async for day, sku, row in _rows(store, span.days, only):
        paces.setdefault(sku, Pace()).add(day, row.figures, span)
    found: list[Velocity] = []
    nothing, rests = Pace(), Rests()
    for sku, (on_hand, available) in lying.items():
        each = velocity(sku, paces.get(sku, nothing), span, on_hand=on_hand, available=available)
        if is_about(each):
            found.append(each)
        if rests.is_due():
            await rests.take()
    return found


async def paces_by_place(store: FigureStore, span: Span, only: Only) -> dict[tuple[str, str], Pace]:
    """Work out how fast things go at each (SKU, location)."""
    paces: dict[tuple[str, str], Pace] = {}
    async for day, sku, row in _rows(store, span.days, only):
        paces.setdefault((sku, row.location), Pace()).add(day, row.figures, span)
    return paces


async def shelves(store: FigureStore, only: Only) -> AsyncIterator[StockAtLocation]:
    """Go through the stock that a report is about. At a closed location nothing is available."""
    closed = (await read_closed(store.client, store.keyspace)).names
    only = await _meant(store, only)
    if only.sku:
        for shelf in await store.shelves_of(only.sku):
            if only.location in ("", shelf.location):
                yield _masked(shelf, closed)
        return
    rests = Rests()
    async for shelf in store.shelves():
        if rests.is_due():
            await rests.take()
        if only.location in ("", shelf.location):
            yield _masked(shelf, closed)


async def _meant(store: FigureStore, only: Only) -> Only:
    """Return the same with the location as it is called now."""
    return only._replace(location=(await store.location_names()).current(only.location)) if only.location else only


def _masked(shelf: StockAtLocation, closed: frozenset[str]) -> StockAtLocation:
    return shelf._replace(available=0, is_closed=True) if shelf.location in closed else shelf


async def _rows(store: FigureStore, days: Iterable[int], only: Only) -> AsyncIterator[tuple[int, str, Row]]:
    rests = Rests()
    only = await _meant(store, only)
    async for day, sku, rows in _skus(store, list(days), only.sku):
        for row in rows:
            if rests.is_due():
                await rests.take()
            if only.location in ("", row.location) and _is_of_channel(row, only.channel):
                yield day, sku, row


def _is_of_channel(row: Row, channel: str) -> bool:
    """Return whether figures are of a channel, also where an earlier release has stored its name in another form."""
    return not channel or is_spelling(row.channel, channel)


async def _skus(store: FigureStore, days: list[int], sku: str) -> AsyncIterator[tuple[int, str, list[Row]]]:
    if sku:
        name = await store.current(sku)
        for day, rows in zip(days, await store.of_sku(sku, days), strict=True):
            yield day, name, rows
        return
    for day in days:
        async for name, rows in store.of_day(day):
            yield day, name, rows
