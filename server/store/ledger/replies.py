"""What the store's replies mean for the operations of a batch: their answers, or whether anything ran."""

from typing import Any, Final

import msgspec
import structlog
from redis.exceptions import InvalidResponse, ResponseError

from server.store.errors import OutcomeUnknownError, StoreUnavailableError
from server.store.ledger.function_call import FunctionCall, Waiting

log = structlog.get_logger("holdfast.store")

# Errors that the store raises before it runs a script, by their first word.
_NOTHING_RAN: Final = frozenset({"OOM", "READONLY", "MISCONF", "NOREPLICAS", "MASTERDOWN", "CLUSTERDOWN"}) | {
    "MOVED", "ASK", "TRYAGAIN", "BUSY", "NOAUTH", "NOPERM", "LOADING"
}  # fmt: skip


def unreadable(call: FunctionCall, reason: str) -> Exception:
    """Return the error for an answer that this release cannot read; others in the batch are not affected."""
    log.error("answer_unreadable", function=call.function.name, reason=reason)
    if call.writes:
        return OutcomeUnknownError("The store gave an answer that cannot be read.")
    return StoreUnavailableError("The store gave an answer that cannot be read.")


def meaning(error: Exception, call: FunctionCall) -> Exception:
    """Return what the store's error reply means for its callers."""
    text = str(error)
    # redis-py strips the code of the errors that it has a class for, and keeps that of the others.
    code = text.partition(" ")[0]
    if code in _NOTHING_RAN or type(error) is not ResponseError or not call.writes:
        return StoreUnavailableError(f"The store refused: {text}")
    log.error("script_failed", script=call.function.name, reason=text)
    return OutcomeUnknownError("The store reported a fault inside the operation.")


def check_numbers(replies: list[Any], numbers: list[bytes]) -> None:
    """Take the calls' numbers off the replies; an error has none.

    Raises
    ------
    InvalidResponse
        Replies and calls are out of step: whatever else comes on this connection is wrong as well.

    """
    for reply, number in zip(replies, numbers, strict=True):
        if isinstance(reply, Exception):
            continue
        if not isinstance(reply, list) or not reply or reply.pop() != number:
            raise InvalidResponse("The store's reply belongs to another call.")


def hand_out(call: FunctionCall, waiting: list[Waiting], reply: Any) -> None:
    """Give each operation of a call its answer."""
    if not isinstance(reply, list) or len(reply) != len(waiting):
        fail(waiting, unreadable(call, f"a reply that is not a list of {len(waiting)} answers"))
        return
    decode = call.decode
    for each, answer in zip(waiting, reply, strict=True):
        if each.answer.done():
            continue
        try:
            each.answer.set_result(decode(answer))
        except (msgspec.DecodeError, TypeError) as error:
            fail([each], unreadable(call, str(error)))


def fail(waiting: list[Waiting], error: Exception) -> None:
    """Give each operation an error in place of an answer."""
    for each in waiting:
        if not each.answer.done():
            each.answer.set_exception(error)
