"""Numbers that are late: kept, less and less, or nothing, and never more than they were."""

import pytest

from server.domain.late_numbers import LateRules

HOUR: float = 3_600.0


@pytest.mark.parametrize("then", ["keep", "decay", "zero"])
def test_a_number_that_is_not_late_stays(then: str) -> None:
    rules = LateRules(after_s=HOUR, then=then)  # type: ignore[arg-type]

    assert rules.left(7, HOUR) == 7
    assert LateRules(then=then).left(7, 1e9) == 7  # type: ignore[arg-type]


def test_what_is_kept_stays_however_late_it_is() -> None:
    rules = LateRules(after_s=HOUR)

    assert (rules.is_late(2 * HOUR), rules.left(7, 1e9)) == (True, 7)


def test_what_is_to_be_nothing_is_nothing_at_once() -> None:
    assert LateRules(after_s=HOUR, then="zero").left(1_000, HOUR + 0.1) == 0


@pytest.mark.parametrize(("late_s", "left"), [(0.1, 99), (HOUR, 50), (2 * HOUR, 25), (7 * HOUR, 0), (1e9, 0)])
def test_what_decays_halves_and_ends_at_nothing(late_s: float, left: int) -> None:
    assert LateRules(after_s=HOUR, then="decay", half_life_s=HOUR).left(100, HOUR + late_s) == left


@pytest.mark.parametrize("units", [0, -3])
def test_nothing_stays_nothing(units: int) -> None:
    assert LateRules(after_s=HOUR, then="zero").left(units, 1e9) == units
