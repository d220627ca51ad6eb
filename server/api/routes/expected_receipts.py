"""Expected receipts: what suppliers are to deliver, how much, and when."""

import msgspec
from aiohttp import web

from server.api.http import problems
from server.api.http.routing import Call, Route
from server.api.http.wire import parse_query, respond
from server.api.routes.reservation_answers import time_of
from server.domain.expected_receipt import ExpectedReceipt, ExpectedReceiptChanged
from server.domain.operations.base import fingerprint
from server.domain.operations.expected_receipts import Expect, Forgo
from server.domain.principal import Scope
from server.domain.stock import Outlook
from server.schemas.common import Location, Sku
from server.schemas.expected_receipts import ExpectedReceiptBody, ExpectedReceiptList, ExpectedReceiptView
from server.service.checks import check_location, check_reference, check_reservation_id, check_sku
from server.store.connection.timeouts import in_time
from server.store.repositories.expected_receipts import read_outlook, read_supply
from server.telemetry.request_tally import TALLY


def _view(supply_id: str, supply: ExpectedReceipt) -> ExpectedReceiptView:
    return ExpectedReceiptView(
        supply_id, supply.sku, supply.location, supply.quantity, supply.received, supply.expected, supply.expected_on,
        supply.reference,
    )  # fmt: skip


def _target(call: Call) -> str:
    return check_reservation_id("supply_id", call.request.match_info["supply_id"])


async def put(call: Call) -> web.StreamResponse:
    """Say what is to come, and when."""
    body: ExpectedReceiptBody = call.body
    target = _target(call)
    operation = Expect(
        fingerprint("expect", target, body) if call.key else "",
        call.principal.actor,
        call.key,
        target,
        check_sku("sku", body.sku),
        check_location("location", body.location),
        body.quantity,
        body.expected_on,
        check_reference("reference", body.reference),
    )
    return await _settled(call, "expect", operation)


async def drop(call: Call) -> web.StreamResponse:
    """Expect a receipt no longer; answers with what it was."""
    return await _settled(call, "forgo", Forgo("", call.principal.actor, "", _target(call)))


async def _settled(call: Call, name: str, operation: Expect | Forgo) -> web.Response:
    try:
        answer = await call.ledger.run(operation)
    except Exception as error:
        told = problems.of_error(error)
        if told is None:
            raise
        TALLY.outcome(name, told.outcome)
        raise problems.ProblemError(told) from error
    if isinstance(answer, ExpectedReceiptChanged):
        TALLY.outcome(name, "replayed" if answer.replayed else "changed")
        replayed = {"Idempotent-Replayed": "true"} if answer.replayed else None
        return respond(call.request, _view(operation.supply_id, answer.supply), headers=replayed)
    TALLY.outcome(name, answer.outcome)
    return problems.respond(problems.refusal(answer))


async def read(call: Call) -> web.StreamResponse:
    """Read one expected receipt."""
    target = _target(call)
    found = await in_time(read_supply(call.service.client, call.ledger.keyspace, target))
    if found is None:
        return problems.respond(problems.problem("unknown_supply"))
    return respond(call.request, _view(target, found))


class ExpectedReceiptQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of this SKU; at one location, or at all."""

    sku: Sku
    location: Location | None = None


async def outlook_of(call: Call, sku: str, location: str | None) -> Outlook:
    """Read what is available of a SKU and what is still to come, at one location or (None) at all."""
    place = "" if location is None else check_location("location", location)
    packed = call.service.retention.packed()
    return await in_time(read_outlook(call.service.client, call.ledger.keyspace, packed, check_sku("sku", sku), place))


async def read_many(call: Call) -> web.StreamResponse:
    """Read what is still to come of a SKU."""
    query: ExpectedReceiptQuery = parse_query(call.request, ExpectedReceiptQuery)
    found = await outlook_of(call, query.sku, query.location)
    return respond(call.request, ExpectedReceiptList([_view(*each) for each in found.supply], time_of(found.as_of_ms)))


_ONE = "/v1/supply/{supply_id}"

ROUTES = [
    Route(
        "PUT", _ONE, put, Scope.STOCK, "Say what is to come, and when",
        {200: ExpectedReceiptView}, ExpectedReceiptBody,
        outcomes=("id_reused",),
        headers=("Idempotency-Key",),
    ),
    Route(
        "GET", "/v1/supply", read_many, Scope.READ, "Read what is still to come of a SKU",
        {200: ExpectedReceiptList}, query=ExpectedReceiptQuery, outcomes=("invalid",),
    ),
    Route(
        "GET", _ONE, read, Scope.READ, "Read one expected receipt", {200: ExpectedReceiptView},
        outcomes=("invalid", "unknown_supply"),
    ),
    Route(
        "DELETE", _ONE, drop, Scope.STOCK, "Expect a receipt no longer", {200: ExpectedReceiptView},
        outcomes=("invalid", "unknown_supply"),
    ),
]  # fmt: skip
