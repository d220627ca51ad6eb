"""One history: the market's snapshots come in any order, the desk acts, a connector posts, and intake is killed."""

import random
from collections import Counter
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from server.domain.answers import Refused
from server.domain.channel_orders import Booked, ChannelOrder, IntakeRules
from server.domain.channels import ChannelSettings, Listing
from server.domain.components import Component, known_by
from server.domain.operations.base import fingerprint
from server.domain.operations.orders import Numbered
from server.domain.operations.reservations import (
    Cancel,
    Commit,
    Edit,
    Fulfil,
    Line,
    LineEdit,
    LineQuantity,
    LineRelocation,
    Order,
    Relocate,
    Reserve,
)
from server.domain.reservation import Reservation, ReservationLine
from server.service.caller import Caller, Partition
from server.service.orders import book
from server.store.connection.commands import run_function
from server.store.lua_library import library
from server.store.repositories.booked_orders import read_order
from server.store.repositories.channels import ChannelStore
from tests.rigs.order_histories.market import PACK, Market, MarketLine
from tests.rigs.order_histories.newest import Newest
from tests.support.operations import meant, receive

CHANNEL: Final = "market"
SHELF: Final = 60
"""Units of each SKU at the start: more than are ever sold, but where a history is of a scarce one."""
RULES: Final = IntakeRules(second_look_s=0.0)
DELIVERIES_MAX: Final = 14
_AT: Final = ("main", "annex")


class KilledError(Exception):
    """The process ends here."""


class Told(msgspec.Struct, frozen=True):
    """What came of a history: its story, and what was wrong."""

    seed: int
    story: list[str]
    problems: list[str]


class _Watched:
    """The ledger of intake: others act before each of its steps, and it is killed before or behind some."""

    def __init__(self, ledger: Any, world: "World") -> None:
        self._ledger = ledger
        self._world = world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def run(self, operation: Any) -> Any:
        await self._world.between()
        self._world.may_die("before a step")
        answer = await self._ledger.run(operation)
        self._world.may_die("behind a step")
        return answer


