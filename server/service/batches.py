"""What one idempotency key means for a whole batch."""

from typing import Final

from server.domain.answers import Refused
from server.domain.operations.base import fingerprint
from server.domain.operations.batches import NoteBatch
from server.service.caller import Caller
from server.service.problems import ProblemError, problem

_OTHER_BODY: Final = (
    "The key of a batch belongs to its whole body: repeat that body to receive its answers, or send what is new, or was"
    " refused, under a new key. Nothing changed."
)


async def note_batch(caller: Caller, *meaning: object) -> None:
    """Bind the caller's key, if there is one, to what a batch asks for; before the first of its elements.

    Raises
    ------
    ProblemError
        The key is that of another batch. Nothing happened.

    """
    if not caller.key:
        return
    # Behind the slash stands no number, so it is the key of no element.
    noted = await caller.ledger.run(NoteBatch(fingerprint(*meaning), caller.actor, f"{caller.key}/"))
    if isinstance(noted, Refused):
        raise ProblemError(problem(noted.outcome, _OTHER_BODY))
