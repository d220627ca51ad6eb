"""Which numbers of somebody else's list wait for a person."""

from collections.abc import Mapping

import pytest

from server.domain.sudden_changes import Change, ChangeRules, Place, is_within, suspicion_of_list, suspicions

A, B, C, D = (("A", "main"), ("B", "main"), ("C", "main"), ("D", "main"))


def many(change: Change, count: int = 100) -> dict[Place, Change]:
    return {(f"S{number}", "main"): change for number in range(count)}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ((1_000, 100), "fell"),
        ((1_000, 101), None),
        ((100, 1_000), "grew"),
        ((100, 999), None),
        ((3, 300), "grew"),
        ((40, 4), None),  # so few units come and go every day
        ((4, 40), None),
        ((0, 1_000_000), None),  # what was out of stock comes in
        ((1_000, 0), None),  # one that is sold out is judged with all others
        ((1_000, -5), None),
        ((1_000, 1_000), None),
    ],
)
def test_a_number_that_falls_or_grows_ten_fold_waits(change: Change, why: str | None) -> None:
    found = suspicions({A: change, **many((1_000, 990))})

    assert found == ({} if why is None else {A: why})


def test_the_factor_is_settable() -> None:
    changes = {A: (1_000, 200), **many((1_000, 990))}

    assert suspicions(changes) == {}
    assert suspicions(changes, ChangeRules(factor=5)) == {A: "fell"}


def test_where_more_than_a_tenth_falls_to_nothing_at_once_all_of_those_wait() -> None:
    ten, eleven = many((5, 0), 10), many((5, 0), 11)
    rest: Mapping[Place, Change] = {("T", str(number)): (5, 4) for number in range(90)}

    assert suspicions({**ten, **rest}) == {}
    assert suspicions({**eleven, **rest}) == dict.fromkeys(eleven, "zeroed")


def test_numbers_that_were_nothing_before_do_not_hide_that_all_others_fell_to_nothing() -> None:
    assert set(suspicions({**many((0, 0), 1_000), A: (5, 0), B: (5, 0), C: (7, -1), D: (9, 9)})) == {A, B, C}


def test_where_a_list_has_only_what_changed_the_others_count_too() -> None:
    sold_out = many((5, 0), 4)

    assert suspicions(sold_out) == dict.fromkeys(sold_out, "zeroed")
    assert suspicions(sold_out, others=[7] * 36 + [0] * 100) == {}
    assert suspicions(sold_out, others=[7] * 35) == dict.fromkeys(sold_out, "zeroed")
    assert suspicions(many((20, 2), 5)) == dict.fromkeys(many((20, 2), 5), "fell")
    assert suspicions(many((20, 2), 5), others=[100]) == {}


def test_a_few_of_few_may_sell_out_at_once() -> None:
    assert suspicions({A: (5, 0), B: (5, 0), C: (7, 7)}) == {}


def test_where_the_sum_grows_ten_fold_small_numbers_wait_too() -> None:
    found = suspicions(many((2, 20)))

    assert found == dict.fromkeys(many((2, 20)), "grew")


def test_where_the_sum_falls_ten_fold_small_numbers_wait_too() -> None:
    assert suspicions({**many((20, 2)), A: (3, 0)}) == dict.fromkeys(many((20, 2)), "fell")


@pytest.mark.parametrize(
    ("listed", "why"),
    [
        (range(100), None),
        (range(90), None),
        (range(89), "missing"),
        (range(50), "missing"),
        (range(0), "empty"),
        (range(111), None),
        (range(112), "strange"),
        (range(200, 300), "missing"),
    ],
)
def test_a_list_that_lacks_or_has_too_much_waits_as_a_whole(listed: range, why: str | None) -> None:
    known = {(f"S{number}", "main") for number in range(100)}

    assert suspicion_of_list(known, {(f"S{number}", "main") for number in listed}) == why


def test_an_empty_list_of_one_is_an_empty_list() -> None:
    assert suspicion_of_list({A}, set()) == "empty"
    assert suspicion_of_list(set(), {A, B}) is None


@pytest.mark.parametrize(
    ("change", "is_so"),
    [((1_000, 90), True), ((900, 500), True), ((1_000, 89), False), ((0, 90), True), ((1_000, 1_001), False)],
)
def test_what_was_confirmed_goes_as_far_as_that_and_no_further(change: Change, is_so: bool) -> None:
    assert is_within(change, (1_000, 90)) == is_so
