"""What goes back to channels about their orders, and orders that are to be looked at now."""

from typing import Final

from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.domain.intake import OutboxEntry
from server.domain.principal import Scope
from server.schemas.common import time_of
from server.schemas.intake import (
    CommandBody,
    CommandIds,
    OrderNumbers,
    OutboxEntryView,
    OutboxList,
    OutboxQuery,
    Remembered,
)
from server.service import outbox
from server.service.channel_states import channel_of


async def say(call: Call) -> Remembered:
    """Have something said to the channel about an order."""
    channel, body = _channel(call), call.body
    entry_id, missing = await outbox.say(call.caller, channel, body)
    return Remembered(channel, [entry_id], missing)


async def read_outbox(call: Call) -> OutboxList:
    """Read what is said to the channel, and what came of it."""
    page = await outbox.commands(call.caller, _channel(call), call.query(OutboxQuery))
    return OutboxList([_view(each) for each in page.found], page.is_complete, page.following)


def _view(entry: OutboxEntry) -> OutboxEntryView:
    return OutboxEntryView(
        entry.id, entry.order, entry.name, entry.state, entry.by, time_of(entry.created_ms), time_of(entry.changed_ms),
        time_of(entry.sent_ms) if entry.sent_ms else None, entry.tries, entry.reason, entry.remote_id,
    )  # fmt: skip


async def say_again(call: Call) -> Remembered:
    """Send settled commands again that are not done."""
    body: CommandIds = call.body
    channel = _channel(call)
    return Remembered(channel, body.ids, await outbox.again(call.caller, channel, body.ids))


async def take_back(call: Call) -> Remembered:
    """Take back commands that were not sent yet, and let go of undecided ones."""
    body: CommandIds = call.body
    channel = _channel(call)
    return Remembered(channel, body.ids, await outbox.cancel(call.caller, channel, body.ids))


async def mark_done(call: Call) -> Remembered:
    """Settle commands whose answer was lost, and that a person has seen carried out."""
    body: CommandIds = call.body
    channel = _channel(call)
    return Remembered(channel, body.ids, await outbox.done(call.caller, channel, body.ids))


async def read_orders(call: Call) -> Remembered:
    """Read orders from the channel now, and book them."""
    body: OrderNumbers = call.body
    channel = _channel(call)
    return Remembered(channel, body.orders, await outbox.read_now(call.caller, channel, body.orders))


def _channel(call: Call) -> str:
    return channel_of(call.caller, call.named("channel")).name


_CHANNEL: Final = ("unknown_channel",)
_OUTBOX: Final = "/v1/channels/{channel}/outbox"

ROUTES = [
    Route(
        "POST", _OUTBOX, say, Scope.ADMIN, "Say something to the channel about an order",
        {202: Remembered}, CommandBody, outcomes=_CHANNEL, headers=("Idempotency-Key",),
    ),
    Route(
        "GET", _OUTBOX, read_outbox, Scope.READ, "What is said to the channel, and what came of it",
        {200: OutboxList}, query=OutboxQuery, outcomes=("invalid", "unknown_channel"), share=Share.REPORTS,
    ),
    Route(
        "POST", _OUTBOX + "/again", say_again, Scope.ADMIN, "Send settled commands again that are not done",
        {202: Remembered}, CommandIds, outcomes=_CHANNEL,
    ),
    Route(
        "POST", _OUTBOX + "/cancel", take_back, Scope.ADMIN, "Take back commands that were not sent yet",
        {202: Remembered}, CommandIds, outcomes=_CHANNEL,
    ),
    Route(
        "POST", _OUTBOX + "/done", mark_done, Scope.ADMIN, "Say that commands with a lost answer were carried out",
        {202: Remembered}, CommandIds, outcomes=_CHANNEL,
    ),
    Route(
        "POST", "/v1/channels/{channel}/orders/read", read_orders, Scope.ADMIN, "Read orders from the channel now",
        {202: Remembered}, OrderNumbers, outcomes=_CHANNEL,
    ),
]  # fmt: skip
