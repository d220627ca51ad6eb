"""The intake killed at random moments: no order is lost, none is booked twice, and nothing is said twice."""

import secrets

import pytest

from tests.channels.orders_simulator import Market
from tests.rigs.intake_crash.__main__ import summary
from tests.rigs.intake_crash.checks import START_UNITS, not_acknowledged, not_right, said_wrongly, wanted
from tests.rigs.intake_crash.driver import run


async def _kill_rounds(rounds: int) -> None:
    seed = secrets.randbelow(2**31)
    done = await run(rounds, seed)
    shown = "\n".join([f"seed {seed}", *summary(done)])
    assert not done.wrong, shown
    assert done.orders > 0


@pytest.mark.timeout(600)
async def test_given_orders_that_come_in_when_killed_then_all_are_booked_once() -> None:
    await _kill_rounds(1)


@pytest.mark.soak
@pytest.mark.timeout(2700)
async def test_given_orders_that_come_in_when_killed_for_20_rounds_then_all_are_booked_once() -> None:
    await _kill_rounds(20)


def test_the_checks_find_what_is_wrong() -> None:
    market = Market()
    market.place("o", {"sku-0": 3})
    market.cancel("o", "sku-0", 1)
    markets = {"m": market}
    should = wanted(markets)

    assert should["sku-0"] == {"on_hand": START_UNITS, "committed": 2, "held": 0}
    assert not_right(should, should) == []
    assert len(not_right({**should, "sku-0": should["sku-1"]}, should)) == 1
    assert not_acknowledged(markets) == ["m o is not acknowledged"]
    market.said["o", "ship", "{}"] = 2
    market.said["o", "ship", "too many"] = 1
    assert len(said_wrongly(markets)) == 2
