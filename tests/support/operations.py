"""Operations with every field filled in, so that a test names only what it is about; and how to ask a ledger."""

from collections.abc import Iterable
from datetime import date
from typing import Any, Final, TypeVar

import msgspec

from server.domain.allocations import AllocationKind
from server.domain.answers import (
    AllocationAnswer,
    BatchAnswer,
    ExpectedReceiptAnswer,
    LineRefusal,
    OrderNoted,
    Refused,
    ReservationAnswer,
    StockAnswer,
    TransferAnswer,
)
from server.domain.binding import Binding, Bound
from server.domain.exchange import Exchange, ExchangeAnswer, Exchanged, ExchangeRefused
from server.domain.expected_receipt import ExpectedReceiptChanged
from server.domain.key_limits import Quota
from server.domain.operations.allocations import Allocate, AllocateMove
from server.domain.operations.base import Operation, fingerprint
from server.domain.operations.batches import NoteBatch
from server.domain.operations.expected_receipts import Expect, Forgo, ReceiveExpected
from server.domain.operations.orders import Noted, NoteOrder, Numbered
from server.domain.operations.reservations import (
    Cancel,
    Commit,
    Edit,
    Extend,
    Fulfil,
    Line,
    LineEdit,
    LineMapping,
    LineQuantity,
    LineRelocation,
    MapLines,
    Order,
    Release,
    ReleaseBecause,
    Relocate,
    Reserve,
    Return,
    ReturnedLine,
)
from server.domain.operations.stock import (
    Adjust,
    BackorderMode,
    Bucket,
    Count,
    Disposition,
    Move,
    Receive,
    SetBackorder,
    Shelf,
    TakeBack,
)
from server.domain.operations.transfers import Arrive, ArrivedLine, CancelTransfer, Ship, TransferItem
from server.domain.reservation import Changed
from server.domain.sourcing import AmongPlaces, Candidate, Plan, Sourced
from server.domain.stock import StockChanged, StockLevel
from server.domain.transfer import TransferChanged
from server.store.ledger.ledger import Ledger

HOUR_MS: Final = 3_600_000
SHORT_MS: Final = 30
"""A ttl to be waited out."""

AnOperation = (
    Reserve
    | Order
    | Sourced
    | Relocate
    | MapLines
    | Edit
    | Extend
    | Commit
    | Release
    | Cancel
    | Fulfil
    | Return
    | Receive
    | Adjust
    | Count
    | Move
    | TakeBack
    | Ship
    | Arrive
    | CancelTransfer
    | Expect
    | Forgo
    | ReceiveExpected
    | Allocate
    | AllocateMove
    | Bound
    | Exchange
    | SetBackorder
    | NoteBatch
    | NoteOrder
    | Noted
    | Numbered
)
T = TypeVar("T", bound=Operation)

# What a test writes for a line: (sku, quantity) or (sku, quantity, location).
ALine = tuple[str, int] | tuple[str, int, str]


def no_such_line(number: int, there: int, units: int, sku: str = "", location: str = "") -> LineRefusal:
    """Make what refuses a line that is not there; ``there``: how many there are."""
    return LineRefusal(number, sku, location, units, 0, "line", "", there)


def sealed(operation: T) -> T:
    """Return an operation with the fingerprint of what it asks."""
    bare = msgspec.structs.replace(operation, fingerprint="")
    return msgspec.structs.replace(bare, fingerprint=fingerprint(bare))


def meant(operation: Any) -> Any:
    """Return an operation whose names are meant, however like known ones they are."""
    return msgspec.structs.replace(operation, allow_similar=True)


def _lines(lines: Iterable[ALine]) -> list[Line]:
    return [Line(line[0], line[2] if len(line) == 3 else "main", line[1]) for line in lines]


def _parts(parts: Iterable[tuple[int | str, int]]) -> list[LineQuantity]:
    return [LineQuantity(*part) for part in parts]


def reserve(
    reservation_id: str,
    *lines: ALine,
    ttl_ms: int = HOUR_MS,
    partial: bool = False,
    channel: str = "shop",
    order_ref: str = "",
    customer_ref: str = "",
    flags: Iterable[str] = (),
    backorder: bool = False,
    quota: Quota | None = None,
) -> Reserve:
    return sealed(
        Reserve(
            fingerprint="",
            actor="tester",
            reservation_id=reservation_id,
            channel=channel,
            lines=_lines(lines),
            ttl_ms=ttl_ms,
            partial=partial,
            order_ref=order_ref,
            customer_ref=customer_ref,
            flags=list(flags),
            backorder=backorder,
            quota=quota,
        )
    )


