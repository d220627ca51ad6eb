"""Batches of the Python client: how they are split, and what is known of an element that was answered twice."""

from typing import Any, NamedTuple

import msgspec
import pytest

from holdfast import BatchInterrupted, Policy, Unavailable
from holdfast.batches import BODY_BYTES_MAX, Part, bodies, keyed_parts, newer, pages_in_order, results_in_order
from holdfast.calls import Call, read, sets
from holdfast.decisions import Wait
from holdfast.errors import HoldfastError, OutcomeUnknown, refusal
from holdfast.types import MovementResult, MovementResults, Problem

POLICY = Policy(tries_max=3)


def result(outcome: str, status: int = 0) -> MovementResult:
    return MovementResult(status=status or (200 if outcome == "moved" else 409), outcome=outcome)


def test_elements_keep_their_order_over_all_parts() -> None:
    found = list(bodies("movements", [{"sku": str(number)} for number in range(2_345)], 1_000))

    assert [count for _, count in found] == [1_000, 1_000, 345]
    decoded = [each["sku"] for raw, _ in found for each in msgspec.json.decode(raw)["movements"]]
    assert decoded == [str(number) for number in range(2_345)]


def test_a_body_is_never_larger_than_the_api_takes() -> None:
    elements = [{"reason": "ş" * 100_000} for _ in range(12)]

    found = list(bodies("movements", elements, 1_000))

    assert max(len(raw) for raw, _ in found) <= BODY_BYTES_MAX
    assert [count for _, count in found] == [5, 5, 2]


def test_an_element_that_is_too_large_by_itself_stands_alone() -> None:
    found = list(bodies("movements", [{"a": 1}, {"a": "x" * BODY_BYTES_MAX}, {"a": 2}], 1_000))

    assert [count for _, count in found] == [1, 1, 1]


def test_the_keys_of_parts_follow_from_that_of_the_batch() -> None:
    def keys(count: int) -> list[str]:
        return [part.call.key for part in keyed_parts("/p", MovementResults, "movements", [1] * count, 2, "k")]

    assert (keys(2), keys(5)) == (["k"], ["k.0", "k.1", "k.2"])
    with pytest.raises(ValueError, match="at most 128 characters"):
        keyed_parts("/p", MovementResults, "movements", [1] * 5, 2, "k" * 127)


@pytest.mark.parametrize(
    ("before", "now", "known"),
    [
        ("moved", "overloaded", "moved"),
        ("moved", "outcome_unknown", "moved"),
        ("outcome_unknown", "overloaded", "outcome_unknown"),
        ("overloaded", "outcome_unknown", "outcome_unknown"),
        ("overloaded", "store_unavailable", "store_unavailable"),
        ("outcome_unknown", "moved", "moved"),
        ("unknown_sku", "moved", "moved"),
        ("unknown_sku", "overloaded", "unknown_sku"),
        ("unknown_sku", "outcome_unknown", "outcome_unknown"),
    ],
)
def test_an_overload_never_hides_what_may_have_happened(before: str, now: str, known: str) -> None:
    assert newer(result(before), result(now)).outcome == known


class Driven(NamedTuple):
    value: Any
    calls: list[str]


def driven(elements: int, *answers: list[str] | HoldfastError) -> Driven:
    """Run a batch in parts of two, with these answers or errors in their order."""
    parts = keyed_parts("/p", MovementResults, "movements", list(range(elements)), 2, "k")
    plan = results_in_order(parts, lambda page: page.results, "k", POLICY)
    left, calls = list(answers), list[str]()
    value: Any = None
    error: HoldfastError | None = None
    while True:
        try:
            step = plan.send(value) if error is None else plan.throw(error)
        except StopIteration as done:
            return Driven([each.outcome for each in done.value], calls)
        except HoldfastError as raised:
            return Driven(raised, calls)
        value = error = None
        if isinstance(step, Wait):
            continue
        calls.append(step.key)
        answer = left.pop(0)
        if isinstance(answer, HoldfastError):
            error = answer
        else:
            value = MovementResults(results=[result(outcome) for outcome in answer])


