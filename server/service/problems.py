"""From a refusal or an error to an RFC 9457 problem, for every way in; the table is ``domain.outcomes.OUTCOMES``."""

import re
from collections.abc import Callable
from typing import Final

import msgspec

from server.domain.answers import LineRefusal, Refused
from server.domain.field_faults import Fault, FaultsError
from server.domain.limits import SHORT_MAX, UNITS_MAX
from server.domain.outcomes import OUTCOMES
from server.schemas.problems import FieldProblem, LineProblem, Problem, QuotaProblem
from server.service.checks import InvalidError, UnknownBarcodeError
from server.store.errors import (
    DocumentsError,
    OrderTooWideError,
    OutcomeUnknownError,
    OverloadedError,
    StoreError,
    TooManyPlacesError,
)

OPERATING_ERRORS: Final = (StoreError, OverloadedError, OutcomeUnknownError, OrderTooWideError)
"""What keeps the ledger from answering: counted like an outcome, where it meets an operation."""
_NOT_OF_THE_KEY: Final = (
    "This reservation does not count for the quota of this key, so it cannot be made larger with it. Use a key without"
    " a quota, or make another reservation. Nothing changed."
)
_AT_PATH: Final = re.compile(r"^(?P<rule>.*?) - at `(?:key` in `)?\$(?P<path>.*)`$", re.DOTALL)
_ABOUT_A_FIELD: Final = re.compile(
    r"^Object (?P<what>contains unknown|missing required) field `(?P<name>.*)`$", re.DOTALL
)


class ProblemError(Exception):
    """Ends a request with this problem."""

    def __init__(self, problem: Problem, headers: dict[str, str] | None = None) -> None:
        self.problem = problem
        self.headers = headers
        super().__init__(problem.outcome)


def problem(
    outcome: str,
    detail: str = "",
    *,
    errors: list[FieldProblem] | None = None,
    lines: list[LineProblem] | None = None,
    state: str = "",
    reservation_id: str = "",
) -> Problem:
    """Make the problem of an outcome."""
    known = OUTCOMES[outcome]
    return Problem(
        type=f"/docs#{outcome}",
        title=known.title,
        status=known.status,
        detail=detail or known.detail,
        outcome=outcome,
        retryable=known.retryable,
        errors=errors or [],
        lines=lines or [],
        state=state,
        reservation_id=reservation_id,
    )


def refusal(refused: Refused, reservation_id: str = "") -> Problem:
    """Make the problem of what the ledger refused."""
    if refused.outcome == "invalid":
        return invalid("baseline_seq", "must be a seq that this server gave out")
    if refused.outcome == "quota_exceeded":
        return _quota_problem(refused.lines[0], refused.state, reservation_id)
    if refused.outcome == "order_known":
        return problem("order_known", reservation_id=refused.lines[0].similar if refused.lines else "")
    describe = _DETAILS.get(refused.outcome)
    detail = next(filter(None, map(describe, refused.lines)), "") if describe is not None else ""
    lines = [
        LineProblem(each.line, each.sku, each.location, each.requested, each.available, each.similar)
        for each in refused.lines
    ]
    return problem(refused.outcome, detail, lines=lines, state=refused.state, reservation_id=reservation_id)


def _quota_problem(line: LineRefusal, state: str, reservation_id: str) -> Problem:
    """Make the problem of a quota: how many units the key holds and may hold, of all or of a customer."""
    if not line.limit:
        return _never(problem("quota_exceeded", _NOT_OF_THE_KEY, state=state, reservation_id=reservation_id))
    used, asked, is_key = line.limit - line.available, line.requested, line.counter == "key"
    of_whom, fits = "" if is_key else " for this customer", asked <= line.limit
    if fits:
        detail = (
            f"This key holds {used:,} of {line.limit:,} units{of_whom}, and {asked:,} more"
            f" {'was' if asked == 1 else 'were'} requested. {OUTCOMES['quota_exceeded'].detail}"
        )
    else:
        detail = (
            f"This key may hold no more than {line.limit:,}{of_whom}, and {asked:,} more were requested at once."
            " Request fewer, or have the limit raised. Nothing changed."
        )
    quota = QuotaProblem("key" if is_key else "customer", used, line.limit, asked)
    made = problem("quota_exceeded", detail, state=state, reservation_id=reservation_id)
    return msgspec.structs.replace(made if fits else _never(made), quota=quota)


def _never(made: Problem) -> Problem:
    """Mark what the same request will be refused with for as long as the key is as it is."""
    return msgspec.structs.replace(made, retryable=False)


def _range_of(line: LineRefusal) -> str:
    """Say which counter of a SKU at a location has no room left, and what to do."""
    where = f"{line.sku} at {line.location}"
    if line.counter == "shortage":
        return (
            f"{where} may be short of {SHORT_MAX:,} units at most: it has room for {line.available:,} more, and"
            f" {line.requested:,} were ordered. Receive or count the units that are there, or order fewer. Nothing"
            " changed."
        )
    return (
        f"{line.counter} of {where} stays within {UNITS_MAX:,} units: it has room for {line.available:,} more, and"
        f" {line.requested:,} were asked for. Send a smaller quantity, or correct the stock with a count or an"
        " adjustment first. Nothing changed."
    )


