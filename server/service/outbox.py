"""What people want said to channels about orders, and which orders looked at; the holder of the lease does it."""

from collections.abc import AsyncIterator
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import msgspec

from server.domain.channels import ChannelSettings
from server.domain.intake import OUTBOX_MAX, News, OutboxEntry
from server.schemas.intake import CommandBody, OutboxQuery
from server.service.caller import Caller
from server.service.channel_states import channel_of, states
from server.service.checks import InvalidError, check_reference
from server.service.news import tell
from server.service.pages import newest, next_of, place_in
from server.service.problems import ProblemError, problem
from server.store.connection.timeouts import in_time
from server.store.repositories.intake import IntakeStore

REFUSALS: Final = ("out_of_stock", "damaged", "price", "address", "buyer_asked", "other")
_NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "refuse": ("lines",),
    "ship": ("lines",),
    "invoice": ("number", "url"),
    "settle_return": ("case", "accept"),
}
_ALLOWED: Final[dict[str, tuple[str, ...]]] = {
    "acknowledge": ("lines",),
    "refuse": ("lines", "reason"),
    "ship": ("lines", "package", "carrier", "tracking", "url"),
    "invoice": ("number", "url", "package"),
    "settle_return": ("case", "lines", "accept", "reason"),
    "label": ("package", "format"),
}
_ID_BYTES: Final = 8
_FULL: Final = (
    f"The channel's outbox holds {OUTBOX_MAX:,} commands. See what keeps them: GET /v1/channels/{{channel}}/outbox."
    " Nothing happened."
)
_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_decode_place = msgspec.json.Decoder(tuple[int, str]).decode
"""When a command was made, and its id."""


async def say(caller: Caller, channel: str, body: CommandBody) -> tuple[str, bool]:
    """Have something said to a channel; return the command's id, and whether the publisher is missing.

    The same said again is the same command, unless it has another idempotency key.

    Raises
    ------
    InvalidError
        The channel does not take such a command, or a field is missing or does not belong to it.
    ProblemError
        The channel is not configured, its outbox is full, or the store did not answer in time.

    """
    settings, missing = await _with_intake(caller, channel, body.command)
    fields = _fields_of(body)
    check_reference("order", body.order)
    command = _command(body, fields)
    store = _store(caller, settings)
    if await in_time(store.outbox_size()) >= OUTBOX_MAX:
        raise ProblemError(problem("overloaded", _FULL))
    said = (caller.key, command) if caller.key else command
    digest = blake2b(_encode(said), digest_size=_ID_BYTES).hexdigest()
    entry_id, now_ms = f"{body.command}-{digest}", (await states(caller)).now_ms
    entry = OutboxEntry(
        entry_id, body.order, body.command, _encode(command), caller.actor, "waiting", now_ms, now_ms, now_ms
    )
    await tell(store, News("say", now_ms, entry=entry))
    return entry_id, missing


async def again(caller: Caller, channel: str, ids: list[str]) -> bool:
    """Have settled commands sent again that are not done; return whether the publisher is missing. As :func:`say`."""
    return await _ask(caller, channel, News("again", 0, ids))


async def cancel(caller: Caller, channel: str, ids: list[str]) -> bool:
    """Take back commands that were not sent yet, and let go of undecided ones; as :func:`again`."""
    return await _ask(caller, channel, News("cancel", 0, ids))


async def done(caller: Caller, channel: str, ids: list[str]) -> bool:
    """Settle commands whose answer was lost: a person has seen that they were carried out; as :func:`again`."""
    return await _ask(caller, channel, News("done", 0, ids))


async def read_now(caller: Caller, channel: str, orders: list[str]) -> bool:
    """Have orders read and booked now, such as those of the inbox; as :func:`again`."""
    return await _ask(caller, channel, News("read", 0, orders))


class OutboxPage(NamedTuple):
    """Commands, the newest first. ``is_complete``: no more come; ``following``: where the next page begins."""

    found: list[OutboxEntry]
    is_complete: bool
    following: str


