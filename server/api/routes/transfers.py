"""Transfers: units that leave one location are on their way until another has received them, or they are lost."""

from hashlib import blake2b
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from server.api.http import problems
from server.api.http.routing import Call, Route
from server.api.http.wire import parse_query, respond
from server.api.routes.reservation_answers import time_of
from server.domain import limits
from server.domain.operations.base import fingerprint
from server.domain.operations.stock import Disposition
from server.domain.operations.transfers import Arrive, ArrivedLine, Ship, TransferItem
from server.domain.principal import Scope
from server.domain.stock import Availability
from server.domain.transfer import Transfer, TransferChanged
from server.schemas.stock import AvailableView
from server.schemas.transfers import ArriveBody, ShipBody, TransferLineView, TransferPageView, TransferView
from server.service.checks import (
    InvalidError,
    check_cursor,
    check_location,
    check_reference,
    check_reservation_id,
    check_sku,
)
from server.store.connection.timeouts import in_time
from server.store.repositories import transfers
from server.telemetry.request_tally import TALLY


def _view(transfer_id: str, transfer: Transfer, left: list[Availability] | None = None) -> TransferView:
    return TransferView(
        transfer_id,
        transfer.state,  # type: ignore[arg-type]  # the script knows only these
        transfer.source,
        transfer.destination,
        time_of(transfer.shipped_ms),
        [
            TransferLineView(number, line.sku, line.quantity, line.received, line.lost, line.in_transit)
            for number, line in enumerate(transfer.lines, 1)
        ],
        time_of(transfer.closed_ms) if transfer.closed_ms else None,
        transfer.reason,
        transfer.lost_reason,
        [AvailableView(each.sku, each.location, each.available, each.seq) for each in left or []],
    )


def _target(call: Call) -> str:
    return check_reservation_id("transfer_id", call.request.match_info["transfer_id"])


def _identity(call: Call, body: ShipBody) -> tuple[str, str]:
    """Say under which id a transfer is kept, and the fingerprint of its body; as for a reservation."""
    if body.transfer_id is not None:
        return check_reservation_id("transfer_id", body.transfer_id), fingerprint("ship", body)
    if call.key:
        return "t" + blake2b(call.key.encode(), digest_size=16).hexdigest(), fingerprint("ship", body)
    return call.service.new_id(), ""


async def ship(call: Call) -> web.StreamResponse:
    """Send units from one location to another."""
    body: ShipBody = call.body
    source, destination = check_location("from", body.from_), check_location("to", body.to)
    if source == destination:
        raise InvalidError("to", "must be another location than from")
    lines = [
        TransferItem(check_sku(f"lines[{number}].sku", line.sku), line.quantity)
        for number, line in enumerate(body.lines)
    ]
    transfer_id, digest = _identity(call, body)
    reason = check_reference("reason", body.reason)
    operation = Ship(digest, call.principal.actor, call.key, transfer_id, source, destination, lines, reason)
    return await _settled(call, "transfer_ship", operation, 201)


async def receive(call: Call) -> web.StreamResponse:
    """Receive units at the destination."""
    body: ArriveBody = call.body
    target = _target(call)
    if body.close and body.reason is None:
        raise InvalidError("reason", "is required with close: why the rest will never arrive")
    if body.lines is not None and not body.lines and not body.close:
        raise InvalidError("lines", "must name what arrived; left out: everything")
    lines = [ArrivedLine(each.line, each.quantity, Disposition(each.disposition)) for each in body.lines or []]
    operation = Arrive(
        fingerprint("arrive", target, body) if call.key else "",
        call.principal.actor,
        call.key,
        target,
        lines,
        body.lines is None,
        body.close,
        check_reference("reason", body.reason),
    )
    return await _settled(call, "transfer_receive", operation, 200)


async def _settled(call: Call, name: str, operation: Ship | Arrive, status: int) -> web.Response:
    try:
        answer = await call.ledger.run(operation)
    except Exception as error:
        told = problems.of_error(error)
        if told is None:
            raise
        TALLY.outcome(name, told.outcome)
        raise problems.ProblemError(told) from error
    if isinstance(answer, TransferChanged):
        TALLY.outcome(name, "replayed" if answer.replayed else answer.transfer.state)
        view = _view(operation.transfer_id, answer.transfer, answer.availability)
        return respond(call.request, view, status, {"Idempotent-Replayed": "true"} if answer.replayed else None)
    TALLY.outcome(name, answer.outcome)
    return problems.respond(problems.refusal(answer))


async def read(call: Call) -> web.StreamResponse:
    """Read one transfer."""
    target = _target(call)
    found = await in_time(transfers.read_transfer(call.service.client, call.ledger.keyspace, target))
    if found is None:
        return problems.respond(problems.problem("unknown_transfer"))
    return respond(call.request, _view(target, found))


class TransferQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``after`` is the ``next`` of the page before."""

    after: Annotated[str, Meta(max_length=20)] = ""
    limit: Annotated[int, Meta(ge=1, le=limits.PAGE_RESERVATIONS_MAX)] = 50


async def read_many(call: Call) -> web.StreamResponse:
    """Read the transfers that are on their way, a page at a time."""
    query: TransferQuery = parse_query(call.request, TransferQuery)
    after = check_cursor("after", query.after)
    page = await in_time(transfers.open_transfers(call.service.client, call.ledger.keyspace, after, query.limit))
    return respond(call.request, TransferPageView([_view(*each) for each in page.transfers], page.next))


_ONE = "/v1/transfers/{transfer_id}"

ROUTES = [
    Route(
        "POST", "/v1/transfers", ship, Scope.STOCK, "Send units from one location to another",
        {201: TransferView}, ShipBody, outcomes=("id_reused", "unknown_sku", "exceeds_available"),
        headers=("Idempotency-Key",),
    ),
    Route(
        "GET", "/v1/transfers", read_many, Scope.READ, "Read the transfers that are on their way, page by page",
        {200: TransferPageView}, query=TransferQuery, outcomes=("invalid",),
    ),
    Route(
        "GET", _ONE, read, Scope.READ, "Read one transfer", {200: TransferView},
        outcomes=("invalid", "unknown_transfer"),
    ),
    Route(
        "POST", _ONE + "/receive", receive, Scope.STOCK, "Receive units of a transfer, all or some",
        {200: TransferView}, ArriveBody,
        outcomes=("id_reused", "unknown_transfer", "transfer_closed", "exceeds_remaining"),
        headers=("Idempotency-Key",),
    ),
]  # fmt: skip
