"""What a channel is told, and the sentence that says why."""

import random

from server.domain.channels import ChannelRules, Listing
from server.domain.components import Component
from server.domain.publishable import publishable_pieces, why_pieces

LISTING = Listing("A", "a")


def why(available: dict[str, int], listing: Listing = LISTING, quantity_max: int | None = None, **rules: int) -> str:
    return why_pieces(ChannelRules(**rules), listing, lambda _: available, quantity_max)  # type: ignore[arg-type]


def test_each_rule_that_counts_is_named() -> None:
    assert why({"main": 12}) == "12 available"
    assert why({"main": 12}, buffer=2, percent=80) == "12 available, less buffer 2 is 10, 80 % of it is 8"
    assert why({"main": 12}, buffer=2, cap=5) == "12 available, less buffer 2 is 10, cap 5"
    assert why({"main": 12}, min_publish=20) == "12 available, below min_publish 20 none is shown"
    assert why({"main": -3}) == "-3 available, so none"
    assert why({}) == "no stock is known of it"
    assert why({"main": 70_000}, quantity_max=20_000) == "70000 available; the channel takes 20000 at most"
    assert why({"main": 5}, Listing("A", "a", listed=False)) == "0: it is not listed"


def test_locations_are_named_where_only_some_count() -> None:
    rules = ChannelRules(locations=["main", "izmir"])
    assert why_pieces(rules, LISTING, lambda _: {"main": 2, "izmir": 3, "depo": 9}) == "5 available at main and izmir"
    many = ChannelRules(locations=[f"l{n}" for n in range(6)])
    assert why_pieces(many, LISTING, lambda _: {"l1": 2}) == "2 available at 6 locations"


def test_the_parts_of_a_bundle_are_named() -> None:
    bundle = Listing("\0set", "set", components=[Component("A", 2), Component("B", 1)])
    pack = Listing("\0pack", "pack", components=[Component("A", 6)])
    units = {"A": {"main": 9}, "B": {"main": 3}}
    said = "the least of A for 4 of 2 each (9 available), B for 3 of 1 each (3 available)"
    assert why_pieces(ChannelRules(), bundle, units.__getitem__) == said
    assert why_pieces(ChannelRules(), pack, units.__getitem__) == "A for 1 of 6 each (9 available)"


def test_the_sentence_ends_with_the_number_that_is_told() -> None:
    chance = random.Random(5)
    for _ in range(500):
        rules = ChannelRules(
            buffer=chance.choice([0, 3]), percent=chance.choice([100, 70]), cap=chance.choice([None, 9])
        )
        units = {"main": chance.randrange(0, 40)}
        said = why_pieces(rules, LISTING, lambda _, units=units: units)  # type: ignore[misc]
        last = int(said.replace(" available", "").split()[-1])
        assert last == publishable_pieces(rules, LISTING, lambda _, units=units: units), said  # type: ignore[misc]
