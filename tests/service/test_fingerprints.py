"""The fingerprint of a request stays the same over an upgrade, so that a retry of it is still a replay."""

from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from server.domain.operations.base import fingerprint
from server.domain.operations.reservations import Order, Reserve
from server.domain.reservation import Changed, Reservation
from server.schemas.allocations import AllocationBody, AllocationMoveBody
from server.schemas.backorders import BackorderBody
from server.schemas.common import Body, LineBody
from server.schemas.expected_receipts import ExpectedReceiptBody
from server.schemas.reservations import (
    CancelBody,
    CommitBody,
    ExtendBody,
    FulfilBody,
    OrderBody,
    PartBody,
    ReleaseBody,
    RelocateBody,
    RelocateLineBody,
    ReserveBody,
)
from server.schemas.returns_and_exchanges import ExchangeBody, ReturnBody, ReturnPartBody
from server.schemas.sourcing import SourcingBody
from server.schemas.stock import AdjustMovement, CountBody, CountMovement, MoveMovement, ReceiveMovement
from server.schemas.transfers import ArriveBody, ArrivedBody, ShipBody, TransferLineBody
from server.service import movements
from server.service.backorders import backorder_operation
from server.service.caller import Caller
from server.service.expected_receipts import expect_operation
from server.service.reservations import make, order_operation, reserve_operation
from server.service.returns import exchange_request, return_operation
from server.service.transfers import ship_operation
from server.store.connection.commands import command
from tests.support import operations as ops

ALWAYS_THERE: Final[dict[type[Body], str]] = {
    LineBody: "sku quantity location",
    SourcingBody: "strategy group position splits_max",
    ReserveBody: "channel lines reservation_id ttl_s policy order_ref customer_ref flags",
    OrderBody: "channel lines reservation_id on_shortage policy order_ref customer_ref flags",
    PartBody: "line quantity",
    ExtendBody: "ttl_s",
    ReleaseBody: "lines",
    CancelBody: "lines reason",
    CommitBody: "lines remainder order_ref",
    FulfilBody: "lines tracking carrier invoice_ref",
    RelocateLineBody: "line to quantity",
    RelocateBody: "lines",
    ReturnPartBody: "line quantity disposition location",
    ReturnBody: "lines reason",
    CountBody: "on_hand baseline_seq safety reason",
    ReceiveMovement: "quantity sku barcode location supply_id reason",
    AdjustMovement: "sku quantity reason location bucket",
    CountMovement: "on_hand sku barcode location baseline_seq safety reason",
    MoveMovement: "sku quantity from to reason location",
    TransferLineBody: "sku quantity",
    ShipBody: "from to lines transfer_id reason",
    ArrivedBody: "line quantity disposition",
    ArriveBody: "lines close reason",
    ExpectedReceiptBody: "sku quantity expected_on location reference",
    AllocationBody: "units kind reason",
    AllocationMoveBody: "sku from_channel to_channel units location reason",
}
"""The fields that are in the fingerprint even where a request does not name them, in the order in which they count."""


@pytest.mark.parametrize("body", ALWAYS_THERE, ids=lambda body: body.__name__)
def test_a_field_that_a_body_gained_is_not_in_the_fingerprint_of_a_request_without_it(body: type[Body]) -> None:
    fields = [field.encode_name for field in msgspec.structs.fields(body) if field.default is not msgspec.UNSET]

    assert fields == ALWAYS_THERE[body].split(), "the default of a new field must be msgspec.UNSET"


PART: Final = {"line": 1, "quantity": 2}


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (CommitBody, {"lines": [PART], "remainder": "release", "order_ref": None}),
        (ReleaseBody, {"lines": [PART]}),
        (CancelBody, {"lines": [PART], "reason": None}),
        (FulfilBody, {"lines": [PART], "tracking": None, "carrier": None, "invoice_ref": None}),
        (ReturnBody, {"lines": [{**PART, "disposition": "restock", "location": None}], "reason": None}),
    ],
)
def test_parts_by_line_have_the_fingerprint_of_a_release_that_knew_no_others(
    body: type[Body], sent: dict[str, Any]
) -> None:
    assert fingerprint("it", "o", msgspec.convert(sent, body)) == fingerprint("it", "o", sent)


