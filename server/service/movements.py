"""Movements of stock: from a request or a row of a file to the ledger's operations, and carrying them out."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from server.domain import limits
from server.domain.operations.expected_receipts import ReceiveExpected
from server.domain.operations.stock import Adjust, Bucket, Count, Move, Receive, Shelf, StockOperation
from server.schemas.common import time_ms_of
from server.schemas.problems import Problem
from server.schemas.stock import AdjustMovement, CountBody, CountMovement, MovementBody, MoveMovement, ReceiveMovement
from server.service import bulk
from server.service.batches import note_batch
from server.service.caller import Caller
from server.service.checks import InvalidError, check_location, check_reference, check_reservation_id, check_sku
from server.service.likeness import as_asked, is_allowed
from server.service.problems import invalid, problem, within
from server.service.scans import Found, MisreadError, Scan, find_here, refuse_misread, scan_instead, units_of
from server.store.repositories.barcodes import Pack

Result = TypeVar("Result")


def scan_of(body: MovementBody) -> Scan | None:
    """Return the barcode that stands in place of the SKU, None where the SKU is named.

    Raises
    ------
    InvalidError
        Both are named, or neither, or it cannot be a barcode.

    """
    return scan_instead("", body.sku, body.barcode)


def operation_of(
    caller: Caller, body: MovementBody, scan: Scan | None, found: Mapping[Scan, Found]
) -> tuple[str, StockOperation] | None:
    """Make the operation of a movement, and its name; None: its barcode is not registered.

    Raises
    ------
    MisreadError
        Its barcode is not registered, and cannot be right.
    InvalidError
        A field breaks a rule.

    """
    pack = Pack(body.sku or "")
    if scan is not None:
        known = found.get(scan)
        if known is None:
            refuse_misread(scan)
            return None
        pack = known.pack
    sku = check_sku("sku", pack.sku)
    location = check_location("location", body.location) if body.location is not None else ""
    head = caller.fingerprint("movement", as_asked(body)), caller.actor, caller.key, sku, location
    return kind_of(body), _MAKERS[type(body)](head, body, pack)


def kind_of(body: MovementBody) -> str:
    """Return the name of a movement's kind, as it stands in the request."""
    return str(body.__struct_config__.tag)


Head = tuple[str, str, str, str, str]
"""Fingerprint, actor, idempotency key, SKU, location: the first fields of every :class:`StockOperation`."""


def _receive(head: Head, body: ReceiveMovement, pack: Pack) -> StockOperation:
    request, actor, key, sku, location = head
    reason = check_reference("reason", body.reason)
    units = units_of("quantity", body.quantity, pack.factor)
    if body.supply_id is None:
        return Receive(request, actor, key, sku, location or limits.DEFAULT_LOCATION, units, reason, is_allowed(body))
    supply_id = check_reservation_id("supply_id", body.supply_id)
    return ReceiveExpected(*head, supply_id, units, reason, is_allowed(body))


def _adjust(head: Head, body: AdjustMovement, pack: Pack) -> StockOperation:
    if body.quantity == 0:
        raise InvalidError("quantity", "must not be 0")
    units = units_of("quantity", body.quantity, pack.factor)
    return Adjust(*head, Bucket(body.bucket), units, check_reference("reason", body.reason))


def _count(head: Head, body: CountBody | CountMovement, pack: Pack) -> Count:
    counted_ms = -1 if body.counted_at is msgspec.UNSET else time_ms_of(body.counted_at)
    if counted_ms >= 0 and body.baseline_seq is not None:
        raise InvalidError("counted_at", "may not stand beside baseline_seq: each says as of when the count holds")
    return Count(
        *head,
        units_of("on_hand", body.on_hand, pack.factor),
        -1 if body.baseline_seq is None else body.baseline_seq,
        -1 if body.safety is None else body.safety,
        check_reference("reason", body.reason),
        counted_ms,
        allow_similar=is_allowed(body),
    )


def _move(head: Head, body: MoveMovement, pack: Pack) -> StockOperation:
    if body.from_ == body.to:
        raise InvalidError("to", "must be another bucket than from")
    units = units_of("quantity", body.quantity, pack.factor)
    return Move(*head, Shelf(body.from_), Shelf(body.to), units, check_reference("reason", body.reason))


_MAKERS: Final[dict[type, Callable[[Head, Any, Pack], StockOperation]]] = {
    ReceiveMovement: _receive,
    AdjustMovement: _adjust,
    CountMovement: _count,
    MoveMovement: _move,
}


def count_of(caller: Caller, sku: str, location: str, body: CountBody) -> Count:
    """Make the operation of a count at a (SKU, location).

    Raises
    ------
    InvalidError
        A field breaks a rule.

    """
    where = check_sku("sku", sku), check_location("location", location)
    # As sent, like all fingerprints: what a name is may become another with a release, and a retry stays a replay.
    head = caller.fingerprint("count", sku, location, as_asked(body)), caller.actor, caller.key, *where
    return _count(head, body, Pack(sku))


# -- carrying them out


async def operations_of(caller: Caller, bodies: Sequence[MovementBody]) -> list[tuple[str, StockOperation] | Problem]:
    """Make the operations of a batch, and their names; a problem: its barcode stands for nothing that is known.

    Raises
    ------
    InvalidError
        A field of one of them breaks a rule.
    ProblemError
        The key is that of another batch. Nothing happened.
    StoreUnavailableError
        The barcodes could not be looked up. Nothing happened.

    """
    scans = _scans(bodies)
    found = await find_here(caller, scans)
    made: list[tuple[str, StockOperation] | Problem] = []
    for i, (body, scan) in enumerate(zip(bodies, scans, strict=True)):
        try:
            made.append(operation_of(caller.item(i), body, scan, found) or problem("unknown_barcode"))
        except MisreadError as error:  # the others were read well
            made.append(invalid(f"movements[{i}].{error.field}", error.rule))
        except InvalidError as error:
            raise within(f"movements[{i}]", error) from None
    await note_batch(caller, "movements", [as_asked(body) for body in bodies])
    return made


def _scans(bodies: Sequence[MovementBody]) -> list[Scan | None]:
    scans = []
    for i, body in enumerate(bodies):
        try:
            scans.append(scan_of(body))
        except InvalidError as error:
            raise within(f"movements[{i}]", error) from None
    return scans


async def each_in_order(
    movements: Sequence[tuple[str, StockOperation] | Problem],
    move_one: Callable[[str, StockOperation], Awaitable[Result]],
    at_once: int = limits.BULK_AT_ONCE_MAX,
    outcome_of: Callable[[Result], str] = lambda _: "",
) -> dict[int, Result]:
    """Carry movements out, those of one SKU one after the other; return the results by place in the list.

    Two batches in flight may pass each other, so movements of one SKU must not be in flight together. ``at_once``,
    ``outcome_of``: see :func:`bulk.each`.
    """
    results: dict[int, Result] = {}
    by_sku: dict[str, list[tuple[int, str, StockOperation]]] = {}
    for place, each in enumerate(movements):
        if isinstance(each, tuple):
            by_sku.setdefault(each[1].sku, []).append((place, *each))

    async def one_after_the_other(same: list[tuple[int, str, StockOperation]]) -> Result:
        for place, name, movement in same:
            results[place] = await move_one(name, movement)
        return results[same[-1][0]]

    await bulk.each(list(by_sku.values()), one_after_the_other, at_once, outcome_of)
    return results
