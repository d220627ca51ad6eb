"""A publisher with very many listings lets the process go on while it loads them: its lease has to be renewed."""

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any, Final

from adapters.contract.adapter import Capabilities
from server.channels.connection.clock import Clock
from server.channels.full_collections import FullCollections
from server.channels.outbound.catalogue import Catalogue
from server.channels.outbound.dead_letters import DeadLetters
from server.channels.outbound.pending import Pending
from server.channels.outbound.relisting import Relisting
from server.channels.outbound.stock_levels import StockLevels
from server.channels.write_behind import WriteBehind
from server.domain.channels import ChannelRules, Listing, Shown
from server.store.connection.connect import StoreClient
from server.store.keys import Keyspace
from server.store.repositories.publisher import PublisherStore
from server.turns import in_turns

ITEMS: Final = 20_000
ROUNDS_MIN: Final = ITEMS // 1_000
"""Of the event loop, in which others had a turn."""


async def rounds_during(work: Coroutine[Any, Any, object]) -> int:
    """Count the rounds in which others had a turn while work was done."""
    rounds, task = 0, asyncio.ensure_future(work)
    while not task.done():
        await asyncio.sleep(0)
        rounds += 1
    await task
    return rounds


async def test_items_are_gone_through_in_turns_with_others() -> None:
    async def work() -> None:
        assert [each async for each in in_turns(range(ITEMS))] == list(range(ITEMS))

    assert await rounds_during(work()) >= ROUNDS_MIN


async def test_what_a_publisher_takes_over_is_taken_over_in_turns_with_others(client: StoreClient) -> None:
    write_behind = WriteBehind(PublisherStore(client, Keyspace("default")), 1, dict, {}).channel("shop")
    catalogue = Catalogue(
        ChannelRules(),
        lists_all=False,
        capabilities=Capabilities(items_max=50),
        stock_levels=StockLevels(),
        dead_letters=DeadLetters(write_behind),
        write_behind=write_behind,
    )
    catalogue.load_shown({f"K{n}": Shown(f"K{n}", 3, "", "", n, 1, sku=f"S{n}") for n in range(ITEMS)})
    relisting = Relisting(catalogue, Pending(), catalogue.dead_letters, Clock())

    assert await rounds_during(relisting.load([Listing(f"S{n}", f"K{n}") for n in range(ITEMS)])) >= ROUNDS_MIN
    assert len(catalogue) == ITEMS
    assert await rounds_during(relisting.settle_loaded()) >= ROUNDS_MIN
    assert len(catalogue.keys()) == ITEMS


def test_full_collections_are_put_off_until_the_last_one_has_loaded() -> None:
    usual, collections = gc.get_threshold(), FullCollections()

    with collections.put_off():
        with collections.put_off():
            pass
        assert gc.get_threshold()[:2] == usual[:2]
        assert gc.get_threshold()[2] > 1_000_000

    assert gc.get_threshold() == usual