def order(
    reservation_id: str,
    *lines: ALine,
    accept_shortage: bool = False,
    partial: bool = False,
    channel: str = "shop",
    flags: Iterable[str] = (),
    backorder: bool = False,
) -> Order:
    return sealed(
        Order(
            fingerprint="",
            actor="tester",
            reservation_id=reservation_id,
            channel=channel,
            lines=_lines(lines),
            accept_shortage=accept_shortage,
            partial=partial,
            flags=list(flags),
            backorder=backorder,
        )
    )


def extend(reservation_id: str, ttl_ms: int, key: str = "") -> Extend:
    return sealed(Extend("", "tester", reservation_id, key, ttl_ms))


def commit(
    reservation_id: str, *parts: tuple[int | str, int], keep: bool = False, order_ref: str = "", key: str = ""
) -> Commit:
    return sealed(Commit("", "tester", reservation_id, key, _parts(parts), keep, order_ref))


def release(
    reservation_id: str, *parts: tuple[int | str, int], reason: str = "", remember: bool = False, key: str = ""
) -> Release:
    if reason:
        return sealed(ReleaseBecause("", "tester", reservation_id, key, _parts(parts), remember, reason))
    return sealed(Release("", "tester", reservation_id, key, _parts(parts), remember))


def cancel(
    reservation_id: str, *parts: tuple[int | str, int], reason: str = "", remember: bool = False, key: str = ""
) -> Cancel:
    return sealed(Cancel("", "tester", reservation_id, key, _parts(parts), reason, remember))


def fulfil(
    reservation_id: str,
    *parts: tuple[int | str, int],
    tracking: str = "",
    carrier: str = "",
    invoice_ref: str = "",
    reason: str = "",
    key: str = "",
) -> Fulfil:
    return sealed(Fulfil("", "tester", reservation_id, key, _parts(parts), tracking, carrier, invoice_ref, reason))


def relocate(reservation_id: str, *moves: tuple[int, int, str], reason: str = "", key: str = "") -> Relocate:
    """Move (line, quantity, to); a quantity of 0 means all that the line has reserved."""
    lines = [LineRelocation(line, quantity, to) for line, quantity, to in moves]
    return sealed(Relocate("", "tester", reservation_id, key, lines, reason))


def map_lines(reservation_id: str, *lines: tuple[int, str] | tuple[int, str, str], key: str = "") -> MapLines:
    """Each line is (line, sku), taken from wherever an order would be, or (line, sku, location)."""
    return sealed(MapLines("", "tester", reservation_id, key, [LineMapping(*each) for each in lines]))


def edit(
    reservation_id: str,
    *lines: tuple[int | str, int] | tuple[int | str, int, str],
    ttl_ms: int = 0,
    accept_shortage: bool = False,
    key: str = "",
    quota: Quota | None = None,
) -> Edit:
    """Each line is (number or SKU, quantity), or (SKU, quantity, location)."""
    edits = [
        LineEdit(0, line[0], line[2] if len(line) == 3 else "", line[1])
        if isinstance(line[0], str)
        else LineEdit(line[0], "", "", line[1])
        for line in lines
    ]
    return sealed(Edit("", "tester", reservation_id, key, edits, ttl_ms, accept_shortage, 0, quota or False))


def take_back(
    reservation_id: str,
    *parts: tuple[int | str, int] | tuple[int | str, int, str, str],
    reason: str = "",
    key: str = "",
) -> Return:
    """Each part is (line, quantity), sold again where it came from, or (line, quantity, disposition, location)."""
    lines = [
        ReturnedLine(part[0], part[1], *((Disposition(part[2]), part[3]) if len(part) == 4 else (Disposition.RESTOCK,)))
        for part in parts
    ]
    return sealed(Return("", "tester", reservation_id, key, lines, reason))


def sourced(
    request: Reserve | Order,
    candidates: Iterable[Candidate | str],
    splits_max: int = 0,
    *,
    split_lines: bool = False,
    open_group: str | None = None,
) -> Sourced:
    """Plan a reservation; candidates given as words come in that order. ``open_group``: they are bound later."""
    return Sourced(request, Plan(splits_max, _ranked(candidates), split_lines, open_group))


