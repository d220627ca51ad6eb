"""A backup while a server sells, restored elsewhere after all was killed: nothing lost, nobody told, then all told."""

import asyncio
import contextlib
import re
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from tests.channels.webhook_receiver import SECRET, WebhookReceiver
from tests.conftest import wait_until
from tests.rigs.crash.loader import Loader, Request
from tests.support.http import Api, Key, Server, opened
from tests.support.processes import holdfast
from tests.support.stores import start_redis7

pytestmark = pytest.mark.timeout(300)
KEYS = [Key("owner", "default"), Key("scraper", "default", ("metrics",))]
SKUS = [f"hot-{number}" for number in range(8)]
CALM = "calm"
"""A SKU that nobody changes again: its version stays what it was."""
RECEIVERS = ("shop", "erp")
QUIET_S = 3.0
"""In this time a publisher that is not halted would have told everything, three times over."""

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


def channels(receivers: Mapping[str, WebhookReceiver]) -> str:
    return "".join(
        f"""
[channels.{name}]
kind = "webhook"
listings = "all"
allow_private = ["127.0.0.1"]
options = {{ url = "{each.hook}" }}
credentials = {{ secret = {{ env = "HOOK_SECRET" }} }}
"""
        for name, each in receivers.items()
    )


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[dict[str, WebhookReceiver]]:
    async with contextlib.AsyncExitStack() as stack:
        receivers = {name: WebhookReceiver() for name in RECEIVERS}
        for each in receivers.values():
            await stack.enter_async_context(each)
            each.stock(*SKUS, CALM)
        yield receivers


async def moving(api: Api, done: list[int]) -> None:
    """Receive goods one after the other; ``done`` has how many were acknowledged."""
    while True:
        name = f"delivery-{len(done)}"
        movement = {"kind": "receive", "sku": SKUS[0], "quantity": 1}
        await api.post("/v1/stock/movements", {"movements": [movement]}, headers={"Idempotency-Key": name})
        done.append(1)
        await asyncio.sleep(0.005)


async def command(*words: str | Path, cwd: Path) -> str:
    """Run a command to its good end; return what it prints."""
    ended = await asyncio.to_thread(holdfast, *words, cwd=cwd)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def shown(receiver: WebhookReceiver) -> dict[str, int]:
    return {sku: receiver.shown[sku] for sku in (*SKUS, CALM)}


async def available(api: Api) -> dict[str, int]:
    return {sku: (await api.get(f"/v1/availability/{sku}")).ok()["available"] for sku in (*SKUS, CALM)}


def serving(toml: str, **settings: Any) -> Server:
    return Server(keys=KEYS, toml=toml, environment={"HOOK_SECRET": SECRET}, drain_notice_s=0, **settings)


class Place(NamedTuple):
    """Where a server keeps everything: its settings, the words for commands there, and how all of it is lost."""

    settings: dict[str, Any]
    words: tuple[str | Path, ...]
    lose: Callable[[Server], None]


@contextlib.contextmanager
def embedded(data_dir: Path) -> Iterator[Place]:
    """Keep it in the embedded store, and documents of orders beside it."""

    def lose(server: Server) -> None:
        server.signal_store(signal.SIGKILL)
        server.kill()
        shutil.rmtree(data_dir)

    yield Place({"data_dir": data_dir}, ("--data-dir", data_dir), lose)


@contextlib.contextmanager
def redis7(_: Path) -> Iterator[Place]:
    """Keep it in a Redis 7.0 of our own, without documents."""
    with start_redis7(settings={"repl-diskless-sync-delay": "0"}) as store:

        def lose(server: Server) -> None:
            store.kill()
            server.kill()

        yield Place({"store_url": store.url}, ("--store-url", store.url), lose)


@pytest.mark.parametrize("place", [embedded, redis7])
async def test_given_a_backup_under_load_when_all_is_lost_then_what_was_acknowledged_before_is_restored_and_told(
    tmp_path: Path, place: Callable[[Path], contextlib.AbstractContextManager[Place]]
) -> None:
    backup = tmp_path / "backup.tar"
    async with receiving() as receivers:
        toml = channels(receivers)
        with place(tmp_path / "here") as here, serving(toml, **here.settings) as first:
            acknowledged, received = await _sold_and_backed_up(first, here, backup, [*receivers.values()])
            versions = {name: dict(each.versions) for name, each in receivers.items()}
            here.lose(first)
        heard = {name: len(each.headers) for name, each in receivers.items()}
        before = Before(acknowledged, received, heard, versions)
        with place(tmp_path / "elsewhere") as elsewhere:
            await command("restore", backup, *elsewhere.words, cwd=tmp_path)
            await command("verify", "--all", *elsewhere.words, cwd=tmp_path)
            await _restored_and_released(toml, elsewhere, receivers, before)
            await command("verify", "--all", *elsewhere.words, cwd=tmp_path)


class Before(NamedTuple):
    """What was acknowledged before the backup, and what each channel had heard of when all was lost."""

    acknowledged: list[Request]
    received: int
    heard: dict[str, int]
    versions: dict[str, dict[str, tuple[int, int]]]


