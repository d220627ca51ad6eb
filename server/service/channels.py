"""Sales channels: their rules and state, their dead letters, and the commands to their publisher."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, Literal, NamedTuple

import msgspec

from server.domain.channels import (
    ChannelRules,
    ChannelSettings,
    DeadLetter,
    RulesError,
    rules_in_force,
    understood,
)
from server.domain.mirrors import fault_of_locations
from server.schemas.channels import ChannelRulesBody, RetryBody
from server.service.caller import Caller, Partition
from server.service.channel_states import channel_of, states, store_of
from server.service.checks import InvalidError, check_location, check_reference, check_sku
from server.service.known_locations import check_known
from server.service.pages import newest, next_of, place_in
from server.service.writes import written
from server.store.connection.timeouts import in_report_time, in_time
from server.store.repositories.channels import ChannelStore

_TOO_MANY_LETTERS: Final = (
    "The dead letters take too long to read. Ask again. If that does not help, correct what the channel refuses:"
    " once it takes a value, the letter is gone."
)
DEAD_LETTERS_LOOKED_AT_MAX: Final = 100_000
"""Some tenths of a second of reading. Where there are more, a page holds the newest of as many."""


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
    """Replace the rules that were set at run time; the channel stays paused, or not, unless ``paused`` is named.

    Raises
    ------
    InvalidError
        A rule breaks its limits, two of them contradict each other, or a location is not there.
    ProblemError
        The channel is not configured, or the store did not answer in time.

    """
    settings = channel_of(caller, channel)
    given = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not msgspec.UNSET}
    reason = check_reference("reason", given.pop("reason", None))
    if "locations" in given:
        given["locations"] = [check_location(f"locations[{i}]", name) for i, name in enumerate(given["locations"])]
    try:
        answer = _in_force(settings, given)
    except RulesError as error:
        raise InvalidError(error.field, error.rule) from None
    fault = fault_of_locations(settings.mirror, answer.rules.locations) if settings.mirror is not None else ""
    if fault:
        raise InvalidError("locations", fault)
    partition = caller.partition
    named = {f"locations[{i}]": location for i, location in enumerate(given.get("locations", []))}
    if named:
        registered = (await partition.locations.current()).locations
        await check_known(partition.client, partition.keyspace, registered, named)

    def replaced(before: dict[str, Any]) -> dict[str, Any]:
        # A form that knows nothing of pausing must not resume a channel.
        return {name: value for name, value in before.items() if name == "paused"} | given

    stored = await written(store_of(caller).change_rules(settings.name, replaced, caller.actor, reason=reason))
    await written(limit_orders(caller.partition))
    return _in_force(settings, understood(stored))


async def pause(caller: Caller, channel: str, reason: str | None, *, is_paused: bool) -> RulesInForce:
    """Pause a channel, or have it published to again; its other rules stay. Errors as for :func:`set_rules`."""
    settings = channel_of(caller, channel)
    why = check_reference("reason", reason)

    def paused(before: dict[str, Any]) -> dict[str, Any]:
        # What a newer release has written stays, too.
        given = {name: value for name, value in before.items() if name != "paused"}
        return given | ({"paused": is_paused} if is_paused != settings.rules.paused else {})

    stored = await written(store_of(caller).change_rules(settings.name, paused, caller.actor, reason=why))
    return _in_force(settings, understood(stored))


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


_Command = Literal["channel_reconcile", "channel_retry", "channel_test"]


async def reconcile(caller: Caller, channel: str) -> bool:
    """Command a comparison of everything with the channel; return whether its publisher is missing.

    Raises
    ------
    ProblemError
        The channel is not configured, or the store did not answer in time.

    """
    return await _command(caller, channel, "channel_reconcile", [])


async def test(caller: Caller, channel: str) -> bool:
    """Command a test of the connection; as :func:`reconcile`."""
    return await _command(caller, channel, "channel_test", [])


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
    caller: Caller,
    channel: str,
    command: _Command,
    skus: list[str],
) -> bool:
    name = channel_of(caller, channel).name
    _, missing = (await states(caller)).of(name)
    await written(store_of(caller).send_command(name, command, skus, caller.actor))
    return missing


# -- dead letters


_Place = tuple[int, str, str]
_decode_place = msgspec.json.Decoder(_Place).decode
"""When a dead letter was refused last, its SKU, and the field that it is about."""


class DeadLettersPage(NamedTuple):
    """Some dead letters, the newest first. ``is_complete``: no more come; ``following``: where the next page begins."""

    found: list[DeadLetter]
    is_complete: bool
    following: str


async def dead_letters(caller: Caller, channel: str, count: int, after: str = "") -> DeadLettersPage:
    """Read the newest dead letters, ``count`` at most.

    Raises
    ------
    InvalidError
        ``after`` is not what a page returned as its next.
    ProblemError
        The channel is not configured.
    StoreUnavailableError
        The store did not answer in time.

    """
    name = channel_of(caller, channel).name
    behind = place_in(after, _decode_place) if after else None
    return await in_report_time(_newest(store_of(caller), name, count, behind), _TOO_MANY_LETTERS)


async def _newest(store: ChannelStore, channel: str, count: int, behind: _Place | None) -> DeadLettersPage:
    page = await newest(_some(store.dead_letters(channel)), _place, behind, count)
    is_last = page.there == len(page.found)
    following = "" if is_last else next_of(_place(page.found[-1]))
    return DeadLettersPage(page.found, is_last and page.looked_at < DEAD_LETTERS_LOOKED_AT_MAX, following)


async def _some(letters: AsyncIterator[DeadLetter]) -> AsyncIterator[DeadLetter]:
    """Go through as many as one page looks at."""
    looked_at = 0
    async for each in letters:
        yield each
        looked_at += 1
        if looked_at == DEAD_LETTERS_LOOKED_AT_MAX:
            return


def _place(letter: DeadLetter) -> _Place:
    return letter.last_ms, letter.sku, letter.field
