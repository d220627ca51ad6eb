"""Availability: what can still be reserved, of one SKU or many, everywhere or near a position.

A SKU can be at thousands of locations, so it is read in slices (``store/ledger/slices.py``), and a request may be about
so many places only: a place is a SKU at a location.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, NamedTuple

from server.domain import limits
from server.domain.locations import Location, Position, distance_km
from server.domain.stock import LocationAvailability, LocationAvailable, LocationsSum
from server.schemas.availability import (
    AvailabilityQuery,
    AvailabilityQueryBody,
    PiecesQuery,
)
from server.schemas.locations import NearbyQuery
from server.service.caller import Caller
from server.service.checks import InvalidError, check_channel, check_location, check_sku, check_text
from server.service.copied_availability import checked_names, find
from server.service.order_channels import check_allowed
from server.service.reach import check_skus_in_reach, in_reach
from server.service.sku_availability import SkuAvailability
from server.store.errors import TooManyPlacesError
from server.store.ledger import slices
from server.store.ledger.ledger import Ledger
from server.telemetry.request_tally import TALLY

EVENT_LOCATIONS_MAX: Final = 1_000
"""A change of a SKU at more locations is told without their list: it would be sent with each sale."""


class Near(NamedTuple):
    """An open location with units, and how far away it is along the great circle, in kilometres."""

    location: Location
    position: Position
    distance_km: float
    available: int


async def of_sku(caller: Caller, sku: str, query: AvailabilityQuery | None) -> SkuAvailability:
    """Read what can still be reserved of one SKU.

    Raises
    ------
    InvalidError
        A field breaks a rule, or no location is in the group.
    TooManyPlacesError
        It is at more locations than an answer may list, or a request read.
    OverloadedError, StoreUnavailableError
        The store did not answer.

    """
    sku, location, channel, among, is_listed, age_max_ms = check_sku("sku", sku), "", "", None, True, 0
    if caller.principal.reach is not None:
        check_skus_in_reach(caller.principal, [sku])
        query = in_reach(caller.principal, query or AvailabilityQuery())
    if query is not None:
        location, channel = narrowed(caller, query)
        among = await members(caller, query.group, query.location)
        is_listed, age_max_ms = query.locations, query.max_age_ms
    [found] = await read_aged(caller, [sku], location, channel, among, is_listed=is_listed, age_max_ms=age_max_ms)
    return found


def of_sku_copied(caller: Caller, sku: str, query: AvailabilityQuery) -> SkuAvailability | None:
    """Return the same from this process's copy, where nothing has to be waited for; None: ask :func:`of_sku`."""
    if (
        caller.principal.reach is not None
        or query.group is not None
        or sku not in checked_names(caller, query.max_age_ms)
    ):
        return None
    location, channel = narrowed(caller, query)
    copied = find(caller, (sku,), location, channel, None, is_listed=query.locations, age_max_ms=query.max_age_ms)
    found = copied.get(sku)
    if found is None or not found.is_known:
        return None
    TALLY.copied += 1
    return found


async def of_skus(caller: Caller, body: AvailabilityQueryBody) -> list[SkuAvailability]:
    """Read what can still be reserved of many SKUs, in their order; errors as for :func:`of_sku`.

    One that is named twice is read once and returned twice, as far as an answer has room.
    """
    if not body.skus and not body.keys:
        raise InvalidError("skus", "is required, or keys of a channel")
    known = checked_names(caller, body.max_age_ms)
    skus = [sku if sku in known else check_sku(f"skus[{i}]", sku) for i, sku in enumerate(body.skus)]
    if caller.principal.reach is not None:
        check_skus_in_reach(caller.principal, skus)
        body = in_reach(caller.principal, body)
    location, channel = narrowed(caller, body)
    among = await members(caller, body.group, body.location)
    distinct = list(dict.fromkeys(skus))
    found = await read_aged(
        caller, distinct, location, channel, among, is_listed=body.locations, age_max_ms=body.max_age_ms
    )
    by_sku = {each.sku: each for each in found}
    if sum(len(by_sku[sku].locations or ()) for sku in skus) > limits.PLACES_PER_ANSWER_MAX:
        raise TooManyPlacesError(limits.PLACES_PER_ANSWER_MAX)
    return [by_sku[sku] for sku in skus]


