"""What a call raises: it was refused, it could not be made, or nobody knows what came of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from holdfast.types import FieldProblem, LineProblem, Problem

if TYPE_CHECKING:
    from holdfast.calls import Call

NOT_HOLDFAST: Final = "not_holdfast"


class HoldfastError(Exception):
    """Whatever a call raises."""


class Refused(HoldfastError):
    """The server said no, and why. This try changed nothing.

    ``earlier_lost``: an earlier try of this call got no answer. Where the call has a key, that try had no effect when
    this refusal was made, but a slow network may still deliver it. Where it has none, the refusal may come of that try:
    what it has deleted is not known any more.
    """

    def __init__(self, problem: Problem, *, earlier_lost: bool = False) -> None:
        super().__init__(f"{problem.outcome}: {problem.title}. {problem.detail}".strip())
        self.problem = problem
        self.earlier_lost = earlier_lost

    @property
    def outcome(self) -> str:
        """Why, in one word that programs look at; ``docs/api`` says of each what to do."""
        return self.problem.outcome

    @property
    def status(self) -> int:
        """The status of the answer."""
        return self.problem.status

    @property
    def lines(self) -> Sequence[LineProblem]:
        """What was asked of each line that is refused, and what there was."""
        return self.problem.lines

    @property
    def errors(self) -> Sequence[FieldProblem]:
        """The fields that break a rule."""
        return self.problem.errors


class OutOfStock(Refused):
    """Fewer units are available than were asked for: ``lines`` has both numbers. No units are held."""


class NotFound(Refused):
    """What the request is about is not known: ``outcome`` says which of it."""


class Invalid(Refused):
    """Fields break rules: ``errors`` has all of them."""


class AccessRefused(Refused):
    """The key is missing, unknown, revoked, or lacks the scope."""


class DoneBefore(Refused):
    """Another call has done it before. After a lost answer or a restart this is what was wanted: go on as if it worked.

    ``problem.reservation_id`` names the reservation where it has another id than the one that was asked for.
    """


class Unavailable(HoldfastError):
    """The call could not be made: nothing happened, also after several tries. Make it again later.

    ``outcome``: ``overloaded``, ``store_unavailable``, ``unreachable`` and the like; ``not_holdfast`` where something
    else refused it, such as a proxy. ``retry_after_s``: how long the server asked to wait, 0 where it did not say.
    """

    def __init__(self, message: str, outcome: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.retry_after_s = retry_after_s


class OutcomeUnknown(HoldfastError):
    """All answers were lost: it may have happened or not.

    The message says how to find out. ``call`` can be run again as it is, by ``client.run(error.call)``: where its
    ``key`` is not empty that is the same call, so what it did the first time is answered.
    """

    def __init__(self, call: "Call[Any]", why: str) -> None:
        super().__init__(f"Nobody knows what came of {call}: {why}. To find out, {call.find_out}.")
        self.call = call
        self.why = why

    @property
    def key(self) -> str:
        """The ``reservation_id`` or the ``Idempotency-Key``, empty where it had none."""
        return self.call.key


class BatchInterrupted(HoldfastError):
    """A part of a batch failed when others were done. What comes after it was not sent.

    Parameters
    ----------
    cause
        Why it broke off: the part was ``Refused``, or it is ``Unavailable`` or ``OutcomeUnknown`` what came of it.
    results
        What is known, in order, None for the others: of each element, or of each request where lists are put.
    part, parts
        Which part failed, from 1 on, and how many there are.
    key
        The ``Idempotency-Key`` of the whole batch; empty where it needs none. Unless the part was refused, call it
        again with this key and the same elements: what is done stays done, and all results come.

    """

    def __init__(self, cause: HoldfastError, results: Sequence[Any], *, part: int, parts: int, key: str = "") -> None:
        super().__init__(_broken_off(cause, results, part, parts, key))
        self.cause = cause
        self.results = results
        self.part = part
        self.parts = parts
        self.key = key


def _broken_off(cause: HoldfastError, results: Sequence[Any], part: int, parts: int, key: str) -> str:
    """Say how far a batch came, and what to do."""
    known = sum(each is not None for each in results)
    counted = f"{known} of {len(results)} {'elements have a result' if key else 'requests were answered'}"
    if isinstance(cause, Refused):
        again = "send those without a result again, in a new call" if key else "call it again with all elements"
        return f"Part {part} of {parts} was refused ({cause}). {counted}. Correct the refused part, and {again}."
    why = f"got no answer ({cause.why})" if isinstance(cause, OutcomeUnknown) else f"was not processed ({cause})"
    again = f"with idempotency_key={key!r} and the same elements" if key else "with the same elements"
    return f"Part {part} of {parts} {why}. {counted}. Call it again {again}: what is done stays done."


_BY_OUTCOME: Final = {
    "out_of_stock": OutOfStock,
    "already_committed": DoneBefore,
    "already_released": DoneBefore,
    "order_known": DoneBefore,
}
_BY_STATUS: Final = {400: Invalid, 401: AccessRefused, 403: AccessRefused, 404: NotFound}
_UNKNOWN_NAMES: Final = ("unknown_sku", "unknown_barcode")


def refusal(problem: Problem, *, earlier_lost: bool = False) -> Refused | Unavailable:
    """Return the exception of a refusal; one without an outcome is none of Holdfast's, and says nothing of the call."""
    if not problem.outcome:
        message = f"{problem.status}: {problem.title} {problem.detail}. Nothing changed; check the url, and call again."
        return Unavailable(message, NOT_HOLDFAST)
    kind = _BY_OUTCOME.get(problem.outcome) or _BY_STATUS.get(problem.status, Refused)
    if problem.outcome in _UNKNOWN_NAMES:
        kind = NotFound
    return kind(problem, earlier_lost=earlier_lost)
