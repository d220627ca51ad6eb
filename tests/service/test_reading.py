"""Reading through the service: availability, expected receipts, locations, channels and events."""

from datetime import date

import pytest

from server.schemas.availability import AvailabilityQuery, AvailabilityQueryBody
from server.schemas.channels import ListingsQuery
from server.schemas.common import PositionBody
from server.schemas.expected_receipts import AtpQuery, ExpectedReceiptBody
from server.schemas.locations import LocationBody, NearbyQuery
from server.schemas.replenishment import EventsQuery
from server.schemas.stock import CountBody
from server.schemas.transfers import ArriveBody, ShipBody, TransferLineBody, TransferQuery
from server.service.availability import nearby, of_sku, of_skus
from server.service.caller import Caller
from server.service.channel_states import states
from server.service.checks import InvalidError
from server.service.events import events
from server.service.expected_receipts import expect_operation, forecast
from server.service.listings import find_listings
from server.service.locations import find_location, put_location
from server.service.movements import count_of
from server.service.problems import ProblemError
from server.service.transfers import arrive_operation, find_transfer, on_their_way, ship_operation

FAR_AHEAD = date(2099, 12, 1)


async def stocked(caller: Caller, location: str, on_hand: int) -> None:
    await caller.ledger.run(count_of(caller, "A", location, CountBody(on_hand)))


async def test_given_a_group_when_read_then_only_its_open_locations_count(caller: Caller) -> None:
    for name, is_open in (("one", True), ("two", False)):
        await put_location(caller, name, LocationBody(groups=["shops"], open=is_open))
        await stocked(caller, name, 3)

    found = await of_sku(caller, "A", AvailabilityQuery(group="shops"))

    assert found.among == frozenset({"one", "two"})
    assert sorted((each.location, each.available) for each in found.locations or ()) == [("one", 3), ("two", 0)]
    with pytest.raises(InvalidError, match="no location is in this group"):
        await of_sku(caller, "A", AvailabilityQuery(group="none"))


async def test_given_more_skus_than_one_question_takes_when_read_then_all_come_in_their_order(caller: Caller) -> None:
    await stocked(caller, "main", 3)
    skus = [f"S-{number}" for number in range(250)] + ["A"]

    found = await of_skus(caller, AvailabilityQueryBody(skus))

    assert [each.sku for each in found] == skus
    assert [each.sku for each in found if each.locations] == ["A"]


async def test_given_two_locations_when_asked_for_near_ones_then_the_nearest_is_first(caller: Caller) -> None:
    for name, lat in (("far", 10.0), ("near", 1.0)):
        await put_location(caller, name, LocationBody(position=PositionBody(lat, 0.0)))
        await stocked(caller, name, 3)

    _, near = await nearby(caller, "A", NearbyQuery(0.0, 0.0), decimals=3)

    assert [each.location.name for each in near] == ["near", "far"]
    assert await find_location(caller, "nowhere") is None


async def test_given_an_expected_receipt_when_forecast_then_its_day_has_more(caller: Caller) -> None:
    await stocked(caller, "main", 3)
    body = ExpectedReceiptBody(sku="A", quantity=7, expected_on=FAR_AHEAD)
    await caller.ledger.run(await expect_operation(caller, "po-1", body))

    found = await forecast(caller, "A", AtpQuery(from_=FAR_AHEAD, to=FAR_AHEAD))

    assert found is not None
    assert (found.available, [each.promisable for each in found.days]) == (3, [10])
    assert await forecast(caller, "unknown", AtpQuery()) is None


async def test_given_a_transfer_when_received_then_it_is_no_longer_on_its_way(caller: Caller) -> None:
    await stocked(caller, "main", 3)
    shipped = ShipBody(from_="main", to="shop", lines=[TransferLineBody(sku="A", quantity=2)])
    sent = await ship_operation(caller.with_key("k"), shipped)
    await caller.ledger.run(sent)

    before = await on_their_way(caller, TransferQuery())
    await caller.ledger.run(arrive_operation(caller, sent.transfer_id, ArriveBody()))
    after = await on_their_way(caller, TransferQuery())

    assert [name for name, _ in before.transfers] == [sent.transfer_id]
    assert after.transfers == []
    found = await find_transfer(caller, sent.transfer_id)
    assert found is not None
    assert found.state == "closed"


async def test_given_no_channel_when_named_then_it_is_a_problem_and_not_an_http_answer(caller: Caller) -> None:
    with pytest.raises(ProblemError) as raised:
        await find_listings(caller, "trendyol", ListingsQuery())

    assert raised.value.problem.outcome == "unknown_channel"
    assert (await states(caller)).statuses == {}


async def test_given_no_event_when_read_then_the_place_to_read_on_from_stays(caller: Caller) -> None:
    assert await events(caller, EventsQuery(after="0")) == ([], "0-0")
    assert await events(caller, EventsQuery(after="5-0")) == ([], "0-0"), "beyond the last event"
    with pytest.raises(InvalidError, match="after"):
        await events(caller, EventsQuery(after="nonsense"))