async def _restored_and_released(
    toml: str, elsewhere: Place, receivers: Mapping[str, WebhookReceiver], before: Before
) -> None:
    """Check that what was acknowledged is there and nobody is told of it, until it is released: then all are."""
    with serving(toml, **elsewhere.settings) as second:
        async with opened(second, KEYS[0]) as api:
            await _is_halted(second, api, elsewhere)
            await _has_all(api, before.acknowledged, before.received)
            await asyncio.sleep(QUIET_S)
            assert {name: len(each.headers) for name, each in receivers.items()} == before.heard

            await command("restore", "--release", *elsewhere.words, cwd=second.directory)
            await api.count(SKUS[1], 4_321)

            async def shows_it(receiver: WebhookReceiver) -> bool:
                return shown(receiver) == await available(api)

            for name, each in receivers.items():
                await wait_until(partial(shows_it, each), f"{name} shows what there is", every_s=0.05)
                assert each.dropped == []
                told = partial(lambda hook, old: hook.versions[CALM] > old, each, before.versions[name][CALM])
                await wait_until(told, "what nobody has changed is told as newer, too")
            assert (await api.get("/readyz")).ok() == {"status": "ok"}
            assert (await api.get("/v1/today")).ok()["halted"] is None
        assert second.faults == []


async def _sold_and_backed_up(
    server: Server, place: Place, backup: Path, receivers: Sequence[WebhookReceiver]
) -> tuple[list[Request], int]:
    """Sell and receive while a backup is taken; return what was acknowledged before it began."""
    async with opened(server, KEYS[0]) as api:
        for sku in SKUS:
            await api.count(sku, 100_000)
        await api.count(CALM, 7)
        loaders = [Loader(f"l{number}", api, SKUS, f"seed {number}") for number in range(4)]
        tasks, received = [asyncio.create_task(loader.run()) for loader in loaders], list[int]()
        tasks.append(asyncio.create_task(moving(api, received)))
        await wait_until(lambda: _have_sold(loaders) and len(received) > 20, "they have sold", every_s=0.01)
        acknowledged = [msgspec.structs.replace(each) for loader in loaders for each in loader.requests if each.done]
        units = len(received)
        said = await command("backup", backup, "--json", *place.words, cwd=server.directory)
        done = sum(each.done for loader in loaders for each in loader.requests)
        await wait_until(lambda: _have_sold(loaders, done + 50), "it sells on", every_s=0.01)
        assert all(not task.done() for task in tasks)
        for loader in loaders:
            loader.running = False
        tasks[-1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert all(not loader.mixed_up for loader in loaders)
        partition = msgspec.json.decode(said)["partitions"]["default"]
        assert re.fullmatch(r"\d{13}-\d+", partition["journal"])

        async def shows_the_end(receiver: WebhookReceiver) -> bool:
            return shown(receiver) == await available(api)

        for each in receivers:  # which the backup does not know
            await wait_until(partial(shows_the_end, each), "every channel shows the end of it", every_s=0.05)
    return acknowledged, units


def _have_sold(loaders: Sequence[Loader], count: int = 200) -> bool:
    """Whether so many requests were acknowledged."""
    return sum(each.done for loader in loaders for each in loader.requests) > count


async def _is_halted(server: Server, api: Api, place: Place) -> None:
    assert "halted" in (await api.get("/readyz")).ok()["detail"]
    assert (await api.get("/v1/today")).ok()["halted"]["taken_at"]
    status = await asyncio.to_thread(holdfast, "status", *place.words, cwd=server.directory)
    assert (status.returncode, "restored from a backup" in status.stdout) == (1, True)
    await wait_until(lambda: _gauge(server) == 1.0, "the metric says so")


def _gauge(server: Server) -> float:
    request = urllib.request.Request(server.url + "/metrics", headers={"Authorization": f"Bearer {KEYS[1].token}"})  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310  # our own http://
        found = re.search(r"^holdfast_restore_halted (\S+)$", answer.read().decode(), re.MULTILINE)
    return float(found[1]) if found else -1.0


async def _has_all(api: Api, acknowledged: list[Request], received: int) -> None:
    """Check that each is there, and that asking again has no further effect."""
    before = await available(api)
    first_asked = [each for each in acknowledged if each.operation in ("reserve", "order")]
    for each in first_asked:
        again = await api.post(each.path, each.body)
        assert again.status < 300, (each, again.raw)
        assert again.headers.get("Idempotent-Replayed") == "true", each
    for each in acknowledged:
        if each.operation not in ("reserve", "order"):
            again = await api.post(each.path, each.body, headers={"Idempotency-Key": each.key})
            assert again.ok()["state"] == each.outcome, each
    for number in range(received):
        movement = {"kind": "receive", "sku": SKUS[0], "quantity": 1}
        headers = {"Idempotency-Key": f"delivery-{number}"}
        again = await api.post("/v1/stock/movements", {"movements": [movement]}, headers=headers)
        assert again.ok()["results"][0]["status"] == 200, number
    assert await available(api) == before