def _ranked(candidates: Iterable[Candidate | str]) -> list[Candidate]:
    return [Candidate(each, place) if isinstance(each, str) else each for place, each in enumerate(candidates)]


def bound(
    operation: Commit | Fulfil,
    *candidates: Candidate | str,
    splits_max: int = 0,
    split_lines: bool = False,
    location: str = "",
) -> Bound:
    """Bind what is open: to the best of the candidates, or to a location and nowhere else."""
    names = [location] if location else candidates
    binding = Binding(_ranked(names), splits_max, split_lines, location)
    return Bound(_sealed_with(operation, binding), binding)


def exchange(returned: Return, request: Reserve | Order | Sourced) -> Exchange:
    """Exchange what comes back for a reservation; the return's key and fingerprint stand for both.

    The reservation has the fingerprint of the exchange, as the service makes it: no request for it alone is a repeat.
    """
    back = _sealed_with(returned, request)
    if isinstance(request, Sourced):
        return Exchange(back, Sourced(_exchanged(request.promise, back), request.plan))
    return Exchange(back, _exchanged(request, back))


def _exchanged(request: Reserve | Order, back: Return) -> Reserve | Order:
    return msgspec.structs.replace(request, fingerprint=back.fingerprint if request.fingerprint else "")


def _sealed_with(operation: T, other: object) -> T:
    bare = msgspec.structs.replace(operation, fingerprint="")
    return msgspec.structs.replace(bare, fingerprint=fingerprint(bare, other))


def move(
    sku: str, source: str, target: str, quantity: int, location: str = "main", *, reason: str = "", key: str = ""
) -> Move:
    return sealed(Move("", "tester", key, sku, location, Shelf(source), Shelf(target), quantity, reason))


def backorder(
    sku: str, limit: int, location: str = "main", *, mode: str = "backorder", on: str = "", key: str = ""
) -> SetBackorder:
    return sealed(SetBackorder("", "tester", key, sku, location, BackorderMode(mode), limit, on))


def ship(transfer_id: str, source: str, target: str, *items: tuple[str, int], reason: str = "", key: str = "") -> Ship:
    lines = [TransferItem(*item) for item in items]
    return sealed(Ship("", "tester", key, transfer_id, source, target, lines, reason))


def arrive(
    transfer_id: str,
    *parts: tuple[int, int] | tuple[int, int, str],
    everything: bool = False,
    close: bool = False,
    reason: str = "",
    key: str = "",
) -> Arrive:
    """Each part is (line, quantity), to be sold again, or (line, quantity, disposition)."""
    lines = [ArrivedLine(part[0], part[1], Disposition(part[2] if len(part) == 3 else "restock")) for part in parts]
    return sealed(Arrive("", "tester", key, transfer_id, lines, everything, close, reason))


def cancel_transfer(transfer_id: str, *, reason: str = "", key: str = "") -> CancelTransfer:
    return sealed(CancelTransfer("", "tester", key, transfer_id, reason))


def receive(sku: str, quantity: int, location: str = "main", *, reason: str = "", key: str = "") -> Receive:
    return sealed(Receive("", "tester", key, sku, location, quantity, reason))


def expect(
    supply_id: str,
    sku: str,
    quantity: int,
    on: str = "2030-01-01",
    location: str = "main",
    *,
    key: str = "",
    sscc: str = "",
) -> Expect:
    return sealed(Expect("", "tester", key, supply_id, sku, location, quantity, date.fromisoformat(on), "", sscc))


def forgo(supply_id: str, *, key: str = "") -> Forgo:
    return sealed(Forgo("", "tester", key, supply_id))


def receive_expected(
    supply_id: str, sku: str, quantity: int, location: str = "", *, reason: str = "", key: str = ""
) -> ReceiveExpected:
    return sealed(ReceiveExpected("", "tester", key, sku, location, supply_id, quantity, reason))


def adjust(sku: str, bucket: Bucket, delta: int, location: str = "main", *, reason: str = "", key: str = "") -> Adjust:
    return sealed(Adjust("", "tester", key, sku, location, bucket, delta, reason))


def undo(
    sku: str,
    seq: int,
    location: str = "main",
    *,
    on_hand: int = 0,
    damaged: int = 0,
    quality_control: int = 0,
    safety: int = 0,
    may_be_short: bool = False,
    key: str = "",
) -> TakeBack:
    figures = (on_hand, damaged, quality_control, safety)
    return sealed(TakeBack("", "tester", key, sku, location, seq, *figures, may_be_short, "undo"))


