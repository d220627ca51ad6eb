"""The next step of an order's booking: one operation of the ledger, and the record that is written with it."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

from msgspec.structs import replace

from server.domain import limits
from server.domain.booked_orders import RESERVATIONS_MAX, BookedLine, BookedOrder, BookedPieces
from server.domain.components import Component
from server.domain.operations.base import fingerprint
from server.domain.operations.orders import Step
from server.domain.operations.reservations import (
    Cancel,
    Commit,
    Extend,
    Fulfil,
    Line,
    LineMapping,
    LineQuantity,
    MapLines,
    Order,
    Release,
    Reserve,
    Return,
    ReturnedLine,
)
from server.domain.operations.stock import Disposition
from server.domain.order_balance import Balance
from server.domain.order_progress import Figures, measured, take_units
from server.domain.order_told import Told, with_lines
from server.domain.reservation import ChannelLine, ChannelPart, Reservation, ReservationLine

_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*", re.ASCII)
_GENERATION: Final = re.compile(r"g[0-9]+", re.ASCII)
_REASON: Final = "channel"


class Meant(NamedTuple):
    """What a piece of an order's line is made of. ``known`` False: nobody knows, and it is booked as it is written."""

    key: str
    components: list[Component]
    known: bool


class Situation(NamedTuple):
    """What a step is decided on. ``found``: the order's reservations as they are. ``stuck``: what was refused."""

    channel: str
    number: str
    actor: str
    now_ms: int
    hold_ms: int
    told: Told
    found: Mapping[str, Reservation]
    meant: Mapping[str, Meant]
    stuck: set[str]


class Planned(NamedTuple):
    """A step: its name, its operation, what is stuck where that is refused, and the lines that it is about."""

    name: str
    operation: Step
    about: str
    lines: tuple[str, ...]


def reservation_id(channel: str, number: str, generation: int) -> str:
    """Name a reservation of an order; the same order and generation always have the same, and no others have it.

    So a number in which a channel could end, or that looks like a generation, is not written out.
    """
    suffix = f".g{generation}" if generation else ""
    name = f"{channel}.{number}{suffix}"
    is_plain = _PLAIN_ID.fullmatch(name) and "." not in number and not _GENERATION.fullmatch(number)
    if is_plain and len(name) <= limits.RESERVATION_ID_BYTES_MAX:
        return name
    return "o" + blake2b(f"{channel}\0{number}".encode(), digest_size=16).hexdigest() + suffix