async def commands(caller: Caller, channel: str, query: OutboxQuery) -> OutboxPage:
    """Read the newest commands that were asked for.

    Raises
    ------
    InvalidError
        The order's number cannot be one, or ``after`` is not what a page returned as its next.
    ProblemError
        The channel is not configured.
    StoreUnavailableError
        The store did not answer in time.

    """
    if query.order is not msgspec.UNSET:
        check_reference("order", query.order)
    store = _store(caller, channel_of(caller, channel))

    behind = place_in(query.after, _decode_place) if query.after else None
    page = await in_time(newest(_asked_for(store, query), _place, behind, query.limit))
    is_complete = page.there == len(page.found)
    return OutboxPage(page.found, is_complete, "" if is_complete else next_of(_place(page.found[-1])))


async def _asked_for(store: IntakeStore, query: OutboxQuery) -> AsyncIterator[OutboxEntry]:
    async for each in store.outbox():
        if _is_asked_for(each, query):
            yield each


def _place(entry: OutboxEntry) -> tuple[int, str]:
    return entry.created_ms, entry.id


async def command(caller: Caller, channel: str, entry_id: str) -> OutboxEntry:
    """Read one command.

    Raises
    ------
    InvalidError
        The outbox has no command with this id.
    ProblemError
        The channel is not configured.
    StoreUnavailableError
        The store did not answer in time.

    """
    entry = await in_time(_store(caller, channel_of(caller, channel)).outbox_entry(entry_id))
    if entry is None:
        raise InvalidError("id", "must be of a command in the outbox of this channel")
    return entry


def _is_asked_for(entry: OutboxEntry, query: OutboxQuery) -> bool:
    return query.state in (msgspec.UNSET, entry.state) and query.order in (msgspec.UNSET, entry.order)


async def _with_intake(caller: Caller, channel: str, command: str = "") -> tuple[ChannelSettings, bool]:
    settings = channel_of(caller, channel)
    if not settings.orders.enabled:
        raise InvalidError("channel", f"takes no orders; set enabled = true in [channels.{settings.name}.orders]")
    status, missing = (await states(caller)).of(settings.name)
    known = status.intake.commands if status.intake is not None else None
    if command and known is not None and command not in known:
        raise InvalidError("command", f"must be one that the channel takes: {', '.join(known) or 'it takes none'}")
    return settings, missing


def _fields_of(body: CommandBody) -> dict[str, Any]:
    given = {
        name: value
        for name, value in msgspec.structs.asdict(body).items()
        if value is not msgspec.UNSET and name not in ("command", "order")
    }
    for name in given:
        if name not in _ALLOWED[body.command]:
            raise InvalidError(name, f"does not belong to {body.command}")
    for name in _NEEDED.get(body.command, ()):
        if given.get(name, []) == []:
            raise InvalidError(name, f"is required for {body.command}")
    if body.command == "refuse" and given.get("reason", "other") not in REFUSALS:
        raise InvalidError("reason", f"must be one of {', '.join(REFUSALS)}")
    return given


def _command(body: CommandBody, fields: dict[str, Any]) -> dict[str, Any]:
    """Write a command as the adapters' contract has it."""
    command: dict[str, Any] = {"type": body.command, "order": body.order, **fields}
    if "lines" in fields:
        lines = [(each.line, each.quantity) for each in fields["lines"]]
        if len({line for line, _ in lines}) < len(lines):
            raise InvalidError("lines", "names a line twice; send the sum")
        of_return = [{"line": line, "quantity": quantity} for line, quantity in lines]
        command["lines"] = of_return if body.command == "settle_return" else lines
    elif body.command == "settle_return":
        command["lines"] = []
    if body.command == "invoice":
        command["issued_ms"] = 0
    return command


def _store(caller: Caller, settings: ChannelSettings) -> IntakeStore:
    return IntakeStore(caller.partition.client, caller.partition.keyspace, settings.name)


async def _ask(caller: Caller, channel: str, news: News) -> bool:
    settings, missing = await _with_intake(caller, channel)
    for key in news.keys:
        check_reference("ids", key)
    await tell(_store(caller, settings), msgspec.structs.replace(news, at_ms=(await states(caller)).now_ms))
    return missing