class World:
    """Plays one history on a real store."""

    def __init__(self, caller: Caller, seed: int) -> None:
        self.chance = random.Random(seed)
        self.seed = seed
        self.market = Market(seed, self.chance)
        settings = {CHANNEL: ChannelSettings(name=CHANNEL, kind="webhook")}
        partition: Partition = replace(caller.partition, channels=settings, ledgers={})
        self._ledger: Any = caller.ledger
        watched: Any = _Watched(caller.ledger, self)
        partition = replace(partition, ledgers={caller.principal.actor: watched})
        self._caller = Caller(caller.principal, partition)
        self._is_final = False
        self._scarce = self.chance.random() < 0.2
        self._stocked = Counter[str]()
        self._posted = self.chance.random() > 0.35
        self._held = ""
        self._has_posted = False
        self.newest = Newest(self.market)
        self.story: list[str] = []
        self.problems: list[str] = []

    async def play(self) -> Told:
        for line in self.market.lines:
            await self._stock(line)
        for _ in range(self.chance.randint(2, DELIVERIES_MAX)):
            await self._move()
        await self._finish()
        return Told(self.seed, self.story, self.problems)

    async def _stock(self, line: MarketLine) -> None:
        if line.sku in self._stocked or line.sku == self.market.late_sku:
            return
        await self._receive(line.sku, 2 if self._scarce else SHELF)
        if line.units > 1:
            listing = Listing(known_by(f"pack-{line.sku}"), f"pack-{line.sku}", components=[Component(line.sku, PACK)])
            store = ChannelStore(self._caller.partition.client, self._caller.partition.keyspace)
            await store.put_listings(CHANNEL, [listing], "tester")

    async def _receive(self, sku: str, units: int) -> None:
        self._stocked[sku] += 2 * units
        for place in _AT:
            await self._ledger.run(meant(receive(sku, units, place)))

    async def _move(self) -> None:
        what = self.chance.random()
        if what < 0.3:
            self.market.act()
            for line in self.market.lines:
                await self._stock(line)
        elif what < 0.45:
            await self.between(always=True)
        else:
            await self._deliver(self.chance.choice(self.market.snapshots))

    async def _deliver(self, order: ChannelOrder) -> None:
        # What is read is what is so now.
        fetched = order is self.market.snapshots[-1] and order.complete and self.chance.random() < 0.5
        self.newest.hear(order)
        try:
            booked = await self._book(order, fetched=fetched)
            if booked.inbox == "not_held" and not order.complete:
                # What could not be held, and is not named by the part that is paid, waits for the whole order.
                self.newest.left_undone(order)
        except KilledError as killed:
            self.story.append(f"killed {killed}")
            self.newest.left_undone(order)
        await self._check_promise()
        await self._check_newest()

    async def _book(self, order: ChannelOrder, *, fetched: bool) -> Booked:
        figures = [(line.key, line.ordered, line.cancelled, line.shipped) for line in order.lines]
        kind = "all" if order.complete else "part"
        self.story.append(f"{order.changed_ms} {kind} {order.state} fetched={fetched} {figures}")
        booked = await book(self._caller, CHANNEL, order, fetched=fetched, rules=RULES)
        self.story.append(f"  -> {booked.state} {booked.steps} {booked.inbox} {booked.detail}")
        return booked

    def may_die(self, where: str) -> None:
        """Sometimes end the process."""
        if not self._is_final and self.chance.random() < 0.08:
            raise KilledError(where)

    # -- the others

    async def between(self, *, always: bool = False) -> None:
        """Let the desk or a connector act, or nobody."""
        if self._is_final or (not always and self.chance.random() < 0.7):
            return
        if self.chance.random() < 0.5 and await self._mirror():
            return
        if not self._posted and self.chance.random() < 0.5:
            await self._post()
        elif self._held and self.chance.random() < 0.5:
            await self._commit_held()
        elif self.market.late_sku and self.market.late_sku not in self._stocked and self.chance.random() < 0.5:
            self.story.append("the late SKU is stocked")
            await self._receive(self.market.late_sku, SHELF)
        else:
            await self._at_desk()

    async def _post(self) -> None:
        """Post the order as a connector does, from the first snapshot."""
        self._posted = True
        if self.market.late_sku:
            return  # it would not know the SKU either
        lines = list[Line]()
        ordered = {line.key: line.ordered for line in self.market.snapshots[0].lines}
        for each in self.market.lines:
            if each.key in ordered:
                lines.append(Line(each.sku, "", ordered[each.key] * each.units))
        if not lines:
            return
        name, number = f"c{self.seed}", self.market.number
        digest = fingerprint(name, lines)
        if self.market.paid or self._scarce:
            operation: Order | Reserve = Order(digest, "bot", name, CHANNEL, lines, True, order_ref=number)
        else:
            ttl_ms = self.chance.choice((1, 3_600_000))
            operation = Reserve(digest, "bot", name, CHANNEL, lines, ttl_ms, order_ref=number)
            self._held = name
        answer = await self._ledger.run(Numbered(CHANNEL, number, (), operation))
        outcome = answer.outcome if isinstance(answer, Refused) else "made"
        self._has_posted = outcome == "made"
        self.story.append(f"connector posts {type(operation).__name__}: {outcome}")

    async def _commit_held(self) -> None:
        if not self.market.paid:
            return
        name, self._held = self._held, ""
        operation = Commit("", "bot", name, "", [], order_ref=self.market.number)
        answer = await self._ledger.run(Numbered("", self.market.number, (CHANNEL,), operation))
        outcome = answer.outcome if isinstance(answer, Refused) else "committed"
        self.story.append(f"connector commits: {outcome}")

    async def _at_desk(self) -> None:
        """Ship, cancel, edit or move some of what a line has."""
        lines = [line for line in self.market.lines if line.mode == "desk" and line.open > 0]
        if not lines:
            return
        line = self.chance.choice(lines)
        for name, record in (await self._reservations()).items():
            for number, each in enumerate(record.lines, 1):
                if each.sku == line.sku and each.committed >= line.units:
                    await self._act_on(line, name, number, each.committed)
                    return

    async def _act_on(self, line: MarketLine, name: str, number: int, committed: int) -> None:
        units, what = line.units, self.chance.choice(("ship", "cancel", "edit", "move"))
        if self._scarce and what == "move":
            return
        operation: Any = Fulfil("", "desk", name, "", [LineQuantity(number, units)])
        if what == "cancel":
            operation = Cancel("", "desk", name, "", [LineQuantity(number, units)])
        if what == "edit":
            of_line = (await self._ledger.reservation(name)).reservation.lines[number - 1]
            left = of_line.held + of_line.committed - units
            if of_line.fulfilled or left <= 0:
                return
            operation = Edit("", "desk", name, "", [LineEdit(number, "", "", left)])
        if what == "move":
            operation = Relocate("", "desk", name, "", [LineRelocation(number, min(committed, units), "annex")])
        answer = await self._ledger.run(operation)
        if isinstance(answer, Refused):
            self.story.append(f"desk {what} {line.key}: {answer.outcome}")
            return
        self.story.append(f"desk {what} {line.key} in {name} line {number}")
        if what == "ship":
            line.asked_ship += 1
        elif what != "move":
            line.asked_cancel += 1

    async def _mirror(self) -> bool:
        """Have the desk write down a shipment that the channel knows already: it is one and the same."""
        records = await self._reservations()
        for line in self.market.lines:
            left = sum(each.fulfilled for each in _lines_of(records, line.sku)) - line.asked_ship * line.units
            if line.mode != "desk" or left >= line.shipped * line.units:
                continue
            for name, record in records.items():
                for number, each in enumerate(record.lines, 1):
                    if each.sku == line.sku and each.committed >= line.units:
                        operation = Fulfil("", "desk", name, "", [LineQuantity(number, line.units)])
                        answer = await self._ledger.run(operation)
                        outcome = answer.outcome if isinstance(answer, Refused) else "done"
                        self.story.append(f"desk writes down what was shipped of {line.key}: {outcome}")
                        return True
        return False

    # -- what must hold

    async def _check_newest(self) -> None:
        """Compare lines that the channel alone moves with the newest that it has told."""
        if self._has_posted and not self.newest.has_told({line.key for line in self.market.snapshots[0].lines}):
            return
        if self._held or not self.newest.is_settled or (self._scarce and not self.newest.is_paid):
            return
        records = await self._reservations()
        for sku, (open_, gone) in self.newest.expected().items():
            lines = _lines_of(records, sku)
            is_so = (
                sum(each.held + each.committed for each in lines),
                sum(each.fulfilled - each.returned for each in lines),
            )
            if is_so != (open_, gone):
                self.problems.append(f"{sku}: {is_so} are open and gone, by the newest news {(open_, gone)}")

    async def _reservations(self) -> dict[str, Reservation]:
        partition = self._caller.partition
        found = await read_order(partition.client, partition.keyspace, CHANNEL, self.market.number)
        made = dict[str, Reservation]()
        for name in found.record.reservations if found.record is not None else ():
            record = (await self._ledger.reservation(name)).reservation
            if record is not None:
                made[name] = record
        return made

    async def _check_promise(self) -> None:
        """Compare what is reserved and shipped with what was ever sold."""
        sold, taken = Counter[str](), Counter[str]()
        for line in self.market.lines:
            sold[line.sku] += (line.ordered - line.asked_cancel) * line.units
        for record in (await self._reservations()).values():
            for each in record.lines:
                taken[each.sku] += each.held + each.committed + each.owed + each.fulfilled - each.returned
        for sku, units in taken.items():
            if units > sold[sku] and not self._held:
                self.problems.append(f"{units} of {sku} are promised or gone, and {sold[sku]} were sold")

    async def _finish(self) -> None:
        if self.market.late_sku and self.market.late_sku not in self._stocked:
            await self._receive(self.market.late_sku, SHELF)
        last = self.market.finish()
        for line in self.market.lines:
            await self._stock(line)
        self._is_final = True
        partition = self._caller.partition
        await run_function(partition.client, library().function("expire_holds"), partition.keyspace, partition.limits)
        looks = [await self._book(last, fetched=True) for _ in range(3)]
        booked = looks[-1]
        if booked.inbox:
            self.problems.append(f"the inbox has it in the end: {booked.inbox} {booked.detail}")
        if not booked.unchanged:
            self.problems.append("the third look still found something to do")
        await self._compare()

    async def _compare(self) -> None:
        """Compare the counters with what they must be, whatever happened on the way."""
        for sku in sorted(self.market.skus):
            lines = [line for line in self.market.lines if line.sku == sku]
            gone = sum(line.shipped * line.units for line in lines)
            open_ = sum((line.ordered - line.cancelled - line.shipped) * line.units for line in lines)
            levels = (await self._ledger.stock(sku)).levels
            is_so = tuple(
                sum(getattr(level, bucket) for level in levels) for bucket in ("on_hand", "held", "committed")
            )
            must_be = (self._stocked[sku] - gone, 0, open_)
            if is_so != must_be:
                self.problems.append(f"{sku}: on hand, held, committed are {is_so}, must be {must_be}")


def _lines_of(records: dict[str, Reservation], sku: str) -> list[ReservationLine]:
    return [line for record in records.values() for line in record.lines if line.sku == sku]