class OrderSteps:
    """The balances of an order's lines, and the step that comes next.

    A step is counted as done in the balances, for the record that is written with it. So one step is taken, and where
    it has an effect the next one is decided anew. ``unclaimed``: units of others' reservations that no line is for.
    """

    def __init__(self, record: BookedOrder, at: Situation, *, unclaimed: int = 0) -> None:
        self._at = at
        self.unclaimed = unclaimed
        self._record = record
        lines = with_lines(record, at.told)
        told = [at.told.lines[line.key] for line in lines]
        progress = measured(
            lines, record.reservations, at.found, [Figures(each.cancelled, each.shipped) for each in told]
        )
        self.balances = [Balance(*each) for each in zip(lines, told, progress, strict=True)]
        self._reservations = list(record.reservations)
        self._generations = record.generations
        self._holds = {
            index
            for index, name in enumerate(record.reservations)
            if (found := at.found.get(name)) is not None and any(line.held or line.waiting for line in found.lines)
        }
        self.is_full = False
        """Whether the order has as many reservations as it can have."""

    def next_step(self) -> Planned | None:
        """Return the step that comes next, None: there is none that can be done."""
        at = self._at
        steps: list[Callable[[], Planned | None]] = [self._cancel, self._take_back]
        steps += [self._commit, self._map, self._book, self._ship] if at.told.is_paid else [self._book, self._extend]
        return next((planned for step in steps if (planned := step()) is not None), None)

    @property
    def is_done(self) -> bool:
        """Whether nothing of what is told is left to be done."""
        told = self._at.told
        settled = not (told.is_paid and self._holds) and not told.gone and not self.unclaimed
        return settled and all(each.is_even and not _is_unmapped(each) for each in self.balances)

    def record(self, digest: str, *, last: bool) -> BookedOrder:
        """Return the record as it is after the step.

        ``last``: nothing more can be done, so the snapshot counts as acted on, also where something is left undone.
        """
        told, before, done = self._at.told, self._record, self.is_done
        is_last = done or last
        # Until then it counts as a moment older: it is still news when it comes again, and no older one is.
        earlier_ms = 0 if is_last else 1
        lines = list[BookedLine]()
        for each in self.balances:
            line = each.line
            gone = told.gone.get(line.key, (0, 0)) if is_last else (line.gone, line.gone_since_ms)
            seen_ms = max(line.seen_ms, each.told.seen_ms - earlier_ms)
            lines.append(
                replace(line, unmapped=_is_unmapped(each), seen_ms=seen_ms, gone=gone[0], gone_since_ms=gone[1])
            )
        return BookedOrder(
            before.version + 1, told.state, self._reservations, self._at.now_ms, told.first_ms,
            max(before.changed_ms, told.changed_ms - earlier_ms),
            max(before.complete_ms, told.complete_ms - earlier_ms) if told.complete_ms else 0,
            digest if is_last else before.fingerprint, lines, self._generations,
            told.fetched if is_last else before.fetched, undone=not done,
        )  # fmt: skip

    # -- the steps

    def _parts(self, index: int) -> Iterator[tuple[Balance, int, BookedPieces]]:
        for each in self.balances:
            for i, part in enumerate(each.line.parts):
                if part.reservation == index:
                    yield each, i, part

    def _living(self) -> Iterator[tuple[int, str, Reservation]]:
        """Go through the reservations that are there, the newest first."""
        for index, name in reversed(list(enumerate(self._reservations))):
            found = self._at.found.get(name)
            if found is not None:
                yield index, name, found

    def _take(
        self,
        index: int,
        found: Reservation,
        pieces_of: Callable[[Balance, int], int],
        units_of: Callable[[ReservationLine], int],
    ) -> tuple[list[tuple[Balance, int, int]], list[tuple[int, int]]]:
        """Choose pieces of the parts in a reservation, as many as are there: which, and units of which lines."""
        every = list(self._parts(index))
        chosen, units, taken = list[tuple[Balance, int, int]](), list[tuple[int, int]](), dict[int, int]()
        left = {id(each): pieces_of(each, -1) for each, _, _ in every}
        for each, i, part in every:
            owned = {number for other, j, their in every if (other, j) != (each, i) for number in their.lines}
            most = min(left[id(each)], pieces_of(each, i))
            for pieces in dict.fromkeys((most, 1)) if most > 0 else ():
                some = take_units(found, part, pieces, units_of, taken, owned)
                if some is not None:
                    chosen.append((each, i, pieces))
                    units += some
                    left[id(each)] -= pieces
                    break
        return chosen, units

    def _cancel(self) -> Planned | None:
        def pieces_of(each: Balance, part: int) -> int:
            return each.to_cancel if part < 0 else each.progress[part].open + each.progress[part].waiting

        for index, name, found in self._living():
            for is_held, units_of in ((False, _committed_or_owed), (True, _held_or_waiting)):
                if f"cancel {name} {is_held}" in self._at.stuck:
                    continue
                chosen, units = self._take(index, found, pieces_of, units_of)
                if not chosen:
                    continue
                for each, part, pieces in chosen:
                    each.after_cancel(part, pieces)
                if is_held and sum(map(units_of, found.lines)) == sum(each for _, each in units):
                    self._holds.discard(index)
                parts = [LineQuantity(*each) for each in units]
                actor = self._at.actor
                operation: Step = Cancel("", actor, name, "", parts, _REASON)
                if is_held:
                    operation = Release("", actor, name, "", parts)
                return _planned("release" if is_held else "cancel", operation, f"cancel {name} {is_held}", chosen)
        return None

    def _take_back(self) -> Planned | None:
        def pieces_of(each: Balance, part: int) -> int:
            return each.to_take_back if part < 0 else each.progress[part].shipped - each.progress[part].returned

        for index, name, found in self._living():
            if f"take_back {name}" in self._at.stuck:
                continue
            chosen, units = self._take(index, found, pieces_of, lambda line: line.fulfilled - line.returned)
            if chosen:
                for each, part, pieces in chosen:
                    each.after_taking_back(part, pieces)
                lines = [ReturnedLine(number, some, Disposition.RESTOCK) for number, some in units]
                operation = Return("", self._at.actor, name, "", lines, "shipment corrected by the channel")
                return _planned("take_back", operation, f"take_back {name}", chosen)
        return None

    def _commit(self) -> Planned | None:
        for index, name, found in self._living():
            if index not in self._holds or f"commit {name}" in self._at.stuck:
                continue
            chosen, units = self._take(
                index, found, lambda each, part: limits.QUANTITY_MAX if part < 0 else each.progress[part].open,
                _held_or_waiting,
            )  # fmt: skip
            if not chosen:
                continue
            self._holds.discard(index)
            is_all = sum(some for _, some in units) == sum(map(_held_or_waiting, found.lines))
            parts = [] if is_all else [LineQuantity(*each) for each in units]
            operation = Commit("", self._at.actor, name, "", parts, order_ref=self._at.number)
            return _planned("commit", operation, f"commit {name}", chosen)
        return None

    def _map(self) -> Planned | None:
        """Give unmapped lines their SKUs; what is a pack or bundle is booked anew as what it is."""
        for index, name, found in self._living():
            mappings, moved = list[LineMapping](), list[tuple[Balance, int, int]]()
            for each, i, part in self._parts(index):
                meant = self._at.meant.get(each.line.key)
                unmapped = [n for n, number in enumerate(part.lines) if found.lines[number - 1].is_unmapped]
                if meant is None or not meant.known or not unmapped or f"map {each.line.key}" in self._at.stuck:
                    continue
                if [component.quantity for component in meant.components] == part.units:
                    mappings += [LineMapping(part.lines[n], meant.components[n].sku) for n in unmapped]
                    each.mapped(i)
                    moved.append((each, i, 0))
                elif not mappings and (pieces := each.progress[i].waiting):
                    each.after_moving(i, pieces)
                    parts = [LineQuantity(part.lines[n], pieces * part.units[n]) for n in unmapped]
                    operation = Cancel("", self._at.actor, name, "", parts, "booked anew as what it is")
                    return _planned("rebook", operation, f"map {each.line.key}", [(each, i, pieces)])
            if mappings:
                about = "\n".join(f"map {each.line.key}" for each, _, _ in moved)
                return _planned("map", MapLines("", self._at.actor, name, "", mappings), about, moved)
        return None

    def _book(self) -> Planned | None:
        paid = self._at.told.is_paid
        due = [each for each in self.balances if each.line.due > 0 and self._may_book(each)]
        if due and len(self._reservations) >= RESERVATIONS_MAX:
            self.is_full = True
            return None
        lines, channel_lines, chosen = list[Line](), list[ChannelLine](), list[tuple[Balance, int, int]]()
        for each in due:
            meant, pieces = self._at.meant[each.line.key], each.line.due
            if len(lines) + len(meant.components) > limits.LINES_MAX:
                break
            numbers = list(range(len(lines) + 1, len(lines) + 1 + len(meant.components)))
            units = [component.quantity for component in meant.components]
            lines += [Line(component.sku, "", pieces * component.quantity) for component in meant.components]
            if meant.known and units != [1]:
                parts = [ChannelPart(*each) for each in zip(numbers, units, strict=True)]
                channel_lines.append(ChannelLine(meant.key, pieces, parts, 0))
            chosen.append((each, len(each.line.parts), pieces))
            part = BookedPieces(len(self._reservations), pieces, numbers, units)
            each.after_booking(part, unmapped=paid and not meant.known)
        if not chosen:
            return None
        channel_lines = [replace(each, behind=len(lines)) for each in channel_lines]
        name = reservation_id(self._at.channel, self._at.number, self._generations)
        self._reservations.append(name)
        self._generations += 1
        return self._new(name, lines, channel_lines, chosen)

    def _may_book(self, each: Balance) -> bool:
        meant = self._at.meant.get(each.line.key)
        if meant is None or f"book {each.line.key}" in self._at.stuck:
            return False
        return self._at.told.is_paid or meant.known

    def _new(
        self,
        name: str,
        lines: list[Line],
        channel_lines: list[ChannelLine],
        chosen: Sequence[tuple[Balance, int, int]],
    ) -> Planned:
        at = self._at
        digest = fingerprint("intake", at.channel, at.number, name, lines)
        about = "\n".join(f"book {each.line.key}" for each, _, _ in chosen)
        if at.told.is_paid:
            order = Order(
                digest, at.actor, name, at.channel, lines, accept_shortage=True, order_ref=at.number,
                channel_lines=channel_lines,
            )  # fmt: skip
            return _planned("order", order, about, chosen)
        reserve = Reserve(
            digest, at.actor, name, at.channel, lines, at.hold_ms, order_ref=at.number, channel_lines=channel_lines
        )
        return _planned("reserve", reserve, about, chosen)

    def _ship(self) -> Planned | None:
        def pieces_of(each: Balance, part: int) -> int:
            if part >= 0:
                return each.progress[part].open
            return each.to_ship

        for index, name, found in self._living():
            if f"ship {name}" in self._at.stuck:
                continue
            chosen, units = self._take(index, found, pieces_of, lambda line: line.committed)
            if chosen:
                for each, part, pieces in chosen:
                    each.after_shipping(part, pieces)
                parts = [LineQuantity(*each) for each in units]
                return _planned("ship", Fulfil("", self._at.actor, name, "", parts), f"ship {name}", chosen)
        return None

    def _extend(self) -> Planned | None:
        until_ms = self._at.now_ms + self._at.hold_ms
        for index, name, found in self._living():
            is_short = found.deadline_ms < until_ms - self._at.hold_ms // 2
            if index in self._holds and is_short and f"extend {name}" not in self._at.stuck:
                # Its longest life may keep it from becoming longer, so it is asked for once.
                self._at.stuck.add(f"extend {name}")
                return _planned("extend", Extend("", self._at.actor, name, "", self._at.hold_ms), f"extend {name}", [])
        return None


def _planned(name: str, operation: Step, about: str, chosen: Sequence[tuple[Balance, int, int]]) -> Planned:
    return Planned(name, operation, about, tuple(each.line.key for each, _, _ in chosen))


def _is_unmapped(each: Balance) -> bool:
    return any(progress.unmapped for progress in each.progress)


def _committed_or_owed(line: ReservationLine) -> int:
    return line.committed + line.owed


def _held_or_waiting(line: ReservationLine) -> int:
    return line.held + line.waiting
