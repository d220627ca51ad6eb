"""Reservations through the service, as a command or an order of a channel makes them."""

import pytest

from server.domain.answers import Refused
from server.domain.operations import ReservationOperation
from server.domain.operations.reservations import Reserve
from server.domain.reservation import Changed, Reservation
from server.schemas.locations import LocationBody
from server.schemas.problems import Problem
from server.schemas.reservations import (
    CancelBody,
    CommitBody,
    FulfilBody,
    ListQuery,
    OrderBody,
    PartBody,
    ReleaseBody,
    RelocateBody,
    RelocateLineBody,
    ReserveBody,
)
from server.schemas.returns_and_exchanges import ExchangeBody, ReturnBody, ReturnPartBody
from server.schemas.sourcing import SourcingBody
from server.schemas.stock import CountBody
from server.service import binding, returns
from server.service.caller import Caller
from server.service.checks import InvalidError
from server.service.locations import put_location
from server.service.movements import count_of
from server.service.reservations import (
    cancel_operation,
    commit_operation,
    find,
    fulfil_operation,
    make,
    order_operation,
    release_operation,
    relocate_operation,
    reserve_operation,
)
from server.service.reserve_many import reserve_operations
from tests.support.lines import line_body


def body(quantity: int = 1, **fields: object) -> ReserveBody:
    return ReserveBody(channel="web", lines=[line_body("TS-1", quantity)], **fields)  # type: ignore[arg-type]


async def stocked(caller: Caller, on_hand: int = 10, location: str = "main") -> None:
    await caller.ledger.run(count_of(caller, "TS-1", location, CountBody(on_hand)))


async def reserved(caller: Caller, asked: ReserveBody) -> Changed | Refused:
    return await make(caller, asked, reserve_operation(caller, asked))


async def performed(caller: Caller, operation: ReservationOperation) -> Changed | Refused:
    return await caller.partition.ledger.run(operation)


def state_of(answer: Changed | Refused) -> str:
    return answer.reservation.state if isinstance(answer, Changed) else answer.outcome


def changed(answer: Changed | Refused) -> Reservation:
    assert isinstance(answer, Changed), answer
    return answer.reservation


async def test_given_stock_when_reserved_without_http_then_the_units_are_held(caller: Caller) -> None:
    await stocked(caller)

    record = changed(await reserved(caller, body(3, reservation_id="basket-1")))

    found = await caller.partition.ledger.reservation("basket-1")
    assert found.reservation == record
    assert (record.state, record.actor, record.lines[0].held) == ("held", "local", 3)


async def test_given_too_few_units_when_reserved_then_the_refusal_is_a_value(caller: Caller) -> None:
    await stocked(caller, 2)

    answer = await reserved(caller, body(3))

    assert isinstance(answer, Refused)
    assert (answer.outcome, answer.lines[0].available) == ("out_of_stock", 2)


async def test_given_a_key_when_reserved_twice_then_there_is_one_effect(caller: Caller) -> None:
    await stocked(caller)
    keyed = caller.with_key("order-77")

    first, second = await reserved(keyed, body(3)), await reserved(keyed, body(3))
    other = await reserved(keyed, body(4))

    assert isinstance(first, Changed)
    assert isinstance(second, Changed)
    assert (first.replayed, second.replayed) == (False, True)
    assert state_of(other) == "id_reused"


async def test_given_no_key_when_reserved_twice_then_each_has_an_id_of_its_own(caller: Caller) -> None:
    first, second = reserve_operation(caller, body()), reserve_operation(caller, body())

    assert first.reservation_id != second.reservation_id
    assert first.fingerprint == second.fingerprint == ""


