"""From a refusal or an error to an RFC 9457 problem, for every way in; the table is ``domain.outcomes.OUTCOMES``."""

import re
from typing import Final

import msgspec

from server.domain.outcomes import OUTCOMES, Refused
from server.schemas.problems import FieldProblem, LineProblem, Problem
from server.service.checks import InvalidError
from server.store.errors import OutcomeUnknownError, OverloadedError, StoreError

OPERATING_ERRORS: Final = (StoreError, OverloadedError, OutcomeUnknownError)
"""What keeps the ledger from answering: counted like an outcome, where it meets an operation."""
_AT_PATH: Final = re.compile(r"^(?P<rule>.*?) - at `(?:key` in `)?\$(?P<path>.*)`$", re.DOTALL)
_ABOUT_A_FIELD: Final = re.compile(
    r"^Object (?P<what>contains unknown|missing required) field `(?P<name>.*)`$", re.DOTALL
)

DETAILS: Final = {
    "unauthorized": "Send an API key: Authorization: Bearer hf_<id>_<secret>. `holdfast keys new` makes one.",
    "not_found": "There is nothing here; /docs lists what there is.",
    "too_large": "Send less at once; /docs tells each route's limit.",
    "request_timeout": "The body did not arrive in time; nothing happened. Send it again.",
    "unsupported_media_type": "Send application/json or application/msgpack, not compressed.",
    "id_reused": "The same key came before with another body. Use a new key, or send the first body again.",
    "unknown_channel": "No channel of that name is configured in this partition. Name it in the configuration file.",
    "unknown_reservation": "It never existed in this partition, or ended so long ago that it was forgotten.",
    "unknown_location": "Describe it with PUT first. Units can be received there all the same: it counts as open.",
    "unknown_transfer": "It never existed in this partition, or was closed so long ago that it was forgotten.",
    "unknown_supply": "Nobody said that it would come, it is another SKU's, or it came long ago and was forgotten.",
    "unknown_barcode": "Nobody said what this barcode stands for. Put it first, or name the SKU.",
    "unknown_sku": "Nothing was ever received or counted there. Import or receive it first.",
    "already_committed": "The units are ordered: cancel them, or do nothing.",
    "already_released": "The units were given back; reserve anew.",
    "expired": "The hold ended at its deadline and the units are not held any more; reserve anew.",
    "not_held": "Nothing is held any more; reserve anew.",
    "not_committed": "Nothing is committed that could be cancelled or shipped.",
    "unknown_allocation": "GET /v1/stock/{sku} shows what channels have for themselves; nothing changed.",
    "allocation_differs": "Give the other channel the same kind first, or take back what it has; nothing changed.",
    "too_many_allocations": "Take back what a channel has there and does not need; nothing changed.",
    "transfer_closed": "All of it was received or written off. If units turn up after all, receive them as a movement.",
    "not_open": "Those lines do not wait for an address any more: move them, or name where they lie.",
    "not_fulfilled": "Nothing was shipped, so nothing can come back: release or cancel what is promised.",
    "exceeds_remaining": "More than what is left was named; nothing changed. Read it and name less.",
    "exceeds_bucket": "There are not as many units where they should be taken from; nothing changed.",
    "baseline_expired": "Too much has moved since the baseline to keep apart; read the stock and count again.",
    "too_many_lines": "Each move to another location can add a line. Nothing changed; move fewer lines.",
    "location_closed": "No new promises are made there; nothing is held. Name another location, or open it.",
    "too_many_splits": "No so many locations have everything together. Allow more splits_max, or take less.",
    "exceeds_available": "What is promised, or set aside for channels, is not to be had; nothing changed. Take less.",
    "out_of_stock": "There are not enough units; nothing is held.",
    "overloaded": "Too many operations are waiting. Nothing happened; try again after Retry-After.",
    "outcome_unknown": "It may or may not have happened. Send the same request again with the same key to find out.",
    "internal_error": "A fault of the server, which has been logged. Send the same request again with the same key.",
}


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
        detail=detail or DETAILS[outcome],
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
    lines = [LineProblem(each.line, each.sku, each.location, each.requested, each.available) for each in refused.lines]
    return problem(refused.outcome, lines=lines, state=refused.state, reservation_id=reservation_id)


def invalid(field: str, rule: str) -> Problem:
    """Make the problem of a field that breaks a rule."""
    return problem("invalid", f"{field}: {rule}. Nothing changed.", errors=[FieldProblem(field, rule)])


def of_error(error: Exception, reservation_id: str = "") -> Problem | None:
    """Make the problem of an operating error; None for a fault of the server."""
    match error:
        case ProblemError():
            return error.problem
        case InvalidError():
            return invalid(error.field, error.rule)
        case msgspec.ValidationError():
            return _of_validation(error)
        case StoreError():
            return problem("store_unavailable", f"{error} Nothing happened.", reservation_id=reservation_id)
    outcome = {OverloadedError: "overloaded", OutcomeUnknownError: "outcome_unknown"}.get(type(error))
    return problem(outcome, reservation_id=reservation_id) if outcome else None


def _of_validation(error: msgspec.ValidationError) -> Problem:
    """Read where and what from the library's message: ``Expected `int` >= 1 - at `$.lines[0].quantity```."""
    found = _AT_PATH.match(str(error))
    rule, path = (found["rule"], found["path"].lstrip(".")) if found else (str(error), "")
    about = _ABOUT_A_FIELD.match(rule)
    if about is not None:
        path = f"{path}.{about['name']}".lstrip(".")
        rule = "is not known here" if about["what"] == "contains unknown" else "is required"
    return invalid(path or "body", rule.replace("`", ""))


def within(at: str, error: InvalidError) -> InvalidError:
    """Make the error of a part the error of the whole: its field is named as one below ``at``."""
    return InvalidError(f"{at}.{error.field}", error.rule)
