"""Many callers at once on few units: what there is goes out exactly once."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Final

import pytest
from redis.asyncio import Redis

from server.domain.answers import Refused
from server.domain.reservation import Changed
from server.store.connection.commands import run_function
from server.store.ledger.batcher import Batcher
from server.store.ledger.ledger import Ledger
from server.store.lua_library import library
from tests.support.operations import (
    AnAnswer,
    AnOperation,
    ask,
    available,
    changed,
    commit,
    level,
    moved,
    order,
    receive,
    release,
    reserve,
    stocked,
)
from tests.support.replay import Replayed, read_journal
from tests.support.stores import StoreProcess

CALLERS: Final = 64
SEED: Final = random.randrange(1 << 32)


@pytest.fixture
async def ledgers(
    make_ledger: Callable[..., Ledger], open_batcher: Callable[..., Batcher], store: StoreProcess
) -> list[Ledger]:
    """Open one partition through three batchers, as three worker processes would."""
    return [make_ledger(open_batcher(store)) for _ in range(3)]


async def race(ledgers: list[Ledger], wanted: list[AnOperation]) -> list[AnAnswer]:
    """Let many callers ask for what is wanted, each the next as soon as it has its answer."""
    todo = iter(enumerate(wanted))
    answers: dict[int, AnAnswer] = {}

    async def caller(ledger: Ledger) -> None:
        for place, operation in todo:
            answers[place] = await ask(ledger, operation)

    await asyncio.gather(*(caller(ledgers[n % len(ledgers)]) for n in range(CALLERS)))
    return [answers[place] for place in range(len(wanted))]


async def units_in_journal(client: Redis, ledger: Ledger) -> Counter[str]:
    entries = await read_journal(client, ledger.keyspace.journal)
    return Replayed(entry for _, entry in entries).stock[("A", "main")]


async def test_given_a_thousand_units_when_ten_times_as_many_are_wanted_then_exactly_a_thousand_are_sold(
    ledgers: list[Ledger],
) -> None:
    skus = [f"hot-{n}" for n in range(10)]
    for sku in skus:
        await moved(ledgers[0], receive(sku, 100))
    wanted: list[AnOperation] = [
        (order if n % 2 else reserve)(f"{sku}-{n}", (sku, 1)) for sku in skus for n in range(1000)
    ]
    random.Random(SEED).shuffle(wanted)
    answers = await race(ledgers, wanted)
    outcomes = Counter("sold" if isinstance(answer, Changed) else _outcome(answer) for answer in answers)
    assert outcomes == {"sold": 1000, "out_of_stock": 9000}
    assert [await available(ledgers[0], sku) for sku in skus] == [0] * 10


async def test_given_five_units_when_a_hundred_take_what_they_can_get_then_five_are_given(
    ledgers: list[Ledger],
) -> None:
    await stocked(ledgers[0], A=5)
    answers = await race(ledgers, [reserve(f"r{n}", ("A", 1 + n % 3), partial=True) for n in range(100)])
    assert sum(answer.reservation.lines[0].held for answer in answers if isinstance(answer, Changed)) == 5
    assert {_outcome(answer) for answer in answers if isinstance(answer, Refused)} == {"out_of_stock"}
    assert await available(ledgers[0], "A") == 0


async def test_given_orders_of_several_lines_when_racing_then_none_is_half_served(ledgers: list[Ledger]) -> None:
    await stocked(ledgers[0], A=50, B=30)
    answers = await race(ledgers, [order(f"o{n}", ("A", 2), ("B", 1)) for n in range(60)])
    sold = sum(isinstance(answer, Changed) for answer in answers)
    assert sold == 25
    assert (await available(ledgers[0], "A"), await available(ledgers[0], "B")) == (0, 5)


async def test_given_one_id_sent_by_many_when_racing_then_it_has_one_effect_and_one_answer(
    ledgers: list[Ledger],
) -> None:
    await stocked(ledgers[0], A=1000)
    wanted: list[AnOperation] = [reserve(f"r{n}", ("A", 3)) for n in range(20) for _ in range(11)]
    random.Random(SEED).shuffle(wanted)
    answers = await race(ledgers, wanted)
    firsts = [answer for answer in answers if isinstance(answer, Changed) and not answer.replayed]
    assert len(firsts) == 20
    shown = [answer.reservation for answer in answers if isinstance(answer, Changed)]
    assert len({(each.fingerprint, each.seq) for each in shown}) == 20
    assert (await level(ledgers[0], "A")).held == 60


async def test_given_one_id_with_two_bodies_when_racing_then_only_one_body_wins(ledgers: list[Ledger]) -> None:
    await stocked(ledgers[0], A=1000)
    answers = await race(ledgers, [reserve("r", ("A", 1 + n % 2)) for n in range(40)])
    won = [answer.reservation.lines[0].held for answer in answers if isinstance(answer, Changed)]
    assert set(won) in ({1}, {2})
    assert Counter(_outcome(answer) for answer in answers if isinstance(answer, Refused)) == {"id_reused": 20}
    assert (await level(ledgers[0], "A")).held == won[0]


async def test_given_commit_and_release_when_racing_for_one_hold_then_exactly_one_wins(
    ledgers: list[Ledger], client: Redis
) -> None:
    await stocked(ledgers[0], A=100)
    ids = [f"r{n}" for n in range(100)]
    await race(ledgers, [reserve(each, ("A", 1)) for each in ids])
    answers = await race(ledgers, [how(each) for each in ids for how in (commit, release)])
    for first, second in zip(answers[::2], answers[1::2], strict=True):
        assert isinstance(first, Changed) != isinstance(second, Changed)
    committed = sum(isinstance(answer, Changed) for answer in answers[::2])
    shelf = await level(ledgers[0], "A")
    assert (shelf.held, shelf.committed) == (0, committed)
    assert (await units_in_journal(client, ledgers[0]))["committed"] == committed


async def test_given_commits_and_a_sweeper_when_racing_at_the_deadline_then_no_unit_is_lost_or_made(
    ledgers: list[Ledger], client: Redis, limits_with: Callable[..., bytes]
) -> None:
    await stocked(ledgers[0], A=300)
    ids = [f"r{n}" for n in range(300)]
    ending = True

    async def sweep() -> None:
        while ending:
            await run_function(client, library().function("expire_holds"), ledgers[0].keyspace, limits_with())

    async def buy(ledger: Ledger, each: str) -> None:
        await changed(ledger, reserve(each, ("A", 1), ttl_ms=2))
        await changed(ledger, commit(each))

    sweeping = asyncio.create_task(sweep())
    await asyncio.gather(*(buy(ledgers[n % 3], each) for n, each in enumerate(ids)))
    ending = False
    await sweeping
    shelf = await level(ledgers[0], "A")
    assert (shelf.held, shelf.committed, shelf.available) == (0, 300, 0)


def _outcome(answer: AnAnswer) -> str:
    assert isinstance(answer, Refused)
    return answer.outcome
