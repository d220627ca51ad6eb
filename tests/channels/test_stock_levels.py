"""What rules make of a SKU is worked out once for all channels, and anew after whatever can change it."""

import random
from collections.abc import Callable

import pytest

from server.channels.outbound.stock_levels import StockLevels
from server.domain.aliases import LocationNames
from server.domain.allocations import Allocation
from server.domain.changes import Change, ChangeLine
from server.domain.channels import ChannelRules, publishable
from server.domain.locations import ClosedLocations

ALL = ChannelRules()
STORE = ChannelRules(locations=["store"])


@pytest.fixture
def levels() -> StockLevels:
    made = StockLevels()
    made.update("A", "main", 10, 1)
    made.update("A", "store", 4, 2)
    return made


def published(levels: StockLevels, rules: ChannelRules = ALL, channel: str = "shop") -> int:
    return levels.published("A", channel, levels.numbered(rules))


def test_rules_that_make_the_same_have_one_number_and_others_have_others(levels: StockLevels) -> None:
    same = [ChannelRules(cadence_s=cadence_s) for cadence_s in (0, 60)]
    other = [STORE, ChannelRules(buffer=1), ChannelRules(percent=50), ChannelRules(min_publish=2), ChannelRules(cap=3)]
    assert len({levels.numbered(each).number for each in same}) == 1
    assert len({levels.numbered(each).number for each in (*same, *other)}) == 1 + len(other)


def line(location: str, available: int, seq: int) -> ChangeLine:
    return ChangeLine(0, "A", location, 0, 0, 0, 0, 0, 0, available, seq)


def change(operation: str, *lines: ChangeLine, notes: list[tuple[str, str]] | None = None) -> Change:
    return Change(operation, 0, "tester", "", "", "", list(lines), notes or [])


def close(levels: StockLevels) -> None:
    levels.closed = ClosedLocations(1, frozenset({"store"}))


def rename(levels: StockLevels) -> None:
    levels.names = LocationNames({"store": "shop-floor"})


@pytest.mark.parametrize(
    ("happen", "of_all", "of_store"),
    [
        (lambda levels: levels.update("A", "store", 1, 3), 11, 1),
        (lambda levels: levels.update("A", "store", 1, 2), 14, 4),
        (lambda levels: levels.forget("A", "store"), 10, 0),
        (lambda levels: levels.follow(change("deleted", line("store", 0, 3))), 10, 0),
        (lambda levels: levels.follow(change("receive", line("new", 5, 3))), 19, 4),
        (close, 10, 0),
        (rename, 14, 4),
    ],
)
def test_what_changes_a_number_has_it_worked_out_anew(
    levels: StockLevels, happen: Callable[[StockLevels], None], of_all: int, of_store: int
) -> None:
    assert (published(levels), published(levels, STORE)) == (14, 4)
    happen(levels)
    assert (published(levels), published(levels, STORE)) == (of_all, of_store)
    assert (published(levels), published(levels, STORE)) == (of_all, of_store), "the second time it is kept"


def test_where_units_are_set_aside_each_channel_has_its_own_number(levels: StockLevels) -> None:
    assert (published(levels), published(levels, channel="pazar")) == (14, 14)
    levels.update("A", "main", 10, 3, [Allocation("shop", "own", 3, 0)])
    assert (published(levels), published(levels, channel="pazar")) == (14, 11)
    levels.update("A", "main", 10, 4)
    assert (published(levels), published(levels, channel="pazar")) == (14, 14)


def test_after_anything_at_random_a_number_is_what_the_rules_make_of_the_levels() -> None:
    choose, levels = random.Random(7), StockLevels()
    rules = [ALL, STORE, ChannelRules(buffer=2, percent=50), ChannelRules(cap=3, min_publish=1)]
    for seq in range(1, 3_001):
        sku, location = choose.choice("AB"), choose.choice(("main", "store", "depot"))
        match choose.randrange(8):
            case 0:
                levels.closed = ClosedLocations(seq, frozenset(choose.sample(("main", "store"), choose.randrange(3))))
            case 1:
                levels.forget(sku, location)
            case 2:
                levels.update(sku, location, choose.randrange(20), seq, [Allocation("shop", "own", 3, 0)])
            case _:
                levels.update(sku, location, choose.randrange(20), choose.choice((seq, seq - 5)))
        for each in rules:
            for channel in ("shop", "pazar"):
                expected = publishable(levels.meant(each), levels.available(sku, channel))
                assert levels.published(sku, channel, levels.numbered(each)) == expected


def test_what_is_kept_is_bounded() -> None:
    levels = StockLevels()
    for number in range(25_000):
        levels.update(str(number), "main", 1, number + 1)
        levels.published(str(number), "shop", levels.numbered(ALL))
    assert len(levels._published) <= 10_000
