"""What an error of the store means for its calls: whether anything ran, and whether to try again."""

from typing import Final

import structlog
from redis.exceptions import ResponseError

from server.store.errors import OutcomeUnknownError, StoreUnavailableError
from server.store.ledger.function_call import FunctionCall

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
