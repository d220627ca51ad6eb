"""Reads that can take several calls: one call of the store looks at some places only, and says how far it came.

What is read in several calls is of several moments. Every change up to the ``seq`` of the first call is in it, and of
later ones perhaps a part: so its own seq, its moment and the version of its closed locations are those of the first.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from server.domain.stock import (
    FoundAvailability,
    FoundSums,
    LocationAvailability,
    LocationsSum,
    PlacesOfSku,
    SkuStock,
)
from server.store.errors import TooManyPlacesError
from server.store.ledger.reads import Reads

WEIGHT_GROWTH: Final = 4
"""So an operation or question that found no room in a call is soon alone in one."""
SKUS_PER_CALL: Final = 100
"""So that others get their turn."""
PLACES_PER_CALL: Final = 500
"""At most: ``lua/lib/looking.lua`` sees to it."""
_SLICE_WEIGHT: Final = PLACES_PER_CALL
"""A slice has a batch of its own, so that what comes meanwhile waits for one of them and not for several."""

ValueT = TypeVar("ValueT")


class Moment(NamedTuple):
    """When something was read, and what was true then: see :class:`FoundAvailability`."""

    as_of_ms: int
    locations_version: int
    seq: int


def moment_of(found: FoundAvailability | FoundSums) -> Moment:
    """Return when a call has read what it answers."""
    return Moment(found.as_of_ms, found.locations_version, found.seq)


class Slice(NamedTuple, Generic[ValueT]):
    """A part of what is known of the SKU at ``number`` among those asked for, or all of it (``is_last``)."""

    number: int
    value: ValueT
    moment: Moment
    is_last: bool


async def availability(
    ledger: Reads,
    skus: Sequence[str],
    location: str = "",
    channel: str = "",
    *,
    listed_max: int | None = None,
    first: FoundAvailability | None = None,
) -> AsyncIterator[Slice[list[LocationAvailability] | LocationsSum]]:
    """Read what is available of SKUs at each location, in their order; arguments as for :meth:`Reads.availability`.

    Of a SKU at more locations than ``listed_max``, the rest is summed up. ``first``: what the first call has answered,
    where it was made already.
    """
    listed = 0

    async def ask(some: list[str], start: int, weight: int) -> FoundAvailability | FoundSums:
        if start and listed_max is not None and listed >= listed_max:
            return await ledger.sums(some[:1], location, channel, start=start, weight=weight)
        return await ledger.availability(some, location, channel, start=start, weight=weight)

    async for each in _in_slices(ask, skus, first):
        listed = 0 if each.is_last else listed + _listed(each.value)
        yield each


def _listed(value: list[LocationAvailability] | LocationsSum) -> int:
    return value.locations if isinstance(value, LocationsSum) else len(value)


async def sums(
    ledger: Reads, skus: Sequence[str], location: str = "", channel: str = "", *, first: FoundSums | None = None
) -> AsyncIterator[Slice[list[LocationAvailability] | LocationsSum]]:
    """As :func:`availability`, with a sum for each slice."""

    async def ask(some: list[str], start: int, weight: int) -> FoundSums:
        return await ledger.sums(some, location, channel, start=start, weight=weight)

    async for each in _in_slices(ask, skus, first):
        yield each


async def _in_slices(
    ask: Callable[[list[str], int, int], Awaitable[Any]], skus: Sequence[str], first: Any = None
) -> AsyncGenerator[Slice[Any], None]:
    done, start, weight = 0, 0, 0
    while done < len(skus):
        some = list(skus[done : done + SKUS_PER_CALL])
        found, first = first or await ask(some, start, weight), None
        moment, last = moment_of(found), len(found.skus) - 1
        for number, value in enumerate(found.skus):
            yield Slice(done + number, value, moment, is_last=number < last or not found.next_from)
        complete = len(found.skus) - (found.next_from > 0)
        if not complete and found.next_from == start:
            weight = max(_SLICE_WEIGHT, WEIGHT_GROWTH * weight)
        elif complete < len(some):
            weight = _SLICE_WEIGHT
        done, start = done + complete, found.next_from


async def stock(ledger: Reads, sku: str, location: str = "", *, places_max: int | None = None) -> SkuStock:
    """Read every bucket of a SKU at each location, or at one.

    Raises
    ------
    TooManyPlacesError
        It is at more than ``places_max``, where an allocation of a channel counts as one, too.

    """
    found = first = await ledger.stock(sku, location)
    levels, closed, weight, read = list(first.levels), first.closed, 0, _size(first)
    while found.next_from:
        if places_max is not None and read > places_max:
            raise TooManyPlacesError(places_max)
        weight = _SLICE_WEIGHT if found.levels else max(_SLICE_WEIGHT, WEIGHT_GROWTH * weight)
        found = await ledger.stock(sku, location, start=max(0, found.next_from), weight=weight)
        levels += found.levels
        closed, read = closed | found.closed, read + _size(found)
        if not first.levels:
            first = found  # no part of it had been read before
    if places_max is not None and read > places_max:
        raise TooManyPlacesError(places_max)
    return msgspec.structs.replace(first, levels=levels, closed=closed, next_from=0)


async def stocked(
    ledger: Reads, skus: Sequence[str], channel: str, *, places_max: int | None = None
) -> dict[str, PlacesOfSku]:
    """Read where an order of some SKUs could be taken from.

    Raises
    ------
    TooManyPlacesError
        They are at more than ``places_max``.

    """
    found = {sku: PlacesOfSku(0, [], [], []) for sku in skus}
    looked = 0
    async for each in _of_stocked(ledger, skus, channel):
        looked += _add_stocked(found[skus[each.number]], each.value)
        if places_max is not None and looked > places_max:
            raise TooManyPlacesError(places_max)
    return found


def _of_stocked(ledger: Reads, skus: Sequence[str], channel: str) -> AsyncGenerator[Slice[Any], None]:
    async def ask(some: list[str], start: int, weight: int) -> Any:
        return await ledger.stocked(some, channel, start=start, weight=weight)

    return _in_slices(ask, skus)


def _add_stocked(found: PlacesOfSku, part: PlacesOfSku) -> int:
    found.known.extend(part.known)
    found.open.extend(part.open)
    found.stocked.extend(part.stocked)
    return part.looked


async def first_stocked(ledger: Reads, skus: Sequence[str], channel: str) -> dict[str, PlacesOfSku]:
    """Read the same at the first places of each SKU: as many as one call looks at."""
    found: dict[str, PlacesOfSku] = {}
    for sku in skus:
        async with aclosing(_of_stocked(ledger, [sku], channel)) as read:
            async for each in read:
                found[sku] = each.value
                break
    return found


async def stocked_within(
    ledger: Reads, skus: Sequence[str], channel: str, places_max: int
) -> tuple[dict[str, PlacesOfSku], int]:
    """Read the same until so many places were looked at; also how many were. SKUs that were not reached are left out.

    The last one may be there in part.
    """
    found: dict[str, PlacesOfSku] = {}
    looked = 0
    async with aclosing(_of_stocked(ledger, skus, channel)) as read:
        async for each in read:
            part = found.setdefault(skus[each.number], PlacesOfSku(0, [], [], []))
            looked += max(1, _add_stocked(part, each.value))
            if looked >= places_max:
                break
    return found, looked


async def places(ledger: Reads, skus: Sequence[str], *, places_max: int | None = None) -> list[list[str]]:
    """Read where SKUs are known, in their order. A name that several SKUs share is kept once.

    Raises
    ------
    TooManyPlacesError
        They are known at more than ``places_max``.

    """
    found: list[list[str]] = []
    names: dict[str, str] = {}
    weight = read = 0
    while len(found) < len(skus):
        some = list(skus[len(found) : len(found) + SKUS_PER_CALL])
        part = (await ledger.places(some, weight=weight)).skus
        read += sum(map(len, part))
        if places_max is not None and read > places_max:
            raise TooManyPlacesError(places_max)
        found += [[names.setdefault(name, name) for name in each] for each in part]
        weight = 0 if part else max(_SLICE_WEIGHT, WEIGHT_GROWTH * weight)
    return found


async def units(ledger: Reads, pairs: Sequence[tuple[str, str]], channel: str) -> tuple[list[int], int]:
    """Read how many units of each SKU at a location a channel can reserve, in their order; and the records' bytes."""
    found: list[int] = []
    record_bytes, growth = 0, 1
    while len(found) < len(pairs):
        some = list(pairs[len(found) : len(found) + PLACES_PER_CALL])
        part = await ledger.units(some, channel, growth=growth)
        found += part.units
        record_bytes += part.record_bytes
        growth = 1 if part.units else WEIGHT_GROWTH * growth
    return found, record_bytes


def _size(found: SkuStock) -> int:
    return sum(1 + len(level.allocated) for level in found.levels)
