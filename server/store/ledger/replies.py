"""What the errors of the store mean for the calls that met them."""

from typing import Final

from redis.exceptions import MasterDownError, ReadOnlyError, ResponseError

from server.store.errors import OutcomeUnknownError, StoreUnavailableError
from server.store.ledger.function_call import FunctionCall, log

# Errors that the store raises before it runs a script, by their first word.
_NOTHING_RAN: Final = frozenset({"OOM", "READONLY", "MISCONF", "NOREPLICAS", "MASTERDOWN", "CLUSTERDOWN"}) | {
    "MOVED", "ASK", "TRYAGAIN", "BUSY", "NOAUTH", "NOPERM", "LOADING"
}  # fmt: skip


def unreadable(lane: FunctionCall, reason: str) -> Exception:
    """Say that an answer came which this release cannot read; its neighbours are not concerned."""
    log.error("answer_unreadable", function=lane.function.name, reason=reason)
    if lane.writes:
        return OutcomeUnknownError("The store gave an answer that cannot be read.")
    return StoreUnavailableError("The store gave an answer that cannot be read.")


def may_be_elsewhere(error: Exception) -> bool:
    """Whether a store answered so because it is not, or no longer, the one to write to: time to look for it anew."""
    return isinstance(error, (ReadOnlyError, MasterDownError)) or str(error).startswith("NOREPLICAS")


def meaning(error: Exception, lane: FunctionCall) -> Exception:
    """Translate the store's error reply for the callers."""
    text = str(error)
    # redis-py strips the code of the errors that it has a class for, and keeps that of the others.
    code = text.partition(" ")[0]
    if code in _NOTHING_RAN or type(error) is not ResponseError or not lane.writes:
        return StoreUnavailableError(f"The store refused: {text}")
    log.error("script_failed", script=lane.function.name, reason=text)
    return OutcomeUnknownError("The store reported a fault inside the operation.")