def _likeness_of(line: LineRefusal) -> str:
    """Say which name is like a known one, and what to do."""
    return alike(line.counter, line.location if line.counter == "location" else line.sku, line.similar)


def alike(kind: str, name: str, similar: str) -> str:
    """Say that a name of a kind, ``sku`` or ``location``, would be new and is like a known one."""
    return (
        f"{'Location' if kind == 'location' else 'SKU'} {name} is not known, and is like {similar}; did you mean"
        f" {similar}? If it is another, send `allow_similar` true. Nothing changed."
    )


def _unknown_location_of(line: LineRefusal) -> str:
    """Say that a location is not there, which one may be meant, and what to do."""
    hint = f"; did you mean {line.similar}?" if line.similar else "."
    return (
        f"Locations are registered here, and {line.location} is not registered and has no stock{hint} Register it first"
        " with `PUT /v1/locations/{location}`, or send `allow_similar` true if it is to be new. Nothing changed."
    )


def _lines_there(line: LineRefusal) -> str:
    """Say which lines there are, where one was named that is not; empty where it is."""
    if line.counter != "line":
        return ""
    there = line.lines_there
    several = f"its lines have the numbers 1 to {there}"
    numbers = {0: "it has none", 1: "its only line has the number 1"}.get(there, several)
    return f"There is no such line: {numbers}. Nothing changed."


_DETAILS: Final[dict[str, Callable[[LineRefusal], str]]] = {
    "out_of_range": _range_of,
    "similar_name": _likeness_of,
    "unregistered_location": _unknown_location_of,
    "exceeds_remaining": _lines_there,
}
"""The details that name what was refused."""
_WITHOUT_DEADLINE: Final = {
    "edit": "An order has no deadline: leave `ttl_s` out, and its lines can be edited. Nothing changed.",
    "extend": "An order has no deadline: its units stay until they are shipped or cancelled. Nothing changed.",
}
"""What ``already_committed`` means to an operation that moves a deadline."""


def refusal_of(operation: str, refused: Refused, reservation_id: str) -> Problem:
    """Make the problem of an operation on a reservation that the ledger refused."""
    made = refusal(refused, reservation_id)
    detail = _WITHOUT_DEADLINE.get(operation, "") if refused.outcome == "already_committed" else ""
    return msgspec.structs.replace(made, detail=detail) if detail else made


def invalid(field: str, rule: str) -> Problem:
    """Make the problem of a field that breaks a rule."""
    return invalid_fields([Fault(field, rule)])


def invalid_fields(faults: list[Fault]) -> Problem:
    """Make the problem of one or more fields that break a rule; the detail has the first, ``errors`` has all."""
    field, rule = faults[0]
    others = len(faults) - 1
    more = f" `errors` lists {others} more." if others else ""
    return problem(
        "invalid", f"{field}: {rule}.{more} Nothing changed.", errors=[FieldProblem(*each) for each in faults]
    )


def of_error(error: Exception, reservation_id: str = "") -> Problem | None:
    """Make the problem of an operating error; None for a fault of the server."""
    match error:
        case ProblemError():
            return error.problem
        case InvalidError():
            return _of_field(error)
        case TooManyPlacesError() if not isinstance(error, OrderTooWideError):
            detail = f"It is about more than {error.places_max:,} places. {OUTCOMES['answer_too_large'].detail}"
            return problem("answer_too_large", detail)
        case msgspec.ValidationError():
            return invalid_fields(error.faults if isinstance(error, FaultsError) else [fault_of(error)])
        case StoreError() | DocumentsError():
            away = "store_unavailable" if isinstance(error, StoreError) else "documents_unavailable"
            return problem(away, f"{error} Nothing happened.", reservation_id=reservation_id)
    outcomes: dict[type[Exception], str] = {
        OverloadedError: "overloaded",
        OutcomeUnknownError: "outcome_unknown",
        OrderTooWideError: "sourcing_incomplete",
    }
    outcome = outcomes.get(type(error))
    return problem(outcome, reservation_id=reservation_id) if outcome else None


def _of_field(error: InvalidError) -> Problem:
    if isinstance(error, UnknownBarcodeError):
        return problem("unknown_barcode", errors=[FieldProblem(error.field, error.rule)])
    return invalid(error.field, error.rule)


def fault_of(error: msgspec.ValidationError) -> Fault:
    """Read where and what from the library's message: ``Expected `int` >= 1 - at `$.lines[0].quantity```."""
    found = _AT_PATH.match(str(error))
    rule, path = (found["rule"], found["path"].lstrip(".")) if found else (str(error), "")
    about = _ABOUT_A_FIELD.match(rule)
    if about is not None:
        path = f"{path}.{about['name']}".lstrip(".")
        rule = "is not known here" if about["what"] == "contains unknown" else "is required"
    return Fault(path or "body", rule.replace("`", ""))


def within(at: str, error: InvalidError) -> InvalidError:
    """Make the error of a part the error of the whole: its field is named as one below ``at``."""
    return type(error)(f"{at}.{error.field}", error.rule)
