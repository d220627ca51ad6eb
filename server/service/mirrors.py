"""Mirrored locations: what a channel holds in its own warehouse is counted there by the channel, and by nobody else."""

from collections.abc import Collection, Mapping
from typing import Final, Literal

from msgspec.structs import replace

from server.domain.answers import Refused
from server.domain.locations import Location
from server.domain.mirrors import MirrorSettings, fault_of_locations
from server.domain.operations.stock import Count
from server.service import bulk
from server.service.caller import Caller, Partition
from server.service.channels import limit_orders, rules_of_all
from server.service.locations import location_names
from server.store.connection.timeouts import in_report_time, in_time
from server.store.repositories.aliases import current_names
from server.store.repositories.location_names import read_location_names
from server.store.repositories.locations import TooManyLocationsError, places_of_stock, skus_at
from server.store.repositories.mirrors import only_alike, read_mirrored, set_mirrored

REASON: Final = "the channel's own warehouse"
_AT_ONCE: Final = 16
"""Counts of one mirror that wait for the store together: they take no more than a small part of its time."""


async def settle_locations(partition: Partition) -> None:
    """Have the scripts know which locations channels are limited to and fill, as they are configured.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    await limit_orders(partition)
    await release(partition)


async def release(partition: Partition) -> None:
    """Let go of the locations that nothing configured fills any more: they are closed, with their last counts.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    meant = {each.mirror.location: actor_of(name) for name, each in partition.channels.items() if each.mirror}
    # Which location a source fills, its adapter knows; one that it has left, it lets go of by itself.
    of_sources = {actor_of(name, "source") for name in partition.sources}
    while True:
        mirrored = await read_mirrored(partition.client, partition.keyspace)
        names = (await read_location_names(partition.client, partition.keyspace)).current
        wanted = {names(location): filler for location, filler in meant.items()}
        kept = {
            location: filler
            for location, filler in mirrored.items()
            if wanted.get(location) == filler or filler in of_sources
        }
        if kept == mirrored or await _change(partition, mirrored, kept):
            return


async def _change(partition: Partition, mirrored: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Change which locations are filled, and by whom; those that are left are closed. False: others did meanwhile."""
    await _close(partition, {name: filler for name, filler in mirrored.items() if name not in wanted})
    return await set_mirrored(partition.client, partition.keyspace, partition.limits, wanted, before=mirrored)


async def _close(partition: Partition, left: Mapping[str, str]) -> None:
    """Close locations that nobody fills any more; their numbers grow old. ``left``: each with who filled it."""
    known = (await partition.locations.current()).locations
    for name, filler in left.items():
        if name in known and known[name].open:
            await partition.locations.put([replace(known[name], open=False)], filler)


def actor_of(name: str, what: Literal["channel", "source"] = "channel") -> str:
    """Return the actor that a channel or a source is."""
    return f"{what}:{name}"


async def claim_for(caller: Caller, channel: str, mirror: MirrorSettings) -> str:
    """Have a channel fill its location alone from now on, see :func:`claim`.

    It is closed, unless its units are to be reserved for others and the channel's own rules leave it out.
    """
    rules = (await in_time(rules_of_all(caller.partition)))[channel]
    fault = fault_of_locations(mirror, rules.locations)
    is_open = mirror.reserve_for_others and not fault
    reason = await claim(caller, mirror.location, is_open=is_open, groups=mirror.groups)
    return reason or (f"locations {fault}" if fault else "")


async def claim(caller: Caller, name: str, *, is_open: bool, groups: Collection[str] = ()) -> str:
    """Have the caller fill a location alone from now on. Return why it cannot, empty where it does; repeatable.

    ``is_open``: whether it is on sale. ``groups``: those that it belongs to. What the caller filled before is closed.

    Raises
    ------
    StoreUnavailableError
        The store did not answer in time.

    """
    partition, filler = caller.partition, caller.actor
    location = (await location_names(caller)).current(name)
    while True:
        mirrored = await in_time(read_mirrored(partition.client, partition.keyspace))
        known = (await in_time(partition.locations.current())).locations.get(location)
        holder = mirrored.get(location) or (known.filled_by if known is not None else "")
        if holder != filler:
            reason = await _unfit(partition, location, known, holder)
            if reason:
                return reason
        # Before it is registered: a kill in between leaves one that its filler goes on with.
        mine = {**{each: of for each, of in mirrored.items() if of != filler}, location: filler}
        if mirrored.get(location) == filler or await in_time(_change(partition, mirrored, mine)):
            break
    wanted = replace(known or Location(location), open=is_open, filled_by=filler, groups=tuple(sorted(set(groups))))
    if wanted != known:
        try:
            similar = await in_time(partition.locations.put([wanted], caller.actor))
        except TooManyLocationsError:
            return f"there are too many locations to register {location}"
        if similar:
            return f"{location} is like the location {similar[location]}; give it another name"
    return ""


async def _unfit(partition: Partition, location: str, known: Location | None, holder: str) -> str:
    """Say why a location that the caller has not filled cannot become its own."""
    if holder:
        return f"{location} is filled by {holder}; give this one another location"
    if known is not None or await in_report_time(_has_stock(partition, location)):
        return f"{location} is a location of your own, whose stock would be overwritten; name one that is new"
    return ""


async def _has_stock(partition: Partition, location: str) -> bool:
    async for places in places_of_stock(partition.client, partition.keyspace):
        if location in places:
            return True
    return False


async def skus_there(caller: Caller, mirror: MirrorSettings) -> set[str]:
    """Return the SKUs that are known at a mirrored location; looks at all SKUs. Errors as for :func:`claim`."""
    partition, place, found = caller.partition, 0, set[str]()
    location = frozenset({(await location_names(caller)).current(mirror.location)})
    while True:
        some, place = await in_time(skus_at(partition.client, partition.keyspace, location, place))
        found |= some.keys()
        if not place:
            return found


async def named_so(caller: Caller, names: Collection[str]) -> dict[str, str]:
    """Return the SKU that each name is, or that alone is like it, as it is called now; errors as for :func:`claim`."""
    partition = caller.partition
    found = await in_time(only_alike(partition.client, partition.keyspace, "sku", names))
    now = await in_time(current_names(partition.client, partition.keyspace, list(dict.fromkeys(found.values()))))
    return {name: now[sku] for name, sku in found.items()}


async def not_renamed(caller: Caller, skus: Collection[str]) -> list[str]:
    """Return those SKUs that are called so now: a count by an old name would be one of the new; errors as above."""
    partition = caller.partition
    now = await in_time(current_names(partition.client, partition.keyspace, list(skus)))
    return [sku for sku, name in now.items() if name == sku]


async def count(caller: Caller, mirror: MirrorSettings, units: Mapping[str, int], counted_ms: int) -> dict[str, str]:
    """Count SKUs at a mirrored location, as of a time; return the outcomes of those that were refused.

    Raises
    ------
    OverloadedError, StoreUnavailableError, OutcomeUnknownError
        Not all are counted; a repetition does no harm.

    """
    location = (await location_names(caller)).current(mirror.location)

    async def one(sku: str) -> tuple[str, str]:
        counted = Count("", caller.actor, "", sku, location, units[sku], reason=REASON, counted_ms=counted_ms)
        answer = await caller.ledger.run(counted)
        return sku, answer.outcome if isinstance(answer, Refused) else ""

    outcomes = await bulk.each(list(units), one, _AT_ONCE)
    return {sku: outcome for sku, outcome in outcomes if outcome}
