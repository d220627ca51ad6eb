"""What is cancelled ends, also where something in it fails at the same moment; what only fails begins again."""

import asyncio
from typing import Any

import pytest

from server.channels import running
from server.channels.lease import Lease
from server.channels.running import keep_running
from server.store.errors import FencedError, StoreUnavailableError
from tests.channels.engine import publishing
from tests.conftest import wait_until
from tests.support.stores import StoreProcess

END_S = 10.0


async def fails_in_place_of_being_cancelled(error: Exception) -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise error from None


async def test_a_part_that_fails_while_it_is_cancelled_ends() -> None:
    begun = 0

    async def run() -> None:
        nonlocal begun
        async with asyncio.TaskGroup() as group:
            group.create_task(fails_in_place_of_being_cancelled(ValueError("a fault")))
            begun += 1
            await asyncio.Event().wait()

    task = asyncio.create_task(keep_running("shop", run, lambda: None))
    await wait_until(lambda: begun == 1, "it runs")
    await asyncio.sleep(0)
    task.cancel()

    done, _ = await asyncio.wait([task], timeout=END_S)

    assert done
    assert task.cancelled()
    assert begun == 1


@pytest.mark.parametrize("waits_inside", [True, False])
async def test_a_part_in_which_something_fails_begins_again(
    waits_inside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "FAULT_PAUSE_S", 0.0)
    begun = 0

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError("a fault")

    async def run() -> None:
        nonlocal begun
        begun += 1
        async with asyncio.TaskGroup() as group:
            group.create_task(fails())
            if waits_inside:
                await asyncio.Event().wait()

    task = asyncio.create_task(keep_running("shop", run, lambda: None))
    await wait_until(lambda: begun >= 3, "it began again")
    assert not task.done()
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.parametrize("error", [FencedError("taken over"), StoreUnavailableError("away"), ValueError("a fault")])
async def test_a_publisher_that_fails_while_it_is_cancelled_ends(
    error: Exception, store: StoreProcess, partition: str, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    acts = 0

    async def keep(_: Lease) -> None:
        nonlocal acts
        acts += 1
        await fails_in_place_of_being_cancelled(error)

    monkeypatch.setattr(Lease, "keep", keep)
    async with asyncio.timeout(END_S), publishing(store, partition, [], finish=False, lease_s=60.0):
        pass

    assert acts == 1
    assert await client.ping()


@pytest.mark.parametrize("error", [FencedError("taken over"), StoreUnavailableError("away")])
async def test_a_publisher_that_fails_acts_again(
    error: Exception, store: StoreProcess, partition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    acts, keeps, to_fail = 0, Lease.keep, asyncio.Event()

    async def keep(lease: Lease) -> None:
        nonlocal acts
        acts += 1
        if acts > 1:
            await keeps(lease)
        await to_fail.wait()
        raise error

    monkeypatch.setattr(Lease, "keep", keep)
    async with publishing(store, partition, [], lease_s=60.0) as engine:
        to_fail.set()
        await wait_until(lambda: acts == 2 and engine.publisher.acting, "it acts again")
