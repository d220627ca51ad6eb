"""The store's memory is full: what needs memory is refused, what gives it back goes on, and more memory ends it."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator
from typing import Final

from tests.conftest import wait_until
from tests.rigs.faults.ground import Ground, opened_ground
from tests.rigs.faults.kinds import environment
from tests.rigs.faults.registry import Fault, Round, Setting
from tests.support.http import Answer, Api, Server

LOAD_S: Final = (0.2, 0.5)
HOLD_S: Final = 2
"""How long the hold lasts that must end while the memory is full."""
SETTLED: Final = {
    "release": ("held", "released"),
    "commit": ("held", "committed"),
    "extend": ("held", "held"),
    "cancel": ("committed", "cancelled"),
    "fulfil": ("committed", "fulfilled"),
}
"""What gives memory back, or takes none: the state that it needs, and the one that it leads to."""


class MemoryFull(Fault):
    """``maxmemory`` falls below what the store uses already, under load, and is taken away again."""

    name = "memory-full"
    does = (
        "the store's `maxmemory` is reached: reserve and order are refused; release, commit, extend, cancel, fulfil "
        "and expire go on; then there is more again"
    )
    rounds = 2

    async def run(self, setting: Setting) -> AsyncGenerator[Round]:
        server = Server(environment=environment(setting.store), durability="durable")
        async with opened_ground(server) as ground:
            await ground.api.count("aside", 1_000)
            for number in range(1, setting.rounds + 1):
                yield await self._round(ground, number, setting.chance(number))

    async def _round(self, ground: Ground, number: int, chance: random.Random) -> Round:
        names = await _reserved(ground.api, number)
        ground.asked_aside.update(names.values())
        async with ground.load(number, chance) as loaders:
            await asyncio.sleep(chance.uniform(*LOAD_S))
            _set_memory(ground, full=True)
            wrong = await _is_refused(ground.api, f"full-{number}")
            for operation, (_, reached) in SETTLED.items():
                wrong += await _settles(ground.api, f"{operation}-{number}", operation, reached)
            wrong += await _ends(ground.api, names["expire"])
            _set_memory(ground, full=False)
            began_s = time.monotonic()
            await ground.writable()
            recover_s = time.monotonic() - began_s
        with ground.store() as store:
            evicted = int(store.info()["evicted_keys"])
        await _put_back(ground.api, number)
        done = await ground.settle(loaders)
        done.recover_s, done.note = recover_s, f"{len(SETTLED)} operations and an overdue hold went through"
        done.wrong += wrong + ([f"{evicted} keys were evicted"] if evicted else [])
        return done


async def _reserved(api: Api, number: int) -> dict[str, str]:
    """Make one reservation for each operation that is to end it; returns their ids."""
    names = {operation: f"{operation}-{number}" for operation in (*SETTLED, "expire")}
    for operation, name in names.items():
        body = {"reservation_id": name, "channel": "web", "lines": [{"sku": "aside", "quantity": 1}]}
        if SETTLED.get(operation, ("held",))[0] == "committed":
            (await api.post("/v1/orders", body)).ok(201)
        else:
            ttl_s = HOLD_S if operation == "expire" else 3_600
            (await api.post("/v1/reservations", {**body, "ttl_s": ttl_s})).ok(201)
    return names


def _set_memory(ground: Ground, *, full: bool) -> None:
    with ground.store() as store:
        store.config_set("maxmemory", int(store.info()["used_memory"]) // 2 if full else 0)


async def _is_refused(api: Api, name: str) -> list[str]:
    """Ask for what needs memory; says where it was not refused as clearly as it should be."""
    body = {"reservation_id": name, "channel": "web", "lines": [{"sku": "aside", "quantity": 1}]}
    return [
        f"{path} with a full memory: {answer.status} {answer.raw.decode()}"
        for path in ("/v1/reservations", "/v1/orders")
        if not _says_full(answer := await api.post(path, body))
    ]


def _says_full(answer: Answer) -> bool:
    refused = answer.status == 503 and answer.body["outcome"] == "store_unavailable" and "Retry-After" in answer.headers
    return refused and "memory" in answer.body["detail"]


async def _settles(api: Api, name: str, operation: str, reached: str) -> list[str]:
    body = {"ttl_s": 7_200} if operation == "extend" else {}
    answer = await api.post(f"/v1/reservations/{name}/{operation}", body, headers={"Idempotency-Key": name})
    if answer.status == 200 and answer.body["state"] == reached:
        return []
    return [f"{operation} with a full memory: {answer.status} {answer.raw.decode()}"]


async def _ends(api: Api, name: str) -> list[str]:
    """Wait until a hold has expired."""

    async def expired() -> bool:
        return bool((await api.get(f"/v1/reservations/{name}")).ok()["state"] == "expired")

    try:
        await wait_until(expired, "the hold has ended")
    except AssertionError as error:
        return [f"with a full memory: {error}"]
    return []


async def _put_back(api: Api, number: int) -> None:
    """Settle what is left, so that the next round finds the shelf as it was."""
    for operation in ("commit", "extend"):
        how = "cancel" if operation == "commit" else "release"
        (await api.post(f"/v1/reservations/{operation}-{number}/{how}", {})).ok()


FAULTS: Final[tuple[Fault, ...]] = (MemoryFull(),)
