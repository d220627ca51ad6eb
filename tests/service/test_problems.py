"""From an error to a problem, without HTTP: what a file's row and a request's body report alike."""

import msgspec
import pytest

from server.domain.outcomes import OUTCOMES
from server.schemas.stock import CountBody
from server.service.checks import InvalidError
from server.service.problems import OPERATING_ERRORS, ProblemError, of_error, problem, within
from server.store.errors import OutcomeUnknownError, OverloadedError, StoreUnavailableError


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (StoreUnavailableError("The store is away."), "store_unavailable"),
        (OverloadedError(), "overloaded"),
        (OutcomeUnknownError(), "outcome_unknown"),
    ],
)
def test_given_an_operating_error_when_it_becomes_a_problem_then_it_names_what_to_ask_for(
    error: Exception, outcome: str
) -> None:
    made = of_error(error, "r-1")

    assert isinstance(error, OPERATING_ERRORS)
    assert made is not None
    assert (made.outcome, made.reservation_id, made.status) == (outcome, "r-1", OUTCOMES[outcome].status)


def test_given_a_broken_rule_when_it_becomes_a_problem_then_the_field_is_named() -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.json.decode(b'{"on_hand": -1}', type=CountBody)

    of_type, of_check = of_error(raised.value), of_error(within("rows[2]", InvalidError("sku", "must be there")))

    assert of_type is not None
    assert of_check is not None
    assert of_type.errors[0].field == "on_hand"
    assert of_check.errors[0].field == "rows[2].sku"


def test_given_a_fault_of_the_program_when_asked_then_it_is_no_problem_of_the_caller() -> None:
    assert of_error(KeyError("x")) is None
    assert of_error(ProblemError(problem("unknown_sku"))) == problem("unknown_sku")