async def test_given_a_held_one_when_it_runs_its_course_then_each_step_is_one_operation(caller: Caller) -> None:
    await stocked(caller)
    await reserved(caller, body(4, reservation_id="r-1"))
    commit = CommitBody(lines=[PartBody(line=1, quantity=3)])
    fulfil = FulfilBody(lines=[PartBody(line=1, quantity=2)])

    states = [
        state_of(await binding.carry_out(caller, commit, commit_operation(caller, "r-1", commit))),
        state_of(await binding.carry_out(caller, fulfil, fulfil_operation(caller, "r-1", fulfil))),
        state_of(await performed(caller, cancel_operation(caller, "r-1", CancelBody()))),
        state_of(await performed(caller, release_operation(caller, "r-1", ReleaseBody()))),
    ]
    back = ReturnBody([ReturnPartBody(line=1, quantity=1, disposition="restock")])
    record = changed(await performed(caller, returns.return_operation(caller, "r-1", back)))

    assert states == ["committed", "committed", "fulfilled", "already_committed"]
    assert (record.lines[0].fulfilled, record.lines[0].returned) == (2, 1)


async def test_given_an_order_when_made_then_it_is_committed_at_once(caller: Caller) -> None:
    await stocked(caller)
    asked = OrderBody(channel="trendyol", lines=[line_body("TS-1", 2)])

    answer = await make(caller, asked, order_operation(caller, asked))

    assert state_of(answer) == "committed"


async def test_given_two_locations_when_sourced_then_the_store_chooses_the_one_with_units(caller: Caller) -> None:
    await stocked(caller, 0, "front")
    await stocked(caller, 5, "back")
    for name in ("front", "back"):
        await put_location(caller, name, LocationBody())
    asked = body(2, sourcing=SourcingBody("priority"))

    record = changed(await reserved(caller, asked))

    assert record.lines[0].location == "back"


async def test_given_a_closed_location_when_named_then_it_is_refused_and_so_is_moving_there(caller: Caller) -> None:
    await stocked(caller)
    await stocked(caller, 5, "shut")
    await put_location(caller, "shut", LocationBody(open=False))
    there = ReserveBody(channel="web", lines=[line_body("TS-1", 1, "shut")])
    await reserved(caller, body(1, reservation_id="r-1"))
    to_there = RelocateBody([RelocateLineBody(1, "shut")])

    refused = await reserved(caller, there)
    stays = await performed(caller, await relocate_operation(caller, "r-1", to_there))

    assert (state_of(refused), state_of(stays)) == ("location_closed", "location_closed")


async def test_given_shipped_units_when_exchanged_then_both_halves_happen(caller: Caller) -> None:
    await stocked(caller, 1)
    order = OrderBody(channel="web", lines=[line_body("TS-1", 1)], reservation_id="sold")
    await make(caller, order, order_operation(caller, order))
    await performed(caller, fulfil_operation(caller, "sold", FulfilBody()))
    asked = ExchangeBody(
        return_=ReturnBody([ReturnPartBody(line=1, quantity=1, disposition="restock")]), reservation=body(1)
    )

    answer = await returns.exchange(caller, await returns.exchange_request(caller, "sold", asked))

    assert type(answer).__name__ == "Exchanged"


async def test_given_a_batch_when_one_breaks_a_rule_then_it_alone_is_a_problem(caller: Caller) -> None:
    bad = ReserveBody(channel="web", lines=[line_body("line\nbreak", 1)])

    good, faulty = await reserve_operations(caller, [body(), bad])

    assert isinstance(good, Reserve)
    assert isinstance(faulty, Problem)
    assert [each.field for each in faulty.errors] == ["lines[0].sku"]


async def test_given_a_keyed_batch_when_made_then_each_item_has_a_key_of_its_own(caller: Caller) -> None:
    first, second = await reserve_operations(caller.with_key("batch"), [body(), body()])

    assert isinstance(first, Reserve)
    assert isinstance(second, Reserve)
    assert first.reservation_id != second.reservation_id
    assert first.reservation_id == reserve_operation(caller.with_key("batch/0"), body()).reservation_id


async def test_given_reservations_when_searched_then_they_come_by_page(caller: Caller) -> None:
    await stocked(caller)
    for number in range(3):
        await reserved(caller, body(1, reservation_id=f"r-{number}"))

    page = await find(caller, ListQuery(state="held", sku="TS-1"))

    assert sorted(name for name, _ in page.reservations) == ["r-0", "r-1", "r-2"]
    with pytest.raises(InvalidError, match="after"):
        await find(caller, ListQuery(after="nonsense"))
