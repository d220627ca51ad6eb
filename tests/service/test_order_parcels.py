"""Parcels of an order: what has left in which, whoever shipped it and however it is written down."""

import pytest

from server.channels.inbound.desk import ServiceDesk
from server.domain.channels import Listing
from server.domain.components import Component, known_by
from server.domain.order_parcels import Parcel, parcels_ahead
from server.service.caller import Caller
from server.store.repositories.channels import ChannelStore
from tests.support.channel_orders import CHANNEL, hear, line, told
from tests.support.operations import changed, fulfil, stocked


async def parcels(caller: Caller, number: str) -> list[Parcel]:
    return list(await ServiceDesk(caller.principal.partition, caller.partition).parcels(CHANNEL, number))


async def test_each_parcel_has_what_was_shipped_with_it(caller: Caller) -> None:
    await stocked(caller.ledger, A=9, B=9)
    await hear(caller, told("1", 10, line("l1", 3), line("l2", 2, sku="B")))

    await changed(caller.ledger, fulfil("market.1", (1, 1)))  # nobody says how
    await changed(caller.ledger, fulfil("market.1", (1, 1), tracking="T1", carrier="sled"))
    await changed(caller.ledger, fulfil("market.1", tracking="T2"))

    assert await parcels(caller, "1") == [
        Parcel("T1", "sled", (("l1", 1),), is_placed=True),
        Parcel("T2", "", (("l1", 1), ("l2", 2)), is_placed=True),
    ]


async def test_a_bundle_that_left_in_two_parcels_is_placed_in_neither(caller: Caller) -> None:
    await stocked(caller.ledger, A=9, B=9)
    listing = Listing(known_by("set"), "set", components=[Component("A", 1), Component("B", 2)])
    store = ChannelStore(caller.partition.client, caller.partition.keyspace)
    await store.put_listings(CHANNEL, [listing], "test")
    await hear(caller, told("1", 10, line("l1", 2, listing="set", sku="")))

    await changed(caller.ledger, fulfil("market.1", (1, 1), (2, 2), tracking="T1"))
    await changed(caller.ledger, fulfil("market.1", (1, 1), tracking="T2"))
    await changed(caller.ledger, fulfil("market.1", (2, 2), tracking="T3"))

    assert await parcels(caller, "1") == [
        Parcel("T1", "", (("l1", 1),), is_placed=True), Parcel("T2"), Parcel("T3")
    ]  # fmt: skip


async def test_what_the_channel_has_shipped_itself_is_no_parcel_of_ours_and_its_tracking_is_not_kept(
    caller: Caller,
) -> None:
    await stocked(caller.ledger, A=9)
    await hear(caller, told("1", 10, line("l1", 3)))
    await hear(caller, told("1", 20, line("l1", 3, shipped=2)))

    assert await parcels(caller, "1") == []
    assert await parcels(caller, "unknown") == []


@pytest.mark.parametrize(
    ("ahead", "whole", "expected"),
    [
        ({"a": 3}, False, [("T1", {"a": 1}), ("T2", {"a": 2})]),
        ({"a": 2}, False, [("T2", {"a": 2})]),
        ({"a": 3}, True, [("T2", {"a": 3})]),
        ({"b": 1}, False, []),
        ({}, False, []),
    ],
)
def test_what_was_not_told_is_in_the_parcels_that_left_last(
    ahead: dict[str, int], whole: bool, expected: list[tuple[str, dict[str, int]]]
) -> None:
    left = [Parcel("T1", "", (("a", 1),), is_placed=True), Parcel("T2", "", (("a", 2),), is_placed=True)]

    found = parcels_ahead(ahead, left, whole_lines=whole)

    assert [(parcel.tracking, lines) for parcel, lines in found] == expected


def test_what_is_in_no_parcel_that_is_known_is_told_with_the_last_one_of_which_that_is_not() -> None:
    known, older, newer = Parcel("T1", "", (("a", 1),), is_placed=True), Parcel("T2"), Parcel("T3")

    assert parcels_ahead({"b": 1}, [older, newer, known], whole_lines=False) == [(newer, {"b": 1})]
    assert parcels_ahead({"b": 1, "a": 1}, [older, newer, known], whole_lines=False) == [(known, {"a": 1})]
