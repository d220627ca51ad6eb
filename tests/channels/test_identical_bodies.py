"""A push that a channel would refuse as identical is arranged anew, without building an item twice."""

from collections.abc import Sequence

from adapters.contract.stock import Item
from server.channels.outbound.identical_bodies import ROTATIONS_MAX, Parcel, arrangements, first_new
from server.channels.outbound.in_flight import InFlight, Value
from server.channels.outbound.pending import PendingKey
from server.domain.channels import ChannelRules, Listing


def parcel(sku: str) -> Parcel:
    sent = InFlight(
        sku, sku, Value(1, "", ""), 1, PendingKey((1, 0), 0), False, None, Listing(sku, sku), ChannelRules()
    )
    return sent, sent.item()


def skus(parcels: Sequence[Parcel]) -> str:
    return "".join(sent.sku for sent, _ in parcels)


def orders(pushed: str, companions: str) -> list[str]:
    tried = arrangements([parcel(sku) for sku in pushed], [parcel(sku) for sku in companions])
    return [skus(each) for each in tried]


def test_orders_of_the_push_come_first_and_then_companions_at_either_end() -> None:
    assert orders("abc", "XY") == ["bca", "cab", "abcX", "Xabc", "abcY", "Yabc", "abcXY", "XYabc"]


def test_a_long_push_is_not_tried_in_every_order() -> None:
    assert len(orders("abcdefghijklmnop", "")) == ROTATIONS_MAX


def test_a_single_item_without_companions_has_no_other_arrangement() -> None:
    assert orders("a", "") == []


def test_the_first_arrangement_that_is_not_a_repetition_is_taken_with_the_items_as_they_were_built() -> None:
    parcels, refused = [parcel("a"), parcel("b")], list[Sequence[Item]]()

    def repeats(items: Sequence[Item]) -> bool:
        refused.append(items)
        return len(refused) < 2

    found = first_new(arrangements(parcels, [parcel("X")]), repeats)

    assert found is not None
    assert skus(found) == "abX"
    assert [found[0][1] is parcels[0][1], found[1][1] is parcels[1][1]] == [True, True]


def test_where_every_arrangement_is_a_repetition_there_is_none() -> None:
    assert first_new(arrangements([parcel("a"), parcel("b")], []), lambda _: True) is None
