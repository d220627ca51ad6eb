"""Sends the rows of a file to the ledger as counts or movements: many in flight, each safe to repeat by its key."""

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol, TypeVar

import msgspec

from server.domain.answers import Refused, StockAnswer
from server.domain.operations import StockOperation
from server.domain.operations.stock import Count
from server.domain.outcomes import OUTCOMES
from server.domain.stock import StockChanged
from server.files.file_import import IN_FLIGHT, Tally
from server.files.reader import BadRow, Row
from server.service.likeness import with_nearest
from server.store.errors import OutcomeUnknownError, OverloadedError, StoreError, StoreUnavailableError

T = TypeVar("T")

See = Callable[[Row[T], StockAnswer], None]

PATIENCE_S: Final = 60.0
"""A store that restarts is back within seconds; one that is unreachable this long needs a person."""
_PAUSE_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
_MENDS: Final = {
    "counted_since": "a later count of it is known, and stands. To set another number, count again now",
    "ahead_of_clock": "counted_at has not come yet. Correct the clock of the device that counted",
    "baseline_expired": "counted_at is so long ago that what moved since is not known any more. Count again now",
}
_RETRYABLE: Final = (OverloadedError, OutcomeUnknownError, StoreUnavailableError)


class StoreUnreachableError(StoreError):
    """The store was unreachable for ``PATIENCE_S``; rows that are done stay done."""


class Runs(Protocol):
    """What answers operations: a ledger, or what stands for one."""

    async def run(self, operation: StockOperation) -> StockAnswer:
        """Answer one."""
        ...


async def send_rows(
    ledger: Runs,
    sequences: Iterable[Sequence[tuple[Row[T], StockOperation]]],
    tally: Tally,
    registered: Sequence[str] = (),
    see: See[T] | None = None,
    *,
    in_flight: int = IN_FLIGHT,
) -> None:
    """Send the operations of rows: those of one sequence one after the other, as batches in flight may pass each other.

    What comes behind a count of a place that is no repeat is none either, and where it is one, so are they. So their
    keys have the seq of that count.
    ``registered``: the registered locations, of which one may be meant where a location is not known.
    ``see``: is given each row with its answer. ``in_flight``: how many may wait for the store together.

    Raises
    ------
    StoreUnreachableError
        A row could not be sent for ``PATIENCE_S``.

    """
    waiting = iter(sequences)

    async def send() -> None:
        for sequence in waiting:
            counted: dict[str, int] = {}
            for row, operation in sequence:
                answer = await _until_answered(ledger, _behind(operation, counted))
                if isinstance(operation, Count) and operation.replaces and isinstance(answer, StockChanged):
                    counted[operation.location] = answer.level.seq
                _add(tally, row, with_nearest(answer, registered))
                if see is not None:
                    see(row, answer)

    try:
        async with asyncio.TaskGroup() as senders:
            for _ in range(in_flight):
                senders.create_task(send())
    except* StoreUnreachableError as group:
        raise group.exceptions[0] from None


def _behind(operation: StockOperation, counted: Mapping[str, int]) -> StockOperation:
    """Give an operation behind a count of its place a key of that occasion. ``counted``: location -> its seq."""
    seq = counted.get(operation.location)
    return operation if seq is None else msgspec.structs.replace(operation, key=f"{operation.key}@{seq}")


async def _until_answered(ledger: Runs, operation: StockOperation) -> StockAnswer:
    """Send an operation until it is answered; its idempotency key makes that one effect."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + PATIENCE_S
    attempt = 0
    while True:
        try:
            return await ledger.run(operation)
        except _RETRYABLE as error:
            if loop.time() > deadline_s:
                raise StoreUnreachableError(str(error) or "The store is overloaded.") from error
        pause_s = _PAUSE_S[min(attempt, len(_PAUSE_S) - 1)]
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311  # spreads the retries, no secret
        attempt += 1


def _why(refused: Refused) -> str:
    """Say why a row was refused, and what to do about it."""
    if refused.outcome not in ("similar_name", "unregistered_location") or not refused.lines:
        why = _MENDS.get(refused.outcome) or OUTCOMES[refused.outcome].title
        return f"the ledger refused it: {refused.outcome}: {why}"
    [line] = refused.lines
    name = line.location if line.counter == "location" else line.sku
    return new_name(line.counter, name, line.similar)


def new_name(kind: str, name: str, similar: str) -> str:
    """Say that a name of a kind, ``sku`` or ``location``, is not known, and which one may be meant."""
    hint = f"did you mean {similar}? " if similar else ""
    word = "location" if kind == "location" else "SKU"
    return f"{word} {name} is not known; {hint}If it is new, add --allow-similar"


def _add(tally: Tally, row: Row[T], answer: StockAnswer) -> None:
    if isinstance(answer, Refused):
        tally.add(refused=BadRow(row.line, _why(answer), row.text))
    elif answer.replayed:
        tally.add(unchanged=1)
    else:
        tally.add(set=1)
