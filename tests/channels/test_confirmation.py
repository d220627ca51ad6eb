"""After a lost answer: done, not done, or left to a person, by the order as it was read."""

from typing import Any

import pytest

from adapters.contract import confirmation
from adapters.contract.orders import Done, NotDone, Order, OrderLine, Package, Refuse, Ship, Undecided


def order(ordered: int, cancelled: int = 0, shipped: int = 0, *packages: Package, **fields: Any) -> Order:
    line = OrderLine(key="1", ordered=ordered, cancelled=cancelled, shipped=shipped)
    return Order(key="A", changed_ms=1, complete=True, lines=(line,), packages=packages, **fields)


def parcel(pieces: int, state: Any = "shipped", tracking: str = "", key: str = "P") -> Package:
    return Package(key=key, state=state, lines=(("1", pieces),), tracking=tracking)


def ship(pieces: int = 2, **fields: Any) -> Ship:
    return Ship(order="A", lines=(("1", pieces),), **fields)


@pytest.mark.parametrize(
    ("command", "found", "wanted"),
    [
        (ship(), order(2), NotDone()),
        (ship(), order(2, 0, 0, parcel(2, "living")), NotDone()),
        (ship(), order(2, 0, 2, parcel(2)), Done(remote_id="P")),
        (ship(), order(3, 0, 2, parcel(2)), Done(remote_id="P")),  # it could not be sent once more
        (ship(), order(4, 0, 1, parcel(1)), NotDone()),
        (ship(tracking="X"), order(9, 0, 2, parcel(2, tracking="X")), Done(remote_id="P")),
        (ship(tracking="X"), order(9, 0, 2, parcel(2, tracking="Y")), NotDone()),
        (ship(package="P"), order(9, 0, 3, parcel(3)), Done(remote_id="P")),
        (ship(package="P"), order(9, 0, 3, parcel(3, key="Q")), NotDone()),
        (ship(), order(2, 0, 0, parcel(2, "dissolved")), NotDone()),
    ],
)
def test_a_shipment(command: Ship, found: Order, wanted: object) -> None:
    assert confirmation.shipment(command, found) == wanted


def test_an_equal_parcel_that_may_be_an_older_one_is_left_to_a_person() -> None:
    assert isinstance(confirmation.shipment(ship(), order(4, 0, 2, parcel(2))), Undecided)


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (order(3), NotDone()),
        (order(3, 1), NotDone()),
        (order(3, 2), Done()),
        (order(3, 3), Done()),
        (order(3, 0, 3, state="cancelled"), Done()),
    ],
)
def test_a_refusal_of_two(found: Order, wanted: object) -> None:
    assert confirmation.refusal(Refuse(order="A", lines=(("1", 2),)), found) == wanted


def test_a_refusal_that_may_be_an_older_one_is_left_to_a_person() -> None:
    assert isinstance(confirmation.refusal(Refuse(order="A", lines=(("1", 2),)), order(4, 2)), Undecided)


def test_a_refusal_of_several_requests_that_may_be_half_done_is_left_to_a_person() -> None:
    refuse = Refuse(order="A", lines=(("1", 2),))

    assert isinstance(confirmation.refusal(refuse, order(3, 1), in_parts=True), Undecided)
    assert confirmation.refusal(refuse, order(3), in_parts=True) == NotDone()
    assert confirmation.refusal(refuse, order(3, 3), in_parts=True) == Done()


def test_a_parcel_that_stands_ready_is_named() -> None:
    ready = order(4, 0, 0, parcel(1, "living", key="Q"), parcel(2, "living", "X"))

    assert confirmation.half_done(ship(tracking="X"), ready) == "P"
    assert confirmation.half_done(ship(tracking="Y"), ready) == ""
    assert confirmation.half_done(ship(1, tracking="Y"), ready) == ""
    assert confirmation.half_done(ship(1, tracking="Y"), ready, tracked_later=True) == "Q"
