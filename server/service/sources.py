"""Sources: how each stands, what of it waits for a person, and what people decide about that.

Each decision is left for the process that holds the lease; it is carried out with the source's next answer.
"""

import heapq
from collections.abc import Mapping
from typing import NamedTuple

from server.domain.limits import NAME_BYTES_MAX
from server.domain.similar_names import did_you_mean
from server.domain.sources import (
    PULL_NOW,
    WHOLE_LIST,
    Decided,
    SourceSettings,
    SourceStatus,
    TrackedOrder,
    WaitingNumber,
)
from server.domain.spelling import normal
from server.domain.sudden_changes import Place
from server.schemas.sources import DecisionBody
from server.service.caller import Caller
from server.service.checks import check_location, check_sku
from server.service.problems import ProblemError, problem
from server.service.writes import written
from server.store.connection.timeouts import in_time
from server.store.repositories.channels import ChannelStore
from server.store.repositories.sources import SourceStore, source_statuses


class Standing(NamedTuple):
    """What the store knows of the sources of a partition, and the time there."""

    statuses: Mapping[str, SourceStatus]
    now_ms: int

    def of(self, source: str) -> tuple[SourceStatus, bool]:
        """Return a source's status, and whether its publisher is missing."""
        status = self.statuses.get(source, SourceStatus(publisher="", written_ms=0))
        return status, not status.is_current(self.now_ms)


async def standing(caller: Caller) -> Standing:
    """Read how the sources of the partition stand.

    Raises
    ------
    StoreUnavailableError
        The store did not answer in time.

    """
    parts = caller.partition
    statuses = await in_time(source_statuses(parts.client, parts.keyspace))
    return Standing(statuses, await in_time(ChannelStore(parts.client, parts.keyspace).now_ms()))


async def source_of(caller: Caller, name: str) -> str:
    """Return the name of a source that is configured, or that a publisher has written about.

    Raises
    ------
    ProblemError
        There is none with this name.
    StoreUnavailableError
        The store did not answer in time.

    """
    known = {*caller.partition.sources, *(await standing(caller)).statuses}
    found = next((each for each in (name, normal(name)) if each in known), None)
    if found is None:
        question = did_you_mean(name[:NAME_BYTES_MAX], known)
        raise ProblemError(problem("unknown_source", f"There is no such source{question}" if question else ""))
    return found


def settings_of(caller: Caller) -> Mapping[str, SourceSettings]:
    """Return the configured sources."""
    return caller.partition.sources


class Waiting(NamedTuple):
    """What of a source waits for a person, the longest waiting first. ``complete``: nothing was left out."""

    numbers: list[tuple[Place, WaitingNumber]]
    orders: list[tuple[str, TrackedOrder]]
    complete: bool


async def waiting(caller: Caller, source: str, limit: int) -> Waiting:
    """Read what waits, and what a person has refused while the source goes on to say it.

    Raises
    ------
    ProblemError
        The source is not known.
    StoreUnavailableError
        The store did not answer in time.

    """
    store = _store(caller, await source_of(caller, source))
    numbers = await in_time(_numbers(store, limit + 1))
    orders = await in_time(_orders(store, limit + 1))
    return Waiting(numbers[:limit], orders[:limit], len(numbers) <= limit and len(orders) <= limit)


async def _numbers(store: SourceStore, limit: int) -> list[tuple[Place, WaitingNumber]]:
    found = [each async for each in store.waiting()]
    return heapq.nsmallest(limit, found, key=lambda each: (each[0] != WHOLE_LIST, each[1].since_ms, each[0]))


async def _orders(store: SourceStore, limit: int) -> list[tuple[str, TrackedOrder]]:
    found = [each async for each in store.refused()]
    return heapq.nsmallest(limit, found, key=lambda each: (each[1].changed_ms, each[0]))


async def decide(caller: Caller, source: str, body: DecisionBody) -> tuple[str, int, bool]:
    """Leave a decision; return the source's name, about how many numbers it is, and whether the publisher is missing.

    Raises
    ------
    InvalidError
        A name cannot be one.
    ProblemError
        The source is not known, a place does not wait, or the store did not answer in time.

    """
    name = await source_of(caller, source)
    store = _store(caller, name)
    there = dict(await in_time(_all(store)))
    if isinstance(body.places, list):
        asked = [
            (check_sku(f"places[{i}].sku", each.sku), check_location(f"places[{i}].location", each.location))
            for i, each in enumerate(body.places)
        ]
    else:
        asked = list(there)
    missing = [place for place in asked if place not in there]
    if missing:
        sku, location = missing[0]
        raise ProblemError(problem("not_waiting", f"No number of {sku} at {location} waits. Nothing changed."))
    decided = {place: Decided(body.decision, there[place].after, caller.actor) for place in asked}
    await written(store.decide(decided))
    return name, len(decided), (await standing(caller)).of(name)[1]


async def pull_now(caller: Caller, source: str) -> tuple[str, int, bool]:
    """Have the source read whole now, and told again of what it did not take; returns as :func:`decide` does.

    Raises
    ------
    ProblemError
        The source is not known, or the store did not answer in time.

    """
    name = await source_of(caller, source)
    await written(_store(caller, name).decide({PULL_NOW: Decided("confirmed", 0, caller.actor)}))
    return name, 0, (await standing(caller)).of(name)[1]


async def _all(store: SourceStore) -> list[tuple[Place, WaitingNumber]]:
    return [each async for each in store.waiting()]


def _store(caller: Caller, source: str) -> SourceStore:
    return SourceStore(caller.partition.client, caller.partition.keyspace, source)
