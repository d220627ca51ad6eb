"""Sales channels: which there are, their rules, how they stand, and what can be asked of their publisher."""

import heapq
from collections.abc import Awaitable
from typing import Annotated, Any, Final, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from server.api.http import problems
from server.api.http.routing import Call, Route
from server.api.http.wire import parse_query, respond
from server.api.routes.reservation_answers import time_of
from server.domain import limits
from server.domain.channels import (
    DEAD_LETTERS_PER_PAGE_MAX,
    PUBLISHER_MISSING_MS,
    ChannelSettings,
    ChannelStatus,
    DeadLetter,
    LastReconcile,
    RulesError,
    rules_in_force,
    understood,
)
from server.domain.principal import Scope
from server.schemas.channels import (
    Asked,
    ChannelList,
    ChannelRulesBody,
    ChannelStatusView,
    ChannelSummary,
    ChannelView,
    DeadLetterList,
    DeadLetterView,
    ReconcileView,
    RetryBody,
)
from server.service.checks import InvalidError, check_location, check_sku
from server.store.connection.timeouts import in_time
from server.store.errors import StoreUnavailableError
from server.store.repositories.channels import ChannelStore

DEAD_LETTERS_LOOKED_AT_MAX: Final = 100_000
"""Some tenths of a second of reading. Where there are more, a page holds the newest of as many."""
_ASK_AGAIN: Final = (
    "It may or may not have happened. Send the same request again: a second time it does no harm and needs no key."
)


def channel_of(call: Call) -> ChannelSettings:
    """Find the channel that the path names, among those of the caller's partition.

    Raises
    ------
    ProblemError
        It is not configured there.

    """
    name = call.request.match_info["channel"]
    found = call.service.channels.get(call.principal.partition, {}).get(name)
    if found is None:
        raise problems.ProblemError(problems.problem("unknown_channel"))
    return found


def channel_store(call: Call) -> ChannelStore:
    """Get what is kept about the channels of the caller's partition."""
    return call.service.channel_store(call.ledger.keyspace)


async def written(writing: Awaitable[None]) -> None:
    """Await a write through the patient client, which may have been carried out although no answer came.

    Raises
    ------
    ProblemError
        The store did not answer in time; to ask again is safe.

    """
    try:
        await in_time(writing)
    except StoreUnavailableError as error:
        raise problems.ProblemError(problems.problem("outcome_unknown", _ASK_AGAIN)) from error


# -- how it stands


class _Standing(msgspec.Struct, frozen=True):
    """What the store knows of the channels' publisher, and the time there."""

    statuses: dict[str, ChannelStatus]
    now_ms: int

    def of(self, channel: str) -> tuple[ChannelStatus, bool]:
        """Tell how a channel stands, and whether its publisher is missing."""
        status = self.statuses.get(channel, ChannelStatus(publisher="", written_ms=0))
        return status, self.now_ms - status.written_ms > PUBLISHER_MISSING_MS


async def _standing(call: Call) -> _Standing:
    store = channel_store(call)
    return _Standing(await in_time(store.statuses()), await in_time(store.now_ms()))


def _time(time_ms: int | None) -> Any:
    return time_of(time_ms) if time_ms else None


def _summary(settings: ChannelSettings, standing: _Standing) -> ChannelSummary:
    status, missing = standing.of(settings.name)
    return ChannelSummary(
        settings.name, settings.kind, missing, status.circuit, status.reason, status.dirty, status.oldest_unsent_s,
        _time(status.last_confirmed_ms), status.dead_letters, status.lag_p50_s, status.lag_p99_s,
    )  # fmt: skip


def _reconcile_view(last: LastReconcile | None) -> ReconcileView | None:
    if last is None:
        return None
    return ReconcileView(time_of(last.finished_ms), last.checked, last.differed, last.read_back)


def _status_view(channel: str, standing: _Standing) -> ChannelStatusView:
    status, missing = standing.of(channel)
    return ChannelStatusView(
        channel, status.publisher, missing, _time(status.written_ms), status.circuit, status.reason, status.listings,
        status.dirty, status.in_flight, status.tickets, status.oldest_unsent_s, _time(status.last_confirmed_ms),
        status.dead_letters, status.lag_p50_s, status.lag_p99_s, status.cursor, _reconcile_view(status.reconcile),
    )  # fmt: skip


async def read_many(call: Call) -> web.StreamResponse:
    """List every configured channel and how it stands."""
    configured = call.service.channels.get(call.principal.partition, {})
    standing = await _standing(call)
    return respond(call.request, ChannelList([_summary(configured[name], standing) for name in sorted(configured)]))


async def status(call: Call) -> web.StreamResponse:
    """Tell how a channel stands."""
    channel = channel_of(call).name
    return respond(call.request, _status_view(channel, await _standing(call)))


# -- rules


def _view(settings: ChannelSettings, given: dict[str, Any]) -> ChannelView:
    # Never the options: what an adapter takes there is its own affair, and may be somebody's secret.
    rules = rules_in_force(settings.rules, given)
    return ChannelView(settings.name, settings.kind, settings.listings, rules, sorted(given))