async def read_aged(
    caller: Caller,
    skus: Sequence[str],
    location: str,
    channel: str,
    among: frozenset[str] | None,
    *,
    is_listed: bool,
    age_max_ms: int,
) -> list[SkuAvailability]:
    """Read SKUs from this process's copy where it is new enough and has them, and the others from the store."""
    copied = find(caller, skus, location, channel, among, is_listed=is_listed, age_max_ms=age_max_ms)
    left = [sku for sku in skus if sku not in copied] if copied else skus
    if age_max_ms and caller.partition.stock_copy is not None:
        TALLY.copied += len(copied)
        TALLY.not_copied += len(left)
    if left:
        for each in await read(caller.ledger, left, location, channel, among, is_listed=is_listed):
            copied[each.sku] = each
    return [copied[sku] for sku in skus]


async def read(
    ledger: Ledger,
    skus: Sequence[str],
    location: str,
    channel: str,
    among: frozenset[str] | None,
    *,
    is_listed: bool,
    listed_max: int = limits.PLACES_PER_ANSWER_MAX,
) -> list[SkuAvailability]:
    """Read SKUs within what one request may read and list."""
    is_summed = not is_listed and among is None
    ask, in_slices = (ledger.sums, slices.sums) if is_summed else (ledger.availability, slices.availability)
    first: Any = None
    if len(skus) == 1:
        # Nearly always it comes whole in one call, and what reads in slices takes longer than this question.
        first = await ask([*skus], location, channel)
        if first.skus and not first.next_from:
            tally = _Tally(slices.moment_of(first), among, is_listed=is_listed)
            tally.add(first.skus[0])
            return [tally.whole(skus[0])]
    found: list[SkuAvailability] = []
    places = listed = 0
    read = in_slices(ledger, skus, location, channel, first=first)
    async for each, size in _collected(read, skus, among, is_listed=is_listed):
        places, listed = places + size.read, listed + size.listed
        if listed > listed_max:
            raise TooManyPlacesError(listed_max)
        if places > limits.PLACES_PER_REQUEST_MAX:
            raise TooManyPlacesError(limits.PLACES_PER_REQUEST_MAX)
        if each is not None:
            found.append(each)
    return found


async def for_events(
    ledger: Ledger, skus: list[str], channel: str = "", *, is_listed: bool = True
) -> list[SkuAvailability]:
    """Read SKUs that changed; those at very many locations come without their list."""
    read = (
        slices.availability(ledger, skus, channel=channel, listed_max=EVENT_LOCATIONS_MAX)
        if is_listed
        else slices.sums(ledger, skus, channel=channel)
    )
    return [each async for each, _ in _collected(read, skus, None, is_listed=is_listed) if each is not None]


class _Size(NamedTuple):
    """How many places a slice has, and how many of them are listed."""

    read: int
    listed: int


async def _collected(
    read: AsyncIterator[slices.Slice[list[LocationAvailability] | LocationsSum]],
    skus: Sequence[str],
    among: frozenset[str] | None,
    *,
    is_listed: bool,
) -> AsyncIterator[tuple[SkuAvailability | None, _Size]]:
    """Add up the slices of each SKU; with its last one, it comes as a whole."""
    tally: _Tally | None = None
    async for each in read:
        if tally is None:
            tally = _Tally(each.moment, among, is_listed=is_listed)
        size = tally.add(each.value)
        yield tally.whole(skus[each.number]) if each.is_last else None, size
        if each.is_last:
            tally = None


