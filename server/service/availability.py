"""Availability: what can still be reserved, of one SKU or many, everywhere or near a position."""

from typing import Final, NamedTuple

from server.domain import limits
from server.domain.locations import Location, Position, distance_km
from server.domain.stock import LocationAvailability
from server.schemas.availability import AvailabilityQuery, AvailabilityQueryBody
from server.schemas.locations import NearbyQuery
from server.service.caller import Caller
from server.service.checks import InvalidError, check_channel, check_location, check_sku, check_text
from server.store.ledger.ledger import Ledger

_SKUS_AT_A_TIME: Final = 100


class SkuAvailability(NamedTuple):
    """What can still be reserved of a SKU at its locations, at a moment on the store's clock. Empty: unknown SKU.

    ``among``: the locations that count; None: all. At a closed one nothing is available; ``locations_version``: see
    :class:`FoundAvailability`.
    """

    sku: str
    locations: list[LocationAvailability]
    as_of_ms: int
    among: frozenset[str] | None = None
    locations_version: int = 0


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
    OverloadedError, StoreUnavailableError
        The store did not answer.

    """
    sku, location, channel, among = check_sku("sku", sku), "", "", None
    if query is not None:
        location, channel = _narrowed(query)
        among = await _members(caller, query.group, query.location)
    found = await caller.ledger.availability([sku], location, channel)
    return SkuAvailability(sku, found.skus[0], found.as_of_ms, among, found.locations_version)


async def of_skus(caller: Caller, body: AvailabilityQueryBody) -> list[SkuAvailability]:
    """Read what can still be reserved of many SKUs, in their order; errors as for :func:`of_sku`."""
    skus = [check_sku(f"skus[{i}]", sku) for i, sku in enumerate(body.skus)]
    location, channel = _narrowed(body)
    among = await _members(caller, body.group, body.location)
    return await read_in_pieces(caller.ledger, skus, location, channel, among)


async def read_in_pieces(
    ledger: Ledger, skus: list[str], location: str = "", channel: str = "", among: frozenset[str] | None = None
) -> list[SkuAvailability]:
    """Read many SKUs, some at a time so that others get their turn."""
    read: list[SkuAvailability] = []
    for start in range(0, len(skus), _SKUS_AT_A_TIME):
        piece = skus[start : start + _SKUS_AT_A_TIME]
        found = await ledger.availability(piece, location, channel)
        read += [
            SkuAvailability(sku, locations, found.as_of_ms, among, found.locations_version)
            for sku, locations in zip(piece, found.skus, strict=True)
        ]
    return read


async def unknown_skus(ledger: Ledger, skus: list[str]) -> list[str]:
    """Return those SKUs that the store does not know."""
    return [each.sku for each in await read_in_pieces(ledger, skus) if not each.locations]


async def nearby(caller: Caller, sku: str, query: NearbyQuery, *, decimals: int) -> tuple[SkuAvailability, list[Near]]:
    """Read which open locations have units of a SKU, the nearest first; those without a position are left out.

    ``decimals``: of the distance. Errors as for :func:`of_sku`.
    """
    checked = check_sku("sku", sku)
    among = await _members(caller, query.group, None)
    directory = await caller.partition.locations.current()
    found = await of_sku(caller, checked, None)
    here, near = Position(query.lat, query.lon), []
    for each in found.locations:
        location = directory.locations.get(each.location)
        if location is None or location.position is None or each.available <= 0:  # also where it is closed
            continue
        if among is None or each.location in among:
            distance = round(distance_km(here, location.position), decimals)
            near.append(Near(location, location.position, distance, each.available))
    near.sort(key=lambda one: (one.distance_km, one.location.name))
    return found, near[: query.limit]


def _narrowed(query: AvailabilityQuery | AvailabilityQueryBody) -> tuple[str, str]:
    """Check and return location and channel, empty where they are left out."""
    location = "" if query.location is None else check_location("location", query.location)
    channel = "" if query.channel is None else check_channel("channel", query.channel)
    return location, channel


async def _members(caller: Caller, group: str | None, location: str | None) -> frozenset[str] | None:
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
