"""What to order: the pure rules, and the lines that stock crosses."""

import math
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.alerts import ALERTS, crossed
from server.domain.replenishment import Proposal, Rule, propose, rule_for, urgency

UNITS: Final = st.integers(0, 1_000)
AVAILABLE: Final = st.integers(-200, 1_000)
PER_DAY: Final = st.floats(0, 100)
DAYS: Final = st.floats(0, 60)
RULES: Final = st.builds(Rule, reorder_point=UNITS, target=UNITS, lead_time_days=DAYS, cover_days=DAYS)


def proposed(rule: Rule, available: int, per_day: float = 0.0, incoming: int = 0) -> int:
    found = propose(rule, "A", "main", available=available, per_day=per_day, incoming=incoming)
    return found.quantity if found is not None else 0


def test_given_more_than_the_reorder_point_then_nothing_is_proposed() -> None:
    assert proposed(Rule(reorder_point=5, target=20), 6) == 0


@pytest.mark.parametrize(("available", "quantity"), [(5, 15), (0, 20), (-3, 23)])
def test_given_the_reorder_point_or_less_then_what_is_missing_to_the_target_is_proposed(
    available: int, quantity: int
) -> None:
    assert proposed(Rule(reorder_point=5, target=20), available) == quantity


def test_given_a_velocity_then_what_is_sold_while_the_delivery_comes_counts() -> None:
    rule = Rule(reorder_point=5, target=20, lead_time_days=7, cover_days=14)

    assert proposed(rule, 14, per_day=2.0) == 2 * 21 - 14
    assert proposed(rule, 15, per_day=2.0) == 0


def test_given_a_velocity_of_a_tenth_then_thirty_days_are_three_units() -> None:
    assert proposed(Rule(lead_time_days=30), 0, per_day=0.1) == 3


@given(rule=RULES, available=AVAILABLE, per_day=PER_DAY, incoming=UNITS)
def test_what_is_proposed_brings_the_stock_to_the_target_and_never_beyond(
    rule: Rule, available: int, per_day: float, incoming: int
) -> None:
    found = propose(rule, "A", "main", available=available, per_day=per_day, incoming=incoming)

    if found is None:
        assert available + incoming >= min(rule.reorder_point, rule.target)
        assert available + incoming >= math.floor(per_day * rule.lead_time_days)
    else:
        assert found.quantity > 0
        assert available + incoming + found.quantity == found.target
        assert available + incoming <= found.reorder_point <= found.target
        assert found.target >= rule.target


@given(rule=RULES, available=AVAILABLE, per_day=PER_DAY)
def test_once_it_is_ordered_nothing_more_is_proposed(rule: Rule, available: int, per_day: float) -> None:
    quantity = proposed(rule, available, per_day)

    assert proposed(rule, available, per_day, incoming=quantity) == 0


@given(rule=RULES, available=AVAILABLE, slower=PER_DAY, faster=PER_DAY)
def test_what_sells_faster_is_never_ordered_less(rule: Rule, available: int, slower: float, faster: float) -> None:
    slower, faster = sorted((slower, faster))

    assert proposed(rule, available, slower) <= proposed(rule, available, faster)


@given(rule=RULES, less=AVAILABLE, more=AVAILABLE, per_day=PER_DAY)
def test_where_there_is_less_there_is_never_ordered_less(rule: Rule, less: int, more: int, per_day: float) -> None:
    less, more = sorted((less, more))

    assert proposed(rule, less, per_day) >= proposed(rule, more, per_day)


def test_the_nearest_rule_holds() -> None:
    both, sku, place, every = (Rule(target=units) for units in (1, 2, 3, 4))
    rules = {("A", "m"): both, ("A", ""): sku, ("", "m"): place, ("", ""): every}

    assert [rule_for(rules, *where) for where in (("A", "m"), ("A", "n"), ("B", "m"), ("B", "n"))] == [
        both,
        sku,
        place,
        every,
    ]
    assert rule_for({("A", "m"): both}, "B", "n") is None


def test_what_is_gone_soonest_comes_first() -> None:
    proposals = [
        Proposal("still", "m", 5, 0, 0.0, 5, 9, 4),
        Proposal("slow", "m", 5, 0, 1.0, 5, 9, 4),
        Proposal("out", "m", 0, 0, 0.5, 5, 9, 9),
        Proposal("fast", "m", 5, 0, 5.0, 5, 9, 4),
    ]

    assert [each.sku for each in sorted(proposals, key=urgency)] == ["out", "fast", "slow", "still"]


# -- lines that are crossed


@pytest.mark.parametrize(
    ("was", "now", "events"),
    [
        (9, 6, ()),
        (9, 5, ("stock.low",)),
        (5, 4, ()),
        (4, 6, ()),
        (6, 5, ("stock.low",)),
        (4, 0, ("stock.out",)),
        (9, 0, ("stock.out",)),
        (9, -2, ("stock.out",)),
        (0, -2, ()),
        (-2, -3, ()),
        (-2, 0, ()),
        (0, 1, ("stock.back",)),
        (-2, 9, ("stock.back",)),
    ],
)
def test_a_line_is_reported_when_it_is_crossed(was: int, now: int, events: tuple[str, ...]) -> None:
    assert crossed(was, now, 5) == events


@given(levels=st.lists(st.integers(-9, 15)), point=st.integers(0, 9))
def test_no_line_is_reported_twice_without_the_other_side_between(levels: list[int], point: int) -> None:
    other_side = {
        "stock.low": lambda level: level > point,
        "stock.out": lambda level: level > 0,
        "stock.back": lambda level: level <= 0,
    }
    ready = dict.fromkeys(ALERTS, True)
    was = 0
    for now in levels:
        for alert in ALERTS:
            ready[alert] = ready[alert] or other_side[alert](was)
        for alert in crossed(was, now, point):
            assert ready[alert]
            ready[alert] = False
        was = now