def test_results_come_in_the_order_of_the_elements() -> None:
    assert driven(5, ["moved", "a"], ["b", "moved"], ["c"]) == (
        ["moved", "a", "b", "moved", "c"],
        ["k.0", "k.1", "k.2"],
    )


def test_elements_that_were_not_processed_are_tried_again_with_their_part_and_its_key() -> None:
    done = driven(4, ["overloaded", "moved"], ["moved", "moved"], ["moved", "moved"])

    assert done == (["moved"] * 4, ["k.0", "k.0", "k.1"])


def test_what_stays_unsettled_is_a_result() -> None:
    done = driven(2, ["outcome_unknown", "moved"], ["overloaded", "moved"], ["overloaded", "overloaded"])

    assert done == (["outcome_unknown", "moved"], ["k"] * 3)


REFUSED = refusal(Problem(type="", title="", status=401, detail="", outcome="unauthorized", retryable=False))
AWAY = Unavailable("away", "unreachable")
LOST = OutcomeUnknown(Call("POST", "/p", MovementResults, None), "lost")  # type: ignore[arg-type]  # not looked at


@pytest.mark.parametrize("error", [REFUSED, AWAY])
def test_where_nothing_happened_the_error_is_the_first_part_s(error: HoldfastError) -> None:
    assert driven(4, error).value is error


@pytest.mark.parametrize("error", [REFUSED, AWAY, LOST])
def test_where_some_is_done_the_error_has_it_and_the_key_with_which_to_go_on(error: HoldfastError) -> None:
    broken_off = driven(5, ["moved", "a"], error).value

    assert isinstance(broken_off, BatchInterrupted)
    assert broken_off.key == "k"
    assert [each and each.outcome for each in broken_off.results] == ["moved", "a", None, None, None]
    assert broken_off.cause is error
    assert "Part 2 of 3 " in str(broken_off)
    assert "2 of 5 elements have a result" in str(broken_off)


def test_a_refused_part_is_to_be_corrected_and_any_other_called_again_with_the_key() -> None:
    refused = str(driven(5, ["moved", "a"], REFUSED).value)
    lost = str(driven(5, ["moved", "a"], LOST).value)

    assert "was refused (unauthorized" in refused
    assert "send those without a result again, in a new call" in refused
    assert "idempotency_key" not in refused
    assert "Call it again with idempotency_key='k' and the same elements: what is done stays done." in lost


def put(*answers: object, reads: bool = False) -> Any:
    """Put a list in three requests, with these answers or errors in their order."""
    calls = [read("/p", MovementResults) if reads else sets("PUT", "/p", MovementResults) for _ in range(3)]
    plan = pages_in_order([Part(call, 1) for call in calls])
    next(plan)
    try:
        for answer in answers:
            plan.throw(answer) if isinstance(answer, HoldfastError) else plan.send(answer)
    except StopIteration as done:
        return done.value
    except HoldfastError as raised:
        return raised
    raise AssertionError("it wants another answer")


def test_lists_that_are_put_say_how_many_requests_were_answered() -> None:
    broken_off = put("page", REFUSED)

    assert isinstance(broken_off, BatchInterrupted)
    assert (broken_off.results, broken_off.key, broken_off.part, broken_off.parts) == (["page", None, None], "", 2, 3)
    assert "1 of 3 requests were answered. Correct the refused part, and call it again with all elements." in str(
        broken_off
    )
    assert "1 of 3 requests were answered. Call it again with the same elements" in str(put("page", AWAY))


@pytest.mark.parametrize("error", [REFUSED, AWAY])
def test_what_only_reads_has_nothing_that_is_done(error: HoldfastError) -> None:
    assert put("page", error, reads=True) is error


@pytest.mark.parametrize("elements", [1, 5])
def test_an_empty_key_is_none_for_a_batch_either(elements: int) -> None:
    with pytest.raises(ValueError, match="an idempotency_key has 1 to 128 printable ASCII characters"):
        keyed_parts("/p", MovementResults, "movements", [1] * elements, 2, "")


def test_a_lost_first_part_is_no_harmless_error() -> None:
    broken_off = driven(4, LOST).value

    assert isinstance(broken_off, BatchInterrupted)
    assert broken_off.key == "k"
