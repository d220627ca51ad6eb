"""What is said to a channel by itself: nothing but what a person switched on in ``[channels.NAME.orders]``."""

from hashlib import blake2b
from typing import Final

import msgspec
import structlog

from adapters.contract.orders import Acknowledge, Command, Intake, Order, Refuse, Ship
from server.channels.inbound.desk import Desk
from server.channels.inbound.outbox import BY_RULE, Outbox
from server.channels.inbound.snapshots import is_rest, is_whole, shipped_ahead
from server.domain.channel_orders import Booked
from server.domain.channels import ChannelSettings
from server.domain.intake import ToRead
from server.domain.order_parcels import parcels_ahead

log = structlog.get_logger("holdfast.intake")

_ID_BYTES: Final = 8
_encode = msgspec.msgpack.Encoder(order="deterministic").encode


def command_id(command: Command, *parts: object) -> str:
    """Name a command by what it says, so that the same is said once; ``parts`` tell apart what else would be equal."""
    name = type(command).__struct_config__.tag
    digest = blake2b(_encode((command.order, name, *parts)), digest_size=_ID_BYTES).hexdigest()
    return f"{name}-{digest}"


class Rules:
    """The rules of one channel."""

    def __init__(self, settings: ChannelSettings, intake: Intake, outbox: Outbox, desk: Desk) -> None:
        self._channel = settings.name
        self._settings = settings.orders
        self._intake = intake
        self._outbox = outbox
        self._desk = desk

    async def apply(self, order: Order, booked: Booked, wanted: ToRead, now_ms: int) -> ToRead:
        """Say what the rules want of an order that was read whole; return what is kept of it."""
        acknowledge = Acknowledge(order=order.key)
        is_said = wanted.acknowledged and not self._outbox.is_superseded(command_id(acknowledge))
        if self._may_acknowledge(order, booked) and not is_said:
            self._say(order, acknowledge, "acknowledge", now_ms)
            wanted = msgspec.structs.replace(wanted, acknowledged=True)
        if self._settings.ship == "when_fulfilled" and "ship" in self._intake.commands:
            await self._ship(order, booked, now_ms)
        return await self._refuse(order, wanted, now_ms)

    def _may_acknowledge(self, order: Order, booked: Booked) -> bool:
        return (
            self._settings.acknowledge == "at_once"
            and "acknowledge" in self._intake.commands
            and order.state == "open"
            and booked.state in ("booked", "shipping")
        )

    async def _ship(self, order: Order, booked: Booked, now_ms: int) -> None:
        """Say what has left here, once somebody has said how: a command for each parcel."""
        said = self._outbox.pieces_said(order.key, Ship)
        if said is None:
            return  # one of them is still on its way
        ahead = shipped_ahead(order, booked, said)
        if self._intake.whole_lines:
            ahead = tuple(each for each in ahead if is_whole(order, each[0], each[2]))
        if not ahead:
            return
        told = {line: shipped - pieces for line, pieces, shipped in ahead}
        parcels = await self._desk.parcels(self._channel, order.key)
        by_line = {line: pieces for line, pieces, _ in ahead}
        found = parcels_ahead(by_line, parcels, whole_lines=self._intake.whole_lines)
        if self._intake.whole_orders:  # all at once, with the parcel that left last
            found = [(found[-1][0], by_line)] if found and is_rest(order, by_line) else []
        for place, (parcel, lines) in enumerate(found):
            told |= {line: told[line] + pieces for line, pieces in lines.items()}
            command = Ship(
                order=order.key,
                lines=tuple(lines.items()),
                carrier=parcel.carrier,
                tracking=parcel.tracking,
                shipped_ms=now_ms,
            )
            # By how many have left then in all: the next parcel of a line is another command. They leave in turn.
            self._say(order, command, "ship", now_ms + place, *sorted((line, told[line]) for line in lines))

    async def _refuse(self, order: Order, wanted: ToRead, now_ms: int) -> ToRead:
        """Refuse what was short from the start and still is; what is short in part is for a person to decide.

        So is what another location has: an order is moved there before a buyer gets nothing.
        """
        after_ms = int(1000 * self._settings.refuse_after_s)
        if not wanted.short or not after_ms or "refuse" not in self._intake.commands:
            return wanted
        if now_ms < wanted.short_ms + after_ms:
            return msgspec.structs.replace(wanted, due_ms=min(wanted.due_ms, wanted.short_ms + after_ms))
        lacks = await self._desk.lacks(self._channel, order.key)
        if not lacks.units:
            return msgspec.structs.replace(wanted, short=[], short_ms=0)
        if lacks.others:
            log.warning(
                "order_not_refused", channel=self._channel, order=order.key, others=lacks.others,
                advice="these locations have units: move the order with POST /v1/reservations/{id}/move",
            )  # fmt: skip
            return wanted
        said = self._outbox.pieces_said(order.key, Refuse)
        if said is not None and lacks.units >= sum(pieces for _, pieces in wanted.short):
            # A line is refused once by itself: whether more of it is, a person decides.
            lines = tuple((line, pieces) for line, pieces in wanted.short if line not in said)
            if lines:
                self._say(order, Refuse(order=order.key, lines=lines), "refuse", now_ms, lines)
        return wanted

    def _say(self, order: Order, command: Command, rule: str, now_ms: int, *parts: object) -> None:
        since_ms = order.placed_ms or order.changed_ms
        self._outbox.say(command_id(command, *parts), command, by=BY_RULE + rule, now_ms=now_ms, since_ms=since_ms)
