"""Available to promise by day, against a brute force that tries each reservation on every day there is."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from server.domain.available_to_promise import AtpDay, Dated, available_to_promise, late

TODAY: Final = date(2026, 11, 27)
FAR: Final = 40
"""Days after today that anything here is dated to, at most."""


def day(number: int) -> date:
    return TODAY + timedelta(days=number)


amounts = st.lists(st.builds(Dated, on=st.integers(-5, FAR).map(day), units=st.integers(1, 30)), max_size=8)
starts = st.integers(-60, 60)


def balance(available: int, supply: Sequence[Dated], demand: Sequence[Dated], on: date) -> int:
    """Return what there is at the end of a day, counted one by one."""
    units = available
    for each in supply:
        if TODAY <= each.on <= on:
            units += each.units
    for each in demand:
        if each.on <= on:
            units -= each.units
    return units


def is_reservable(available: int, supply: Sequence[Dated], demand: Sequence[Dated], on: date, units: int) -> bool:
    """Return whether one more reservation leaves no day short, from its own on."""
    more = [*demand, Dated(on, units)]
    return all(balance(available, supply, more, day(number)) >= 0 for number in range(FAR + 2) if day(number) >= on)


def projected(
    available: int, supply: Sequence[Dated], demand: Sequence[Dated], first: int = 0, last: int = FAR
) -> list[AtpDay]:
    return available_to_promise(available, supply, demand, today=TODAY, start=day(first), end=day(last))


@given(available=starts, supply=amounts, demand=amounts)
@settings(max_examples=100, deadline=None)
def test_given_any_supply_and_demand_when_projected_then_each_day_is_as_the_brute_force_finds_it(
    available: int, supply: list[Dated], demand: list[Dated]
) -> None:
    for each in projected(available, supply, demand):
        assert each.projected == balance(available, supply, demand, each.on)
        if each.promisable:
            assert is_reservable(available, supply, demand, each.on, each.promisable)
        assert not is_reservable(available, supply, demand, each.on, each.promisable + 1)


@given(available=starts, supply=amounts, demand=amounts, first=st.integers(0, FAR), days=st.integers(0, FAR))
@settings(max_examples=100, deadline=None)
def test_given_any_part_of_the_days_when_projected_then_each_is_as_in_the_whole(
    available: int, supply: list[Dated], demand: list[Dated], first: int, days: int
) -> None:
    last = min(FAR, first + days)
    assert projected(available, supply, demand, first, last) == projected(available, supply, demand)[first : last + 1]


@given(
    available=st.integers(0, 60),
    supply=amounts,
    requests=st.lists(st.tuples(st.integers(0, FAR), st.integers(1, 40)), max_size=20),
)
@settings(max_examples=100, deadline=None)
def test_given_reservations_for_any_days_when_made_one_after_the_other_then_none_makes_an_earlier_one_impossible(
    available: int, supply: list[Dated], requests: list[tuple[int, int]]
) -> None:
    reserved: list[Dated] = []
    for number, wanted in requests:
        units = min(wanted, projected(available, supply, reserved)[number].promisable)
        reserved.append(Dated(day(number), units))
        assert all(each.projected >= 0 for each in projected(available, supply, reserved))


def test_given_late_supply_when_projected_then_it_counts_for_nothing() -> None:
    supply = [Dated(day(-1), 5), Dated(day(0), 2), Dated(day(1), 3)]
    assert [each.projected for each in projected(10, supply, [], 0, 2)] == [12, 15, 15]
    assert late(supply, TODAY) == 5


def test_given_late_demand_when_projected_then_it_is_still_owed() -> None:
    assert projected(10, [], [Dated(day(-3), 4)], 0, 0) == [AtpDay(TODAY, 6, 6)]


def test_given_demand_beyond_the_days_asked_for_when_projected_then_its_units_are_kept_for_it() -> None:
    demand = [Dated(day(35), 8)]
    assert projected(10, [], demand, 0, 1) == [AtpDay(day(0), 10, 2), AtpDay(day(1), 10, 2)]


def test_given_more_reserved_than_there_is_when_projected_then_a_receipt_first_makes_up_for_it() -> None:
    days = projected(-5, [Dated(day(2), 12)], [], 0, 2)
    assert [(each.projected, each.promisable) for each in days] == [(-5, 0), (-5, 0), (7, 7)]
