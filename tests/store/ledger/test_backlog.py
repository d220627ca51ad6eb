"""A backlog is bounded by what the store has lately done; a burst and a store that was away bound nothing."""

import asyncio
from collections.abc import Callable
from typing import Final

import pytest

from server.domain.limits import BACKLOG_BATCHES_MIN
from server.domain.stock import StockChanged
from server.store.errors import OverloadedError
from server.store.keys import Keyspace
from server.store.ledger import backlog as backlog_module
from server.store.ledger import batcher as batcher_module
from server.store.ledger.backlog import MEASURED_S, STALLED_S, Backlog
from server.store.ledger.batcher import Batcher
from server.store.ledger.ledger import Ledger
from tests.conftest import RETENTION
from tests.support.operations import moved, receive
from tests.support.stores import StoreProcess

BATCH: Final = 8
QUEUE_MAX: Final = 2_048
WAIT_S: Final = 0.05
FLUSH_S: Final = 0.02
CALM_S: Final = 0.3


def backlog_of(wait_s: float = WAIT_S, queue_max: int = QUEUE_MAX) -> Backlog:
    return Backlog(operations_max=BATCH, queue_max=queue_max, wait_s=wait_s)


def bounds(backlog: Backlog, sent: int, every_s: float, lasts_s: float) -> list[int]:
    """Take batches in step, each of which leaves others behind; return the bounds that came of it."""
    found = [backlog.goes_on(sent, number * every_s) for number in range(round(lasts_s / every_s) + 1)]
    return [each for each in found if each is not None]


def test_given_a_backlog_that_lasts_when_batches_are_taken_then_so_many_may_wait_as_are_done_in_the_time() -> None:
    found = bounds(backlog_of(), sent=BATCH, every_s=0.01, lasts_s=0.5)
    assert len(found) >= 4
    assert {round(each, -1) for each in found} == {40}, "800 a second, for 0.05 s"


def test_given_a_slow_store_when_it_has_a_backlog_then_a_batch_for_each_slot_may_wait_all_the_same() -> None:
    least = BACKLOG_BATCHES_MIN * BATCH
    assert set(bounds(backlog_of(), sent=1, every_s=FLUSH_S, lasts_s=1)) == {least}
    assert set(bounds(backlog_of(queue_max=3), sent=1, every_s=FLUSH_S, lasts_s=1)) == {3}, "but no more than are set"


def test_given_a_quick_store_when_it_has_a_backlog_then_the_bound_is_no_higher_than_what_is_set() -> None:
    assert set(bounds(backlog_of(), sent=BATCH, every_s=0.0001, lasts_s=0.5)) == {QUEUE_MAX}


def test_given_a_burst_when_it_is_over_within_the_time_then_nothing_was_bounded() -> None:
    backlog = backlog_of()
    assert bounds(backlog, sent=1, every_s=FLUSH_S, lasts_s=MEASURED_S - FLUSH_S) == []
    backlog.is_over()
    assert not backlog.is_there
    assert backlog.goes_on(1, 1.0) is None, "the next one is measured from its own beginning"


def test_given_a_store_that_was_away_when_it_is_back_then_that_time_is_no_rate() -> None:
    backlog = backlog_of()
    backlog.goes_on(BATCH, 0.0)
    assert backlog.goes_on(BATCH, STALLED_S + 1) is None
    assert backlog.goes_on(BATCH, STALLED_S + 1 + 2 * MEASURED_S) == BACKLOG_BATCHES_MIN * BATCH


def test_given_no_time_to_wait_when_there_is_a_backlog_then_the_bound_stays() -> None:
    assert bounds(backlog_of(wait_s=0), sent=1, every_s=FLUSH_S, lasts_s=2) == []


async def test_given_a_backlog_that_lasts_when_it_is_too_long_then_the_newest_are_refused_and_the_others_done(
    own_store: StoreProcess, open_batcher: Callable[..., Batcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog_module, "MEASURED_S", 1e-6)
    batcher = open_batcher(own_store, operations_max=1, queue_max=100, queue_wait_s=1e-9)
    ledger = Ledger(batcher, Keyspace("behind"), RETENTION)
    units = (await moved(ledger, receive("A", 1))).level.on_hand

    for _ in range(2):  # where nothing waits any more, as many may come as before
        answers = await asyncio.gather(*(moved(ledger, receive("A", 1)) for _ in range(90)), return_exceptions=True)
        refused = [each for each in answers if isinstance(each, OverloadedError)]
        done = [each.level.on_hand for each in answers if isinstance(each, StockChanged)]
        assert len(refused) + len(done) == 90
        assert answers[: len(done)] == [each for each in answers if isinstance(each, StockChanged)], "the oldest stay"
        assert refused
        assert sorted(done) == list(range(units + 1, units + len(done) + 1)), "what was refused did not happen"
        units += len(done)


async def test_given_a_bound_when_a_batch_leaves_nothing_then_the_bound_stays_until_it_has_been_so_for_a_while(
    own_store: StoreProcess, open_batcher: Callable[..., Batcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog_module, "MEASURED_S", 1e-6)
    monkeypatch.setattr(batcher_module, "CALM_S", CALM_S)
    batcher = open_batcher(own_store, operations_max=1, queue_max=100, queue_wait_s=1e-9)
    ledger = Ledger(batcher, Keyspace("calm"), RETENTION)

    async def refused_of(count: int) -> int:
        answers = await asyncio.gather(*(moved(ledger, receive("A", 1)) for _ in range(count)), return_exceptions=True)
        return sum(isinstance(each, OverloadedError) for each in answers)

    await moved(ledger, receive("A", 1))
    assert await refused_of(50) > 0, "the bound fell in the middle"
    assert await refused_of(20) >= 20 - 2 * BACKLOG_BATCHES_MIN, "nothing waits any more, and the bound is as low"
    await asyncio.sleep(2 * CALM_S)
    assert await refused_of(1 + BACKLOG_BATCHES_MIN) == 0
