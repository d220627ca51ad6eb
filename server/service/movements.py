"""From a movement as it is written down, in a request or in a file, to the operation that the ledger knows."""

from msgspec import structs

from server.domain import limits
from server.domain.operations.base import fingerprint
from server.domain.operations.expected_receipts import ReceiveExpected
from server.domain.operations.stock import Adjust, Bucket, Count, Move, Receive, Shelf
from server.schemas.stock import AdjustMovement, CountBody, CountMovement, MoveMovement, ReceiveMovement
from server.service.checks import (
    InvalidError,
    check_barcode,
    check_location,
    check_reference,
    check_reservation_id,
    check_sku,
)
from server.store.repositories.barcodes import Pack

Movement = Receive | ReceiveExpected | Adjust | Count | Move
MovementBody = ReceiveMovement | AdjustMovement | CountMovement | MoveMovement


def barcode_of(body: MovementBody) -> str:
    """Return the barcode that stands in place of the SKU, empty where the SKU is named.

    Raises
    ------
    InvalidError
        Both are named, or neither, or it cannot be a barcode.

    """
    if not isinstance(body, ReceiveMovement | CountMovement):
        return ""
    if (body.sku is None) == (body.barcode is None):
        raise InvalidError("sku", "must be there, or a barcode instead")
    return "" if body.barcode is None else check_barcode("barcode", body.barcode)


def _units(field: str, packs: int, factor: int) -> int:
    if packs * factor > limits.QUANTITY_MAX:
        raise InvalidError(field, f"must be at most {limits.QUANTITY_MAX // factor} packs of {factor}")
    return packs * factor


def operation_of(actor: str, body: MovementBody, key: str, packs: dict[str, Pack]) -> tuple[str, Movement] | None:
    """Make the operation of a movement, and its name; None: nobody said what its barcode stands for.

    Raises
    ------
    InvalidError
        A field breaks a rule.

    """
    pack = Pack(body.sku or "")
    if isinstance(body, ReceiveMovement | CountMovement) and body.barcode is not None:
        if body.barcode not in packs:
            return None
        pack = packs[body.barcode]
    sku = check_sku("sku", pack.sku)
    location = check_location("location", body.location) if body.location is not None else ""
    digest = fingerprint("movement", body) if key else ""
    match body:
        case ReceiveMovement():
            reason = check_reference("reason", body.reason)
            units = _units("quantity", body.quantity, pack.factor)
            if body.supply_id is None:
                place = location or limits.DEFAULT_LOCATION
                return "receive", Receive(digest, actor, key, sku, place, units, reason)
            supply_id = check_reservation_id("supply_id", body.supply_id)
            return "receive", ReceiveExpected(digest, actor, key, sku, location, supply_id, units, reason)
        case AdjustMovement():
            if body.quantity == 0:
                raise InvalidError("quantity", "must not be 0")
            reason = check_reference("reason", body.reason)
            return "adjust", Adjust(digest, actor, key, sku, location, Bucket(body.bucket), body.quantity, reason)
        case CountMovement():
            on_hand = _units("on_hand", body.on_hand, pack.factor)
            return "count", count_of(actor, digest, key, (sku, location), structs.replace(body, on_hand=on_hand))
        case MoveMovement():
            if body.from_ == body.to:
                raise InvalidError("to", "must be another bucket than from")
            shelves = Shelf(body.from_), Shelf(body.to)
            reason = check_reference("reason", body.reason)
            return "move", Move(digest, actor, key, sku, location, *shelves, body.quantity, reason)


def count_of(actor: str, digest: str, key: str, where: tuple[str, str], body: CountBody | CountMovement) -> Count:
    """Make the operation of a count at a (SKU, location)."""
    return Count(
        digest,
        actor,
        key,
        *where,
        body.on_hand,
        -1 if body.baseline_seq is None else body.baseline_seq,
        -1 if body.safety is None else body.safety,
        check_reference("reason", body.reason),
    )
