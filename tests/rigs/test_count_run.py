"""A store is counted while orders run: no reservation is lost, all that is short is reported, channels show zero."""

import secrets

import pytest

from tests.rigs.count_run.driver import run, table


async def _count(rows: int) -> None:
    seed = secrets.randbelow(2**31)
    done = await run(rows, seed)
    shown = "\n".join([f"seed {seed}", *table(done)])
    print(f"\n{shown}")  # noqa: T201  # pytest shows it with -s, and on failure
    assert not done.wrong, shown
    assert done.short_skus > 0
    assert done.during > 0


async def test_given_orders_that_run_when_a_store_is_counted_then_reservations_hold_and_all_is_reported() -> None:
    await _count(300)


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_given_orders_that_run_when_10_000_rows_are_counted_then_reservations_hold_and_all_is_reported() -> None:
    await _count(10_000)