EARLIER: Final[list[dict[str, Any]]] = msgspec.json.decode(
    Path(__file__).with_name("requests_of_an_earlier_release.json").read_bytes()
)
"""Requests of commit aa0474c, where an order without a location could be taken from ``main`` alone: each with the
fingerprint and the id that it gave them, and the record that its scripts wrote, in hexadecimal."""


def _request(caller: Caller, earlier: dict[str, Any]) -> tuple[ReserveBody | OrderBody, Reserve | Order]:
    if earlier["operation"] == "reserve":
        reserve = msgspec.convert(earlier["body"], ReserveBody)
        return reserve, reserve_operation(caller, reserve)
    order = msgspec.convert(earlier["body"], OrderBody)
    return order, order_operation(caller, order)


@pytest.mark.parametrize("earlier", EARLIER, ids=lambda earlier: earlier["key"])
async def test_given_a_request_of_an_earlier_release_when_sent_again_then_it_is_a_replay(
    caller: Caller, earlier: dict[str, Any]
) -> None:
    keyed = caller.with_key(earlier["key"])
    body, operation = _request(keyed, earlier)
    assert (operation.fingerprint, operation.reservation_id) == (earlier["fingerprint"], earlier["reservation_id"])
    kept = bytes.fromhex(earlier["record"])
    keys = caller.partition.keyspace
    # Elsewhere, and not where the record has them: what is made again would be another answer.
    await ops.moved(caller.ledger, ops.receive("S", 99, "ankara"))
    await command(caller.partition.client, "HSET", keys.reservations, operation.reservation_id, kept)

    answer = await make(keyed, body, operation)

    assert isinstance(answer, Changed), answer
    first = msgspec.msgpack.decode(kept, type=Reservation)
    assert (answer.replayed, answer.reservation) == (True, first)
    assert await ops.available(caller.ledger, "S", "ankara") == 99


async def _asked(caller: Caller, *, allow_similar: bool) -> list[str]:
    """Return the fingerprints of requests that may make names known."""
    more: dict[str, Any] = {"allow_similar": True} if allow_similar else {}
    line = {"line": 1, "quantity": 1, "disposition": "restock"}
    back = msgspec.convert({"lines": [line], **more}, ReturnBody)
    exchange = {"return": {"lines": [line], **more}, "order": {"channel": "w", "lines": [{"sku": "A", "quantity": 1}]}}
    ship = {"from": "a", "to": "b", "lines": [{"sku": "A", "quantity": 1}], "transfer_id": "t", **more}
    expect = {"sku": "A", "quantity": 1, "expected_on": "2030-01-01", **more}
    receive = ReceiveMovement(quantity=1, sku="A", **more)
    moved = [
        movements.operation_of(caller, each, None, {}) for each in (receive, CountMovement(on_hand=1, sku="A", **more))
    ]
    made: list[Any] = [
        movements.count_of(caller, "A", "main", CountBody(on_hand=1, **more)),
        *(operation for each in moved if each for operation in each[1:]),
        return_operation(caller, "r", back),
        (await exchange_request(caller, "r", msgspec.convert(exchange, ExchangeBody))).returned,
        await ship_operation(caller, msgspec.convert(ship, ShipBody)),
        await expect_operation(caller, "s", msgspec.convert(expect, ExpectedReceiptBody)),
        backorder_operation(caller, "A", "main", BackorderBody("backorder", 1, **more)),
    ]
    assert {each.allow_similar for each in made} == {allow_similar}
    return [each.fingerprint for each in made]


async def test_that_names_are_meant_is_in_no_fingerprint(caller: Caller) -> None:
    caller = caller.with_key("k")
    without = await _asked(caller, allow_similar=False)

    assert await _asked(caller, allow_similar=True) == without
    assert all(without)
