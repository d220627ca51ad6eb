"""Sales channels: which there are, their rules and state, and the commands to their publisher."""

from typing import Any, Final

from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.domain import limits
from server.domain.channels import ChannelSettings, LastReconcile
from server.domain.components import sku_in
from server.domain.intake import IntakeStatus
from server.domain.principal import Scope
from server.schemas.channels import (
    Asked,
    ChannelList,
    ChannelRulesBody,
    ChannelStatusView,
    ChannelSummary,
    ChannelView,
    DeadLetterList,
    DeadLettersQuery,
    DeadLetterView,
    ReconcileView,
    RetryBody,
)
from server.schemas.common import time_of
from server.schemas.intake import IntakeView
from server.service import channels
from server.service.channels import RulesInForce, States

# -- state


def _time(time_ms: int | None) -> Any:
    return time_of(time_ms) if time_ms else None


def _summary(settings: ChannelSettings, states: States) -> ChannelSummary:
    status, missing = states.of(settings.name)
    return ChannelSummary(
        settings.name, settings.kind, missing, status.circuit, status.reason, status.dirty, status.oldest_unsent_s,
        _time(status.last_confirmed_ms), status.dead_letters, status.lag_p50_s, status.lag_p99_s,
    )  # fmt: skip


def _reconcile_view(last: LastReconcile | None) -> ReconcileView | None:
    if last is None:
        return None
    return ReconcileView(time_of(last.finished_ms), last.checked, last.differed, last.read_back)


def _intake_view(intake: IntakeStatus | None) -> IntakeView | None:
    if intake is None:
        return None
    return IntakeView(
        intake.lag_s, intake.open, intake.to_read, intake.inbox, intake.outbox, intake.undecided,
        intake.outbox_oldest_s, intake.heard_waiting, time_of(intake.since_ms), intake.reason, intake.commands,
    )  # fmt: skip


def _status_view(channel: str, states: States) -> ChannelStatusView:
    status, missing = states.of(channel)
    return ChannelStatusView(
        channel, status.publisher, missing, _time(status.written_ms), status.circuit, status.reason, status.listings,
        status.dirty, status.in_flight, status.tickets, status.oldest_unsent_s, _time(status.last_confirmed_ms),
        status.dead_letters, status.lag_p50_s, status.lag_p99_s, status.cursor, _reconcile_view(status.reconcile),
        status.refused_prices, _intake_view(status.intake),
    )  # fmt: skip


async def read_many(call: Call) -> ChannelList:
    """List every configured channel and its state."""
    configured = call.caller.partition.channels
    states = await channels.states(call.caller)
    return ChannelList([_summary(configured[name], states) for name in sorted(configured)])


async def status(call: Call) -> ChannelStatusView:
    """Read the state of a channel."""
    channel = channels.channel_of(call.caller, call.named("channel")).name
    return _status_view(channel, await channels.states(call.caller))


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


# -- commands to the publisher


async def reconcile(call: Call) -> Asked:
    """Command a comparison of everything with the channel."""
    channel = call.named("channel")
    return Asked(channel, "reconcile", await channels.reconcile(call.caller, channel))


async def retry(call: Call) -> Asked:
    """Command a second try of dead letters."""
    body: RetryBody = call.body
    channel = call.named("channel")
    return Asked(channel, "retry", await channels.retry(call.caller, channel, body))


# -- dead letters


async def dead_letters(call: Call) -> DeadLetterList:
    """List what the channel will not take, and why."""
    channel = channels.channel_of(call.caller, call.named("channel")).name
    query: DeadLettersQuery = call.query(DeadLettersQuery)
    found, complete = await channels.dead_letters(call.caller, channel, query.limit)
    views = [
        DeadLetterView(
            sku_in(each.sku), each.key, each.quantity, each.code, each.reason, each.attempts, time_of(each.first_ms),
            time_of(each.last_ms), each.seq, each.field, each.price,
        )
        for each in found
    ]  # fmt: skip
    return DeadLetterList(views, complete)


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
        {202: Asked}, outcomes=_CHANNEL,
    ),
    Route(
        "GET", _ONE + "/dead-letters", dead_letters, Scope.READ, "What the channel will not take, and why",
        {200: DeadLetterList}, query=DeadLettersQuery, outcomes=("invalid", "unknown_channel"), share=Share.REPORTS,
    ),
    Route(
        "POST", _ONE + "/dead-letters/retry", retry, Scope.ADMIN, "Try dead letters again",
        {202: Asked}, RetryBody, body_bytes_max=limits.BULK_BODY_BYTES_MAX, outcomes=_CHANNEL, share=Share.BULK,
    ),
]  # fmt: skip
