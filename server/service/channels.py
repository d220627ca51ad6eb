"""Sales channels: their rules and state, their dead letters, and the commands to their publisher."""

import heapq
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

import msgspec

from server.domain.channels import (
    ChannelRules,
    ChannelSettings,
    ChannelStatus,
    DeadLetter,
    RulesError,
    rules_in_force,
    understood,
)
from server.domain.spelling import normal
from server.schemas.channels import ChannelRulesBody, RetryBody
from server.service.caller import Caller, Partition
from server.service.checks import InvalidError, check_location, check_sku
from server.service.known_locations import check_known
from server.service.problems import ProblemError, problem
from server.service.writes import written
from server.store.connection.timeouts import in_time
from server.store.repositories.channels import ChannelStore

DEAD_LETTERS_LOOKED_AT_MAX: Final = 100_000
"""Some tenths of a second of reading. Where there are more, a page holds the newest of as many."""


def channel_of(caller: Caller, name: str) -> ChannelSettings:
    """Find a channel among those of the caller's partition.

    Raises
    ------
    ProblemError
        It is not configured there.

    """
    found = caller.partition.channels.get(name) or caller.partition.channels.get(normal(name))
    if found is None:
        raise ProblemError(problem("unknown_channel"))
    return found


def store_of(caller: Caller) -> ChannelStore:
    """Open what is kept about the channels of the caller's partition; its methods wait for ever, so bound them."""
    return ChannelStore(caller.partition.client, caller.partition.keyspace)


# -- state


class States(NamedTuple):
    """What the store knows of the channels of a partition, and the time there."""

    statuses: dict[str, ChannelStatus]
    now_ms: int

    def of(self, channel: str) -> tuple[ChannelStatus, bool]:
        """Return a channel's status, and whether its publisher is missing."""
        status = self.statuses.get(channel, ChannelStatus(publisher="", written_ms=0))
        return status, not status.is_current(self.now_ms)


async def states(caller: Caller) -> States:
    """Read how the channels of the partition are.

    Raises
    ------
    StoreUnavailableError
        The store did not answer in time.

    """
    store = store_of(caller)
    return States(await in_time(store.statuses()), await in_time(store.now_ms()))


# -- rules


class RulesInForce(NamedTuple):
    """A channel's rules, and the names of those that were set at run time."""

    settings: ChannelSettings
    rules: ChannelRules
    set_at_run_time: list[str]


def _in_force(settings: ChannelSettings, given: dict[str, Any]) -> RulesInForce:
    return RulesInForce(settings, rules_in_force(settings.rules, given), sorted(given))


async def rules(caller: Caller, channel: str) -> RulesInForce:
    """Read a channel's rules.

    Raises
    ------
    ProblemError
        The channel is not configured.
    StoreUnavailableError
        The store did not answer in time.

    """
    settings = channel_of(caller, channel)
    given = await in_time(store_of(caller).given_rules())
    return _in_force(settings, understood(given.get(settings.name, {})))


async def set_rules(caller: Caller, channel: str, body: ChannelRulesBody) -> RulesInForce:
    """Replace the rules that were set at run time.

    Raises
    ------
    InvalidError
        A rule breaks its limits, two of them contradict each other, or a location is not there.
    ProblemError
        The channel is not configured, or the store did not answer in time.

    """
    settings = channel_of(caller, channel)
    given = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not msgspec.UNSET}
    if "locations" in given:
        given["locations"] = [check_location(f"locations[{i}]", name) for i, name in enumerate(given["locations"])]
    try:
        answer = _in_force(settings, given)
    except RulesError as error:
        raise InvalidError(error.field, error.rule) from None
    partition = caller.partition
    named = {f"locations[{i}]": location for i, location in enumerate(given.get("locations", []))}
    if named:
        registered = (await partition.locations.current()).locations
        await check_known(partition.client, partition.keyspace, registered, named)
    await written(store_of(caller).set_rules(settings.name, given, caller.actor))
    await written(limit_orders(caller.partition))
    return answer


async def limit_orders(partition: Partition) -> None:
    """Have orders of each channel taken from the locations that its rules name, where they name any.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    locations = {name: each.locations for name, each in (await rules_of_all(partition)).items()}
    await partition.locations.store.limit_channels(locations)


async def rules_of_all(partition: Partition) -> Mapping[str, ChannelRules]:
    """Read the rules in force of each configured channel; errors as for :func:`limit_orders`."""
    given = await ChannelStore(partition.client, partition.keyspace).given_rules()
    return {
        name: rules_in_force(settings.rules, understood(given.get(name, {})))
        for name, settings in partition.channels.items()
    }


# -- commands to the publisher


async def reconcile(caller: Caller, channel: str) -> bool:
    """Command a comparison of everything with the channel; return whether its publisher is missing.

    Raises
    ------
    ProblemError
        The channel is not configured, or the store did not answer in time.

    """
    return await _command(caller, channel, "channel_reconcile", [])


async def retry(caller: Caller, channel: str, body: RetryBody) -> bool:
    """Command a second try of dead letters, of some SKUs or all; as :func:`reconcile`.

    Raises
    ------
    InvalidError
        A SKU cannot be one.

    """
    skus = [check_sku(f"skus[{i}]", sku) for i, sku in enumerate(body.skus or [])]
    return await _command(caller, channel, "channel_retry", list(dict.fromkeys(skus)))


async def _command(
    caller: Caller, channel: str, command: Literal["channel_reconcile", "channel_retry"], skus: list[str]
) -> bool:
    name = channel_of(caller, channel).name
    _, missing = (await states(caller)).of(name)
    await written(store_of(caller).send_command(name, command, skus, caller.actor))
    return missing


# -- dead letters


async def dead_letters(caller: Caller, channel: str, count: int) -> tuple[list[DeadLetter], bool]:
    """Read the newest dead letters, ``count`` at most, and whether those are all.

    Raises
    ------
    ProblemError
        The channel is not configured.
    StoreUnavailableError
        The store did not answer in time.

    """
    name = channel_of(caller, channel).name
    return await in_time(_newest(store_of(caller), name, count))


async def _newest(store: ChannelStore, channel: str, count: int) -> tuple[list[DeadLetter], bool]:
    """Pick the newest. No more than ``count`` are in memory at any time."""
    newest: list[tuple[int, str, str, DeadLetter]] = []
    seen = 0
    async for each in store.dead_letters(channel):
        seen += 1
        push = heapq.heappush if len(newest) < count else heapq.heappushpop
        push(newest, (each.last_ms, each.sku, each.field, each))
        if seen == DEAD_LETTERS_LOOKED_AT_MAX:
            break
    return [each for *_, each in sorted(newest, reverse=True)], seen == len(newest)
