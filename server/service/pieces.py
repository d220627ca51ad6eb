"""Availability in pieces of what a channel lists under a key, or in packs of a barcode. The least component decides."""

from collections.abc import Mapping, Sequence

from server.domain import limits
from server.domain.channels import KEY_BYTES_MAX
from server.domain.components import Component, pieces
from server.schemas.availability import (
    AvailabilityQueryBody,
    KeyAvailability,
    PartAvailable,
    PiecesAvailability,
    PiecesQuery,
)
from server.schemas.common import time_of
from server.service.availability import members, narrowed, read_aged
from server.service.caller import Caller
from server.service.checks import InvalidError, check_name
from server.service.line_names import find_listings
from server.service.reach import check_skus_in_reach, in_reach
from server.service.scans import pack_of
from server.service.sku_availability import SkuAvailability


async def of_keys(caller: Caller, body: AvailabilityQueryBody) -> list[KeyAvailability]:
    """Read how many pieces can still be ordered under each of a channel's keys; those without a listing are left out.

    The components may be read at several moments. Errors as for :func:`~server.service.availability.of_sku`.
    """
    keys = list(dict.fromkeys(check_name(f"keys[{i}]", key, KEY_BYTES_MAX) for i, key in enumerate(body.keys)))
    if not keys:
        return []
    body = in_reach(caller.principal, body)
    location, channel = narrowed(caller, body)
    if not channel:
        raise InvalidError("channel", "must be there where its keys are")
    parts = await _listed_parts(caller, channel, keys)
    among = await members(caller, body.group, body.location)
    listed = {key: parts[key] for key in keys if key in parts}
    return await _of_pieces(caller, listed, location, channel, among, age_max_ms=body.max_age_ms)


async def of_piece(caller: Caller, query: PiecesQuery) -> PiecesAvailability | None:
    """Read how many pieces of a channel's key, or packs of a barcode, can still be ordered; None: there is no such key.

    Errors as for :func:`~server.service.availability.of_sku`, and UnknownBarcodeError.
    """
    if (query.key is None) is (query.barcode is None):
        raise InvalidError("key", "must be there, or a barcode in its place")
    query = in_reach(caller.principal, query)
    location, channel = narrowed(caller, query)
    among = await members(caller, query.group, query.location)
    if query.key is None:
        pack = await pack_of(caller, "", None, query.barcode)
        name, parts = pack.sku, {pack.sku: [Component(pack.sku, pack.factor)]}
    else:
        if not channel:
            raise InvalidError("channel", "must be there where its key is")
        name = check_name("key", query.key, KEY_BYTES_MAX)
        parts = await _listed_parts(caller, channel, [name])
    if name not in parts:
        return None
    [found] = await _of_pieces(caller, parts, location, channel, among, age_max_ms=query.max_age_ms)
    return PiecesAvailability(
        key=name if query.key is not None else "",
        barcode=query.barcode or "",
        available=found.available,
        components=found.components,
        as_of=found.as_of,
    )


async def _listed_parts(caller: Caller, channel: str, keys: Sequence[str]) -> dict[str, list[Component]]:
    """Return what a piece of each key is made of; those without a listing are left out."""
    listings = await find_listings(caller, channel, keys)
    return {key: each.made_of for key, each in listings.items()}


async def _of_pieces(
    caller: Caller,
    parts: Mapping[str, list[Component]],
    location: str,
    channel: str,
    among: frozenset[str] | None,
    *,
    age_max_ms: int,
) -> list[KeyAvailability]:
    skus = list(dict.fromkeys(each.sku for components in parts.values() for each in components))
    check_skus_in_reach(caller.principal, skus)
    if len(skus) > limits.SKUS_PER_QUERY_MAX:
        rule = f"are made of {len(skus):,} SKUs together; ask for {limits.SKUS_PER_QUERY_MAX:,} at most"
        raise InvalidError("keys", rule)
    read = await read_aged(caller, skus, location, channel, among, is_listed=False, age_max_ms=age_max_ms)
    found = {each.sku: each for each in read}
    return [_of_parts(key, components, found) for key, components in parts.items()]


def _of_parts(key: str, parts: list[Component], found: Mapping[str, SkuAvailability]) -> KeyAvailability:
    return KeyAvailability(
        key,
        max(0, pieces(parts, lambda sku: found[sku].available)),
        [PartAvailable(each.sku, each.quantity, found[each.sku].available) for each in parts],
        time_of(min(found[each.sku].as_of_ms for each in parts)),
    )