def count(
    sku: str,
    on_hand: int = -1,
    location: str = "main",
    *,
    baseline_seq: int = -1,
    safety: int = -1,
    reason: str = "",
    key: str = "",
    counted_ms: int = -1,
    replaces: bool = False,
) -> Count:
    return sealed(Count("", "tester", key, sku, location, on_hand, baseline_seq, safety, reason, counted_ms, replaces))


def allocate(
    sku: str,
    channel: str,
    units: int,
    kind: AllocationKind = "own",
    location: str = "main",
    *,
    reason: str = "",
    key: str = "",
    counted: tuple[str, int] = ("", 0),
) -> Allocate:
    """Make one; ``counted`` is (the journal's last id, what the channel has reserved there then)."""
    operation = Allocate("", "tester", key, sku, location, channel, kind, units, reason)
    return msgspec.structs.replace(sealed(operation), seen_id=counted[0], used=counted[1])


def allocate_move(
    sku: str,
    channel: str,
    taker: str,
    units: int,
    location: str = "main",
    *,
    reason: str = "",
    key: str = "",
    counted: tuple[str, int] = ("", 0),
) -> AllocateMove:
    operation = AllocateMove("", "tester", key, sku, location, channel, taker, units, reason)
    return msgspec.structs.replace(sealed(operation), seen_id=counted[0], used=counted[1])


AnAnswer = (
    AllocationAnswer
    | BatchAnswer
    | OrderNoted
    | ReservationAnswer
    | StockAnswer
    | TransferAnswer
    | ExpectedReceiptAnswer
    | ExchangeAnswer
)


async def ask(ledger: Ledger, operation: AnOperation) -> AnAnswer:
    answer: AnAnswer = await ledger.run(operation)  # type: ignore[arg-type]  # each has its own overload
    return answer


async def changed(ledger: Ledger, operation: AnOperation) -> Changed:
    """Ask for what must take effect on a reservation."""
    answer = await ask(ledger, operation)
    assert isinstance(answer, Changed), answer
    return answer


async def moved(ledger: Ledger, operation: AnOperation) -> StockChanged:
    """Ask for what must take effect on the stock."""
    answer = await ask(ledger, operation)
    assert isinstance(answer, StockChanged), answer
    return answer


async def transferred(ledger: Ledger, operation: Ship | Arrive | CancelTransfer) -> TransferChanged:
    """Ask for what must take effect on a transfer."""
    answer = await ask(ledger, operation)
    assert isinstance(answer, TransferChanged), answer
    return answer


async def expected(ledger: Ledger, operation: Expect | Forgo) -> ExpectedReceiptChanged:
    """Ask for what must take effect on an expected receipt."""
    answer = await ask(ledger, operation)
    assert isinstance(answer, ExpectedReceiptChanged), answer
    return answer


async def exchanged(ledger: Ledger, operation: Exchange) -> Exchanged:
    """Ask for what must take effect on both reservations."""
    answer = await ask(ledger, operation)
    assert isinstance(answer, Exchanged), answer
    return answer


async def half_refused(ledger: Ledger, operation: Exchange) -> tuple[str, str]:
    """Ask for an exchange that cannot be; returns the half that was refused, and as what."""
    answer = await ask(ledger, operation)
    assert isinstance(answer, ExchangeRefused), answer
    return answer.half, answer.refused.outcome


async def refused(ledger: Ledger, operation: AnOperation) -> Refused:
    """Ask for what must be refused."""
    answer = await ask(ledger, operation)
    assert isinstance(answer, Refused), answer
    return answer


async def stocked(ledger: Ledger, **units: int) -> None:
    """Receive of each SKU so many units at ``main``."""
    for sku, quantity in units.items():
        await moved(ledger, receive(sku, quantity))


async def level(ledger: Ledger, sku: str, location: str = "main") -> StockLevel:
    levels = {each.location: each for each in (await ledger.stock(sku)).levels}
    return levels[location]


async def available(ledger: Ledger, sku: str, location: str = "main") -> int:
    return (await level(ledger, sku, location)).available


def reservation_of(exchange: Exchange) -> Reserve | Order:
    """Return the new reservation of an exchange, without its plan."""
    promise = exchange.promise
    assert not isinstance(promise, AmongPlaces)
    return promise.promise if isinstance(promise, Sourced) else promise
