"""Expected receipts: what suppliers are to deliver, how much, and when."""

from server.api.http.answer import Answer
from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.domain.expected_receipt import ExpectedReceiptChanged
from server.domain.operations.expected_receipts import Expect, Forgo
from server.domain.principal import Scope
from server.schemas.common import time_of
from server.schemas.expected_receipts import (
    ExpectedReceiptBody,
    ExpectedReceiptList,
    ExpectedReceiptQuery,
    ExpectedReceiptView,
    receipt_view,
)
from server.schemas.problems import Problem
from server.service import expected_receipts
from server.service.likeness import told
from server.service.problems import problem, refusal

Shown = Answer[ExpectedReceiptView] | Problem


async def put(call: Call) -> Shown:
    """Set what is to come, and when."""
    body: ExpectedReceiptBody = call.body
    return await _changed(call, await expected_receipts.expect_operation(call.caller, call.named("supply_id"), body))


async def drop(call: Call) -> Shown:
    """Expect a receipt no longer; answers with what it was."""
    return await _changed(call, expected_receipts.forgo_operation(call.caller, call.named("supply_id")))


async def _changed(call: Call, operation: Expect | Forgo) -> Shown:
    answer = await told(call.caller, await call.caller.ledger.run(operation))
    if isinstance(answer, ExpectedReceiptChanged):
        view = receipt_view(operation.supply_id, answer.supply)
        return Answer(view, "replayed" if answer.replayed else "changed")
    return refusal(answer)


async def read(call: Call) -> ExpectedReceiptView | Problem:
    """Read one expected receipt."""
    target = expected_receipts.check_supply_id(call.named("supply_id"))
    found = await expected_receipts.find_receipt(call.caller, target)
    return problem("unknown_supply") if found is None else receipt_view(target, found)


async def read_many(call: Call) -> ExpectedReceiptList:
    """Read what is still to come, a page at a time."""
    page = await expected_receipts.find_supply(call.caller, call.query(ExpectedReceiptQuery))
    return ExpectedReceiptList([receipt_view(*each) for each in page.found], time_of(page.as_of_ms), page.following)


_ONE = "/v1/supply/{supply_id}"

ROUTES = [
    Route(
        "PUT", _ONE, put, Scope.STOCK, "Set what is to come, and when",
        {200: ExpectedReceiptView}, ExpectedReceiptBody,
        outcomes=(
            "id_reused", "too_many_receipts", "unknown_barcode", "similar_name", "unregistered_location",
            "location_mirrored",
        ),
        headers=("Idempotency-Key",), operation="expect",
    ),
    Route(
        "GET", "/v1/supply", read_many, Scope.READ, "Read what is still to come, of one SKU or page by page of all",
        {200: ExpectedReceiptList}, query=ExpectedReceiptQuery, outcomes=("invalid",), share=Share.REPORTS,
    ),
    Route(
        "GET", _ONE, read, Scope.READ, "Read one expected receipt", {200: ExpectedReceiptView},
        outcomes=("invalid", "unknown_supply"),
    ),
    Route(
        "DELETE", _ONE, drop, Scope.STOCK, "Expect a receipt no longer", {200: ExpectedReceiptView},
        outcomes=("invalid", "id_reused", "unknown_supply"), headers=("Idempotency-Key",), operation="forgo",
    ),
]  # fmt: skip
