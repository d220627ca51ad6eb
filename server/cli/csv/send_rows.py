"""Sends the rows of a file to the ledger as counts or movements: many in flight, each safe to repeat by its key."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from server.cli.csv.stock import BadRow, Row
from server.domain.operations import StockOperation
from server.domain.operations.base import fingerprint
from server.domain.operations.stock import Count
from server.domain.outcomes import Refused, StockAnswer
from server.domain.principal import LOCAL
from server.store.errors import OutcomeUnknownError, OverloadedError, StoreUnavailableError
from server.store.ledger.ledger import Ledger

IN_FLIGHT: Final = 1_024
"""Rows sent and not yet answered: enough to keep the batches full, and half of what a server lets wait."""
PATIENCE_S: Final = 60.0
"""A store that restarts is back within seconds; one that stays away this long needs somebody."""
_PAUSE_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
_RETRYABLE: Final = (OverloadedError, OutcomeUnknownError, StoreUnavailableError)


@dataclass
class Tally:
    """What came of the rows so far. ``unchanged``: the row had its effect when the same file was imported before."""

    set: int = 0
    unchanged: int = 0
    refused: list[BadRow] = field(default_factory=list)

    @property
    def done(self) -> int:
        """How many rows have their answer."""
        return self.set + self.unchanged + len(self.refused)


class StoreStaysAwayError(Exception):
    """The store could not be used for so long that it makes no sense to go on; rows done so far stay done."""


async def count_rows(
    ledger: Ledger,
    rows: Iterable[Row],
    key_prefix: str,
    reason: str,
    tally: Tally,
    *,
    baseline_seq: int = -1,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> None:
    """Set ``on_hand`` (and ``safety``) of every row. The key of a row is ``key_prefix`` and its line number.

    ``baseline_seq``: the seq that the partition had when the count began, -1 for none.

    Raises
    ------
    StoreStaysAwayError
        A row could not be sent for ``PATIENCE_S``.

    """
    waiting = iter(rows)

    async def send() -> None:
        for row in waiting:
            answer = await _patiently(ledger, _count(row, f"{key_prefix}:{row.line}", reason, baseline_seq))
            _note(tally, row.line, f"{row.sku} {row.location}", answer)
            on_progress(tally.done)

    await _many(send)


class ARow(Protocol):
    """A row of a file: where it stands, and what it says."""

    @property
    def line(self) -> int:
        """The line that it starts on, counted from 1."""

    @property
    def text(self) -> str:
        """The line as it stands there."""


AnyRow = TypeVar("AnyRow", bound=ARow)


async def move_rows(
    ledger: Ledger,
    movements: Iterable[tuple[AnyRow, StockOperation]],
    tally: Tally,
    *,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> None:
    """Do the movements of rows, those of one SKU in their order, as batches in flight may pass each other.

    Raises
    ------
    StoreStaysAwayError
        A row could not be sent for ``PATIENCE_S``.

    """
    by_sku: dict[str, list[tuple[AnyRow, StockOperation]]] = {}
    for row, movement in movements:
        by_sku.setdefault(movement.sku, []).append((row, movement))
    waiting = iter(by_sku.values())

    async def send() -> None:
        for same in waiting:
            for row, movement in same:
                _note(tally, row.line, row.text, await _patiently(ledger, movement))
                on_progress(tally.done)

    await _many(send)


async def _many(send: Callable[[], Coroutine[None, None, None]]) -> None:
    try:
        async with asyncio.TaskGroup() as senders:
            for _ in range(IN_FLIGHT):
                senders.create_task(send())
    except* StoreStaysAwayError as group:
        raise group.exceptions[0] from None


def _count(row: Row, key: str, reason: str, baseline_seq: int) -> Count:
    safety = -1 if row.safety is None else row.safety
    digest = fingerprint("import", row.sku, row.location, row.on_hand, safety, baseline_seq)
    return Count(digest, LOCAL.actor, key, row.sku, row.location, row.on_hand, baseline_seq, safety, reason)


async def _patiently(ledger: Ledger, movement: StockOperation) -> StockAnswer:
    """Ask until there is an answer: the key makes it one effect, however often it is asked."""
    loop = asyncio.get_running_loop()
    give_up_s = loop.time() + PATIENCE_S
    attempt = 0
    while True:
        try:
            return await ledger.run(movement)
        except _RETRYABLE as error:
            if loop.time() > give_up_s:
                raise StoreStaysAwayError(str(error) or "The store is overloaded.") from error
        pause_s = _PAUSE_S[min(attempt, len(_PAUSE_S) - 1)]
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311  # spreads the retries, no secret
        attempt += 1


def _note(tally: Tally, line: int, text: str, answer: StockAnswer) -> None:
    if isinstance(answer, Refused):
        tally.refused.append(BadRow(line, f"the ledger refused it: {answer.outcome}", text))
    elif answer.replayed:
        tally.unchanged += 1
    else:
        tally.set += 1
