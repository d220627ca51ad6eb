"""Sales channels: which there are, their rules and state, and the commands to their publisher."""

from typing import Any, Final

from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.domain import limits
from server.domain.channels import ChannelSettings, LastReconcile, LastTest
from server.domain.components import sku_in
from server.domain.intake import IntakeStatus
from server.domain.mirrors import MirrorStatus
from server.domain.principal import Scope
from server.schemas.channels import (
    ChannelAsked,
    ChannelList,
    ChannelRulesBody,
    ChannelStatusView,
    ChannelSummary,
    ChannelView,
    ConnectionView,
    DeadLetterList,
    DeadLettersQuery,
    DeadLetterView,
    MirrorView,
    PauseBody,
    ReconcileView,
    RetryBody,
)
from server.schemas.common import time_of
from server.schemas.intake import IntakeView
from server.service import channels
from server.service.channel_states import States, channel_of, states
from server.service.channels import RulesInForce

# -- state


def _time(time_ms: int | None) -> Any:
    return time_of(time_ms) if time_ms else None


def _summary(settings: ChannelSettings, states: States) -> ChannelSummary:
    status, missing = states.of(settings.name)
    return ChannelSummary(
        settings.name, settings.kind, missing, status.circuit, status.reason, status.dirty, status.oldest_unsent_s,
        _time(status.last_confirmed_ms), status.dead_letters, status.lag_p50_s, status.lag_p99_s, status.paused,
    )  # fmt: skip


def _reconcile_view(last: LastReconcile | None) -> ReconcileView | None:
    if last is None:
        return None
    return ReconcileView(time_of(last.finished_ms), last.checked, last.differed, last.read_back)


def _test_view(last: LastTest | None) -> ConnectionView | None:
    return None if last is None else ConnectionView(time_of(last.finished_ms), last.answered, last.reason)


def _intake_view(intake: IntakeStatus | None) -> IntakeView | None:
    if intake is None:
        return None
    return IntakeView(
        intake.lag_s, intake.open, intake.to_read, intake.inbox, intake.outbox, intake.undecided,
        intake.outbox_oldest_s, intake.heard_waiting, time_of(intake.since_ms), intake.reason, intake.commands,
    )  # fmt: skip


def _mirror_view(mirror: MirrorStatus | None) -> MirrorView | None:
    if mirror is None:
        return None
    return MirrorView(
        mirror.location, _time(mirror.read_ms), mirror.skus, mirror.units, mirror.unmapped, mirror.reason
    )  # fmt: skip


def _status_view(channel: str, states: States) -> ChannelStatusView:
    status, missing = states.of(channel)
    return ChannelStatusView(
        channel, status.publisher, missing, _time(status.written_ms), status.circuit, status.reason, status.listings,
        status.dirty, status.in_flight, status.tickets, status.oldest_unsent_s, _time(status.last_confirmed_ms),
        status.dead_letters, status.lag_p50_s, status.lag_p99_s, status.cursor, _reconcile_view(status.reconcile),
        status.refused_prices, _intake_view(status.intake), _mirror_view(status.mirror), status.paused,
        _test_view(status.test),
    )  # fmt: skip


async def read_many(call: Call) -> ChannelList:
    """List every configured channel and its state."""
    configured = call.caller.partition.channels
    found = await states(call.caller)
    return ChannelList([_summary(configured[name], found) for name in sorted(configured)])


async def status(call: Call) -> ChannelStatusView:
    """Read the state of a channel."""
    channel = channel_of(call.caller, call.named("channel")).name
    return _status_view(channel, await states(call.caller))


# -- rules


def _view(found: RulesInForce) -> ChannelView:
    # Never the options: what an adapter takes there is its own affair, and may be somebody's secret.
    settings = found.settings
    return ChannelView(settings.name, settings.kind, settings.listings, found.rules, found.set_at_run_time)


async def read(call: Call) -> ChannelView:
    """Read a channel's rules."""
    return _view(await channels.rules(call.caller, call.named("channel")))


async def set_rules(call: Call) -> ChannelView:
    """Replace the rules that were set at run time."""
    body: ChannelRulesBody = call.body
    return _view(await channels.set_rules(call.caller, call.named("channel"), body))


async def pause(call: Call) -> ChannelView:
    """Send the channel nothing from now on."""
    return await _paused(call, is_paused=True)


async def resume(call: Call) -> ChannelView:
    """Send the channel what has changed, and what changes."""
    return await _paused(call, is_paused=False)


async def _paused(call: Call, *, is_paused: bool) -> ChannelView:
    body: PauseBody = call.body
    return _view(await channels.pause(call.caller, call.named("channel"), body.reason, is_paused=is_paused))


# -- commands to the publisher


async def test(call: Call) -> ChannelAsked:
    """Command a test of the connection."""
    channel = call.named("channel")
    return ChannelAsked(channel, "test", await channels.test(call.caller, channel))


async def reconcile(call: Call) -> ChannelAsked:
    """Command a comparison of everything with the channel."""
    channel = call.named("channel")
    return ChannelAsked(channel, "reconcile", await channels.reconcile(call.caller, channel))


async def retry(call: Call) -> ChannelAsked:
    """Command a second try of dead letters."""
    body: RetryBody = call.body
    channel = call.named("channel")
    return ChannelAsked(channel, "retry", await channels.retry(call.caller, channel, body))


# -- dead letters


async def dead_letters(call: Call) -> DeadLetterList:
    """List what the channel will not take, and why."""
    channel = channel_of(call.caller, call.named("channel")).name
    query: DeadLettersQuery = call.query(DeadLettersQuery)
    page = await channels.dead_letters(call.caller, channel, query.limit, query.after)
    views = [
        DeadLetterView(
            sku_in(each.sku), each.key, each.quantity, each.code, each.reason, each.attempts, time_of(each.first_ms),
            time_of(each.last_ms), each.seq, each.field, each.price,
        )
        for each in page.found
    ]  # fmt: skip
    return DeadLetterList(views, page.is_complete, page.following)


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
        "POST", _ONE + "/reconcile", reconcile, Scope.ADMIN, "Compare everything with the channel, and correct it",
        {202: ChannelAsked}, outcomes=_CHANNEL,
    ),
    Route(
        "POST", _ONE + "/test", test, Scope.ADMIN, "Find out whether the channel answers",
        {202: ChannelAsked}, outcomes=_CHANNEL,
    ),
    Route(
        "POST", _ONE + "/pause", pause, Scope.ADMIN, "Send the channel nothing until it is resumed",
        {200: ChannelView}, PauseBody, outcomes=_CHANNEL,
    ),
    Route(
        "POST", _ONE + "/resume", resume, Scope.ADMIN, "Send the channel what has changed, and what changes",
        {200: ChannelView}, PauseBody, outcomes=_CHANNEL,
    ),
    Route(
        "GET", _ONE + "/dead-letters", dead_letters, Scope.READ, "What the channel will not take, and why",
        {200: DeadLetterList}, query=DeadLettersQuery, outcomes=("invalid", "unknown_channel"), share=Share.REPORTS,
    ),
    Route(
        "POST", _ONE + "/dead-letters/retry", retry, Scope.ADMIN, "Try dead letters again",
        {202: ChannelAsked}, RetryBody, body_bytes_max=limits.BULK_BODY_BYTES_MAX, outcomes=_CHANNEL, share=Share.BULK,
    ),
]  # fmt: skip