async def read(call: Call) -> web.StreamResponse:
    """Read a channel's rules."""
    settings = channel_of(call)
    given = await in_time(channel_store(call).given_rules())
    return respond(call.request, _view(settings, understood(given.get(settings.name, {}))))


async def set_rules(call: Call) -> web.StreamResponse:
    """Replace the rules that were set at run time."""
    settings = channel_of(call)
    body: ChannelRulesBody = call.body
    given = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not msgspec.UNSET}
    for i, location in enumerate(given.get("locations", [])):
        check_location(f"locations[{i}]", location)
    try:
        answer = _view(settings, given)
    except RulesError as error:
        raise InvalidError(error.field, error.rule) from None
    await written(channel_store(call).set_rules(settings.name, given, call.principal.actor))
    return respond(call.request, answer)


# -- what is asked of the publisher


async def _ask(call: Call, asked: Literal["reconcile", "retry"], skus: list[str]) -> web.StreamResponse:
    channel = channel_of(call).name
    _, missing = (await _standing(call)).of(channel)
    wish: Literal["channel_reconcile", "channel_retry"] = (
        "channel_reconcile" if asked == "reconcile" else "channel_retry"
    )
    await written(channel_store(call).ask(channel, wish, skus, call.principal.actor))
    return respond(call.request, Asked(channel, asked, missing), 202)


async def reconcile(call: Call) -> web.StreamResponse:
    """Ask for a comparison of everything with the channel."""
    return await _ask(call, "reconcile", [])


async def retry(call: Call) -> web.StreamResponse:
    """Ask for a second try of dead letters."""
    body: RetryBody = call.body
    skus = [check_sku(f"skus[{i}]", sku) for i, sku in enumerate(body.skus or [])]
    return await _ask(call, "retry", list(dict.fromkeys(skus)))


# -- dead letters


class DeadLettersQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many; the newest come first."""

    limit: Annotated[int, Meta(ge=1, le=DEAD_LETTERS_PER_PAGE_MAX)] = 100


async def dead_letters(call: Call) -> web.StreamResponse:
    """List what the channel will not take, and why."""
    channel = channel_of(call).name
    query: DeadLettersQuery = parse_query(call.request, DeadLettersQuery)
    found, complete = await in_time(_newest(channel_store(call), channel, query.limit))
    views = [
        DeadLetterView(
            each.sku, each.key, each.quantity, each.code, each.reason, each.attempts, time_of(each.first_ms),
            time_of(each.last_ms), each.seq,
        )
        for each in found
    ]  # fmt: skip
    return respond(call.request, DeadLetterList(views, complete))


async def _newest(store: ChannelStore, channel: str, count: int) -> tuple[list[DeadLetter], bool]:
    """Pick the newest, and say whether those are all. No more than ``count`` are held at any time."""
    newest: list[tuple[int, str, DeadLetter]] = []
    seen = 0
    async for each in store.dead_letters(channel):
        seen += 1
        push = heapq.heappush if len(newest) < count else heapq.heappushpop
        push(newest, (each.last_ms, each.sku, each))
        if seen == DEAD_LETTERS_LOOKED_AT_MAX:
            break
    return [each for _, _, each in sorted(newest, reverse=True)], seen == len(newest)


_CHANNEL = ("unknown_channel",)
_ONE: Final = "/v1/channels/{channel}"

ROUTES = [
    Route(
        "GET", "/v1/channels", read_many, Scope.READ, "Every configured channel, and how it stands",
        {200: ChannelList},
    ),
    Route(
        "GET", _ONE, read, Scope.READ, "A channel's rules, and which were set at run time",
        {200: ChannelView}, outcomes=_CHANNEL,
    ),
    Route(
        "PUT", _ONE, set_rules, Scope.ADMIN, "Set a channel's rules at run time",
        {200: ChannelView}, ChannelRulesBody, outcomes=_CHANNEL,
    ),
    Route(
        "GET", _ONE + "/status", status, Scope.READ, "How a channel stands, in full",
        {200: ChannelStatusView}, outcomes=_CHANNEL,
    ),
    Route(
        "POST", _ONE + "/reconcile", reconcile, Scope.ADMIN, "Compare everything with the channel, and mend it",
        {202: Asked}, outcomes=_CHANNEL,
    ),
    Route(
        "GET", _ONE + "/dead-letters", dead_letters, Scope.READ, "What the channel will not take, and why",
        {200: DeadLetterList}, query=DeadLettersQuery, outcomes=("invalid", "unknown_channel"),
    ),
    Route(
        "POST", _ONE + "/dead-letters/retry", retry, Scope.ADMIN, "Try dead letters again",
        {202: Asked}, RetryBody, body_bytes_max=limits.BULK_BODY_BYTES_MAX, outcomes=_CHANNEL,
    ),
]  # fmt: skip