class _Tally:
    """What is available of one SKU while its slices come: see the module ``slices`` for what several of them mean."""

    def __init__(self, moment: slices.Moment, among: frozenset[str] | None, *, is_listed: bool) -> None:
        self._moment = moment
        self._among = among
        self._listed: list[LocationAvailable] | None = [] if is_listed else None
        self._available = self._seq = self._known = self._counted = 0

    def add(self, value: list[LocationAvailability] | LocationsSum) -> _Size:
        """Add a slice."""
        if isinstance(value, LocationsSum):
            self._listed = None
            self._add_up(value.available, value.seq, value.locations, value.locations)
            return _Size(value.locations, 0)
        counted = value if self._among is None else [each for each in value if each.location in self._among]
        available = sum(each.available for each in counted)
        self._add_up(available, max((each.seq for each in value), default=0), len(value), len(counted))
        if self._listed is None:
            return _Size(len(value), 0)
        self._listed += [LocationAvailable(each.location, each.available) for each in counted]
        return _Size(len(value), len(counted))

    def _add_up(self, available: int, seq: int, known: int, counted: int) -> None:
        self._available += available
        self._seq = max(self._seq, seq)
        self._known += known
        self._counted += counted

    def whole(self, sku: str) -> SkuAvailability:
        """Return what all slices say. The seq claims no change that came after the first of them."""
        moment = self._moment
        return SkuAvailability(
            sku, self._known > 0, self._available, min(self._seq, moment.seq), self._counted, self._listed,
            moment.as_of_ms, self._among, moment.locations_version,
        )  # fmt: skip


async def nearby(caller: Caller, sku: str, query: NearbyQuery, *, decimals: int) -> tuple[SkuAvailability, list[Near]]:
    """Read which open locations have units of a SKU, the nearest first; those without a position are left out.

    ``decimals``: of the distance. Errors as for :func:`of_sku`.
    """
    checked = check_sku("sku", sku)
    check_skus_in_reach(caller.principal, [checked])
    query = in_reach(caller.principal, query)
    _, channel = narrowed(caller, query)
    among = await members(caller, query.group, None)
    directory = await caller.partition.locations.current()
    [found] = await read(
        caller.ledger, [checked], "", channel, among, is_listed=True, listed_max=limits.PLACES_PER_REQUEST_MAX
    )
    here, near = Position(query.lat, query.lon), []
    for each in found.locations or ():
        location = directory.locations.get(each.location)
        if location is None or location.position is None or each.available <= 0:  # also where it is closed
            continue
        distance = round(distance_km(here, location.position), decimals)
        near.append(Near(location, location.position, distance, each.available))
    near.sort(key=lambda one: (one.distance_km, one.location.name))
    return found, near[: query.limit]


def narrowed(
    caller: Caller, query: AvailabilityQuery | AvailabilityQueryBody | PiecesQuery | NearbyQuery
) -> tuple[str, str]:
    """Check and return location and channel, empty where they are left out.

    Raises
    ------
    InvalidError
        One cannot be a name.
    ProblemError
        Orders of the channel are refused.

    """
    named = None if isinstance(query, NearbyQuery) else query.location
    location = "" if named is None else check_location("location", named)
    channel = "" if query.channel is None else check_channel("channel", query.channel)
    check_allowed(caller, channel)
    return location, channel


async def members(caller: Caller, group: str | None, location: str | None) -> frozenset[str] | None:
    """Return the locations of a group, also closed ones, where nothing is available; None without a group.

    Raises
    ------
    InvalidError
        No location is in the group, or a location was named, too.

    """
    if group is None:
        return None
    check_text("group", group, limits.NAME_BYTES_MAX)
    if location is not None:
        raise InvalidError("group", "may not stand beside location")
    directory = await caller.partition.locations.current()
    if group not in directory.groups:
        raise InvalidError("group", "no location is in this group")
    return directory.members(group)
