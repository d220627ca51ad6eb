"""Transfers: units that leave one location are on their way until another has received them, or they are lost."""

from server.domain.operations.base import fingerprint
from server.domain.operations.stock import Disposition
from server.domain.operations.transfers import Arrive, ArrivedLine, CancelTransfer, Ship, TransferItem
from server.domain.transfer import Transfer
from server.schemas.transfers import ArriveBody, CancelTransferBody, ShipBody, TransferQuery
from server.service.caller import Caller
from server.service.checks import (
    InvalidError,
    check_cursor,
    check_id_in_path,
    check_location,
    check_reference,
    check_reservation_id,
    check_sku,
)
from server.service.likeness import as_asked, is_allowed
from server.service.reservations import id_of_key
from server.service.scans import find_here, known_pack, scan_instead, units_of
from server.store.connection.timeouts import in_time
from server.store.repositories import transfers
from server.store.repositories.barcodes import Pack
from server.store.repositories.location_names import read_location_names
from server.store.repositories.transfers import TransferPage


def check_transfer_id(transfer_id: str) -> str:
    """Return the id of the transfer that a path names."""
    return check_id_in_path("transfer_id", transfer_id)


def _identity(caller: Caller, body: ShipBody) -> tuple[str, str]:
    """Return the id under which a transfer is kept, and the fingerprint of its body; as for a reservation."""
    if body.transfer_id is not None:
        return check_reservation_id("transfer_id", body.transfer_id), fingerprint("ship", as_asked(body))
    if caller.key:
        return id_of_key("t", caller.key), fingerprint("ship", as_asked(body))
    return caller.partition.new_id(), ""


async def ship_operation(caller: Caller, body: ShipBody) -> Ship:
    """Make the operation that sends units from one location to another.

    Raises
    ------
    InvalidError
        A field breaks a rule.
    UnknownBarcodeError
        A barcode is not registered.
    StoreUnavailableError
        The barcodes could not be looked up. Nothing happened.

    """
    source, destination = check_location("from", body.from_), check_location("to", body.to)
    partition = caller.partition
    names = await in_time(read_location_names(partition.client, partition.keyspace))
    if names.current(source) == names.current(destination):
        raise InvalidError("to", "must be another location than from")
    lines = await _items(caller, body)
    transfer_id, body_fingerprint = _identity(caller, body)
    return Ship(
        body_fingerprint,
        caller.actor,
        caller.key,
        transfer_id,
        source,
        destination,
        lines,
        check_reference("reason", body.reason),
        is_allowed(body),
    )


async def _items(caller: Caller, body: ShipBody) -> list[TransferItem]:
    scans = [scan_instead(f"lines[{i}].", line.sku, line.barcode) for i, line in enumerate(body.lines)]
    found = await find_here(caller, scans)
    items = []
    for i, (line, scan) in enumerate(zip(body.lines, scans, strict=True)):
        pack = Pack(line.sku or "") if scan is None else known_pack(scan, found)
        units = units_of(f"lines[{i}].quantity", line.quantity, pack.factor)
        items.append(TransferItem(check_sku(f"lines[{i}].sku", pack.sku), units))
    return items


def arrive_operation(caller: Caller, transfer_id: str, body: ArriveBody) -> Arrive:
    """Make the operation that receives units at the destination.

    Raises
    ------
    InvalidError
        A field breaks a rule, the reason of a close is missing, or nothing is named.

    """
    target = check_transfer_id(transfer_id)
    if body.close and body.reason is None:
        raise InvalidError("reason", "is required with close: why the rest will never arrive")
    if body.lines is not None and not body.lines and not body.close:
        raise InvalidError("lines", "must name what arrived; left out: everything")
    lines = [ArrivedLine(each.line, each.quantity, Disposition(each.disposition)) for each in body.lines or []]
    return Arrive(
        caller.fingerprint("arrive", target, body),
        caller.actor,
        caller.key,
        target,
        lines,
        body.lines is None,
        body.close,
        check_reference("reason", body.reason),
    )


def cancel_operation(caller: Caller, transfer_id: str, body: CancelTransferBody) -> CancelTransfer:
    """Make the operation that takes a transfer back that never left.

    Raises
    ------
    InvalidError
        A field breaks a rule.

    """
    target = check_transfer_id(transfer_id)
    reason = check_reference("reason", body.reason)
    return CancelTransfer(
        caller.fingerprint("cancel_transfer", target, body), caller.actor, caller.key, target, reason
    )  # fmt: skip


async def find_transfer(caller: Caller, transfer_id: str) -> Transfer | None:
    """Read one transfer; ``transfer_id`` was checked.

    Raises
    ------
    StoreUnavailableError
        The store did not answer in time.

    """
    return await in_time(transfers.read_transfer(caller.partition.client, caller.partition.keyspace, transfer_id))


async def on_their_way(caller: Caller, query: TransferQuery) -> TransferPage:
    """Read the transfers that are on their way, a page at a time.

    Raises
    ------
    InvalidError
        ``after`` is not what a page returned as its next.
    StoreUnavailableError
        The store did not answer in time.

    """
    after = check_cursor("after", query.after)
    return await in_time(
        transfers.open_transfers(caller.partition.client, caller.partition.keyspace, after, query.limit)
    )
