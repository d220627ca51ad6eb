"""Transfers: units that leave one location are on their way until another has received them, or they are lost."""

from server.api.http.answer import Answer
from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.domain.operations.transfers import Arrive, CancelTransfer, Ship
from server.domain.principal import Scope
from server.domain.transfer import TransferChanged
from server.schemas.problems import Problem
from server.schemas.transfers import (
    ArriveBody,
    CancelTransferBody,
    ShipBody,
    TransferPageView,
    TransferQuery,
    TransferView,
    transfer_view,
)
from server.service import transfers
from server.service.likeness import told
from server.service.problems import problem, refusal

Shown = Answer[TransferView] | Problem


async def ship(call: Call) -> Shown:
    """Send units from one location to another."""
    body: ShipBody = call.body
    return await _changed(call, await transfers.ship_operation(call.caller, body))


async def receive(call: Call) -> Shown:
    """Receive units at the destination."""
    body: ArriveBody = call.body
    return await _changed(call, transfers.arrive_operation(call.caller, call.named("transfer_id"), body))


async def cancel(call: Call) -> Shown:
    """Take a transfer back that never left: its units are at the source again."""
    body: CancelTransferBody = call.body
    return await _changed(call, transfers.cancel_operation(call.caller, call.named("transfer_id"), body))


async def _changed(call: Call, operation: Ship | Arrive | CancelTransfer) -> Shown:
    answer = await told(call.caller, await call.caller.ledger.run(operation))
    if isinstance(answer, TransferChanged):
        view = transfer_view(operation.transfer_id, answer.transfer, answer.availability)
        return Answer(view, "replayed" if answer.replayed else answer.transfer.state)
    return refusal(answer)


async def read(call: Call) -> TransferView | Problem:
    """Read one transfer."""
    target = transfers.check_transfer_id(call.named("transfer_id"))
    found = await transfers.find_transfer(call.caller, target)
    return problem("unknown_transfer") if found is None else transfer_view(target, found)


async def read_many(call: Call) -> TransferPageView:
    """Read the transfers that are on their way, a page at a time."""
    page = await transfers.on_their_way(call.caller, call.query(TransferQuery))
    return TransferPageView([transfer_view(*each) for each in page.transfers], page.next)


_ONE = "/v1/transfers/{transfer_id}"

ROUTES = [
    Route(
        "POST", "/v1/transfers", ship, Scope.STOCK, "Send units from one location to another",
        {201: TransferView}, ShipBody,
        outcomes=(
            "id_reused", "unknown_barcode", "unknown_sku", "exceeds_available", "similar_name", "unregistered_location",
            "location_mirrored",
        ),
        headers=("Idempotency-Key",), operation="transfer_ship",
    ),
    Route(
        "GET", "/v1/transfers", read_many, Scope.READ, "Read the transfers that are on their way, page by page",
        {200: TransferPageView}, query=TransferQuery, outcomes=("invalid",), share=Share.REPORTS,
    ),
    Route(
        "GET", _ONE, read, Scope.READ, "Read one transfer", {200: TransferView},
        outcomes=("invalid", "unknown_transfer"),
    ),
    Route(
        "POST", _ONE + "/receive", receive, Scope.STOCK, "Receive units of a transfer, all or some",
        {200: TransferView}, ArriveBody,
        outcomes=(
            "id_reused", "unknown_transfer", "too_many_places", "transfer_closed", "exceeds_remaining", "out_of_range",
        ),
        headers=("Idempotency-Key",), operation="transfer_receive",
    ),
    Route(
        "POST", _ONE + "/cancel", cancel, Scope.STOCK, "Cancel a transfer that never left",
        {200: TransferView}, CancelTransferBody,
        outcomes=("id_reused", "unknown_transfer", "transfer_closed", "transfer_arrived", "out_of_range"),
        headers=("Idempotency-Key",), operation="transfer_cancel",
    ),
]  # fmt: skip
