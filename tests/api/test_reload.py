"""SIGHUP: the configuration file is taken over while requests and streams go on, or nothing of it is."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest

from tests.channels.webhook_receiver import SECRET, WebhookReceiver
from tests.conftest import wait_until
from tests.support.http import Api, Key, Server, opened

pytestmark = pytest.mark.timeout(240)
OWNER, SHOP, LATER = Key("owner", "default"), Key("shop", "default", ("read", "reserve")), Key("later", "default")
SKU = "hot"


def channel(name: str, hook: str, **fields: object) -> str:
    lines = "".join(f"{field} = {value}\n" for field, value in fields.items())
    return f"""
[channels.{name}]
kind = "webhook"
listings = "all"
allow_private = ["127.0.0.1"]
options = {{ url = "{hook}" }}
credentials = {{ secret = {{ env = "HOOK_SECRET" }} }}
{lines}
"""


@contextlib.asynccontextmanager
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as hook:
        hook.stock(SKU)
        yield hook


def serving(toml: str, **settings: Any) -> Server:
    return Server(keys=[OWNER, SHOP], toml=toml, environment={"HOOK_SECRET": SECRET}, **settings)


def written(server: Server, keys: Sequence[Key], toml: str) -> None:
    """Replace the file as an editor does: at once."""
    new = server.directory / "new.toml"
    new.write_text("".join(key.toml() for key in keys) + toml, "utf-8")
    new.replace(server.directory / "holdfast.toml")


def said(server: Server, event: str) -> int:
    return server.stderr.count(event)


async def reloaded(server: Server, keys: Sequence[Key], toml: str, *, processes: int = 1) -> None:
    """Replace the file, and wait until each process has taken it over."""
    before = said(server, "configuration_reloaded")
    written(server, keys, toml)
    server.process.send_signal(signal.SIGHUP)
    await wait_until(lambda: said(server, "configuration_reloaded") >= before + processes, "it is reloaded")


def shows(hook: WebhookReceiver, quantity: int) -> bool:
    return hook.shown[SKU] == quantity


class Load:
    """Callers that reserve one after the other; each answer that is no reservation is a failure."""

    def __init__(self, api: Api) -> None:
        self.done = 0
        self.failures: list[object] = []
        self._api = api
        self._number = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._run(f"c{number}")) for number in range(6)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, name: str) -> None:
        number = 0
        while True:
            number += 1
            body = {"reservation_id": f"{name}-{number}", "channel": "web", "lines": [{"sku": SKU, "quantity": 1}]}
            try:
                answer = await self._api.post("/v1/reservations", body)
                if answer.status != 201:
                    self.failures.append(answer.raw)
            except Exception as error:  # noqa: BLE001  # any is one too many
                self.failures.append(repr(error))
            self.done += 1
            await asyncio.sleep(0.002)


async def following(server: Server, key: Key, events: list[str]) -> None:
    """Read a change stream for ever; ``events`` has what came, and how it ended if it did."""
    headers = {"Authorization": f"Bearer {key.token}"}
    async with aiohttp.ClientSession() as session, session.get(server.url + "/v1/changes", headers=headers) as answer:
        async for line in answer.content:
            events += [line.decode().strip()] if line.startswith(b"event:") else []
    events.append("ended")


@pytest.mark.parametrize("workers", [1, 2])
async def test_given_load_when_the_file_is_taken_over_again_and_again_then_no_request_fails_and_no_stream_ends(
    workers: int,
) -> None:
    async with receiver() as first, receiver() as second:
        one, both = channel("one", first.hook), channel("one", first.hook) + channel("two", second.hook)
        processes = workers + (workers > 1)
        with serving(one, workers=workers) as server:
            async with opened(server, OWNER) as api:
                await api.count(SKU, 1_000_000)
                events: list[str] = []
                stream = asyncio.create_task(following(server, SHOP, events))
                async with Load(api) as load:
                    for number in range(6):
                        more = number % 2 == 0
                        keys = [OWNER, SHOP, LATER] if more else [OWNER, SHOP]
                        await reloaded(server, keys, both if more else one, processes=processes)
                        at = load.done
                        await wait_until(partial(lambda at: load.done > at + 50, at), "requests go on")
                await reloaded(server, [OWNER, SHOP], both, processes=processes)
                await api.count(SKU, 4_711)
                today = (await api.get(f"/v1/availability/{SKU}")).ok()["available"]
                for hook in (first, second):
                    await wait_until(partial(shows, hook, today), "each channel shows it")
                seen = len(events)
                await api.count(SKU, 4_712)
                await wait_until(lambda: len(events) > seen, "the stream goes on")
                assert load.failures == []
                assert load.done > 300
                assert "ended" not in events
                stream.cancel()
            assert server.faults == []


async def test_given_other_keys_then_the_new_one_opens_and_the_one_that_is_gone_does_not() -> None:
    with serving("") as server:
        async with opened(server, SHOP) as shop, opened(server, LATER) as later:
            (await shop.get("/v1/availability/none")).problem(422, "unknown_sku")
            (await later.get("/v1/availability/none")).problem(401, "unauthorized")

            await reloaded(server, [OWNER, LATER], "")

            (await shop.get("/v1/availability/none")).problem(401, "unauthorized")
            (await later.get("/v1/availability/none")).problem(422, "unknown_sku")


async def test_given_other_rules_then_the_channel_is_told_by_them() -> None:
    async with receiver() as hook:
        with serving(channel("shop", hook.hook)) as server:
            async with opened(server, OWNER) as api:
                await api.count(SKU, 10)
                await wait_until(lambda: hook.shown[SKU] == 10, "it shows all")

                await reloaded(server, [OWNER, SHOP], channel("shop", hook.hook, buffer=3))

                await wait_until(lambda: hook.shown[SKU] == 7, "it shows less")
                [shop] = (await api.get("/v1/channels")).ok()["channels"]
                assert shop["channel"] == "shop"


async def test_given_the_first_channel_of_several_workers_then_a_process_publishes_to_it() -> None:
    async with receiver() as hook:
        with serving("", workers=2) as server:
            async with opened(server, OWNER) as api:
                await api.count(SKU, 5)

                await reloaded(server, [OWNER, SHOP], channel("shop", hook.hook), processes=2)

                await wait_until(lambda: hook.shown[SKU] == 5, "it is told")


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    "bad",
    [
        "[channels.shop]\nkind = 'nonsense'\n",
        "[channels",
        "[settings]\nport = 9000\n",
        "[settings]\nlog_levle = 'info'\n",
    ],
)
async def test_given_a_bad_file_then_nothing_changes_and_it_is_told(bad: str, workers: int) -> None:
    async with receiver() as hook:
        with serving(channel("shop", hook.hook), workers=workers) as server:
            async with opened(server, OWNER) as api:
                await api.count(SKU, 5)
                await wait_until(lambda: hook.shown[SKU] == 5, "it is told")

                written(server, [LATER], bad)
                server.process.send_signal(signal.SIGHUP)

                await wait_until(lambda: said(server, "configuration_not_reloaded") == 1, "it says so")
                await api.count(SKU, 6)
                await wait_until(lambda: hook.shown[SKU] == 6, "the channel goes on")
                assert said(server, "configuration_reloaded") == 0
                if "port" in bad:
                    assert "Set HOLDFAST_PORT, and restart" in server.stderr


async def test_given_another_log_level_in_the_file_then_it_counts_until_it_is_taken_out() -> None:
    with serving("", access_log="all") as server:
        async with opened(server, OWNER) as api, opened(server, LATER) as later:

            async def has_one_key() -> bool:  # the log does not say at every level that the file was taken over
                return (await later.get("/v1/locations")).status == 401

            async def has_both_keys() -> bool:
                return not await has_one_key()

            await _asked(api, "at-first")
            await wait_until(lambda: said(server, '"at-first"') > 0, "it is logged")

            written(server, [OWNER, LATER], '[settings]\nlog_level = "warning"\n')
            server.process.send_signal(signal.SIGHUP)
            await wait_until(has_both_keys, "it is taken over")
            await _asked(api, "quiet")
            assert server.stop() == 0  # what waits to be written is written at the end
            assert said(server, '"quiet"') == 0

            server.start()
            written(server, [OWNER], "")
            server.process.send_signal(signal.SIGHUP)
            await wait_until(has_one_key, "it is taken over again")
            await _asked(api, "again")
            await wait_until(lambda: said(server, '"again"') > 0, "it is logged again")


async def _asked(api: Api, request_id: str) -> None:
    (await api.get("/v1/locations", headers={"X-Request-Id": request_id})).ok()


async def test_given_a_credential_that_was_replaced_in_its_file_then_it_signs_from_then_on(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    async with receiver() as hook:
        toml = channel("shop", hook.hook).replace('{ env = "HOOK_SECRET" }', f'{{ file = "{secret}" }}')
        with serving(toml) as server:
            async with opened(server, OWNER) as api:
                await api.count(SKU, 5)
                await wait_until(lambda: hook.shown[SKU] == 5, "it is told")
                hook.secret = "whsec_bWFkZS11cC1mb3ItdGVzdHMtb25seS0wMg=="
                secret.write_text(hook.secret)

                await reloaded(server, [OWNER, SHOP], toml)
                await api.count(SKU, 6)

                await wait_until(lambda: hook.shown[SKU] == 6, "it is told with the new secret")
                assert hook.refused == []


def test_given_sighup_during_the_start_then_it_does_not_end_the_server() -> None:
    server = serving("")
    started: list[Any] = []
    try:
        with contextlib.suppress(Exception):
            server.start()
        started.append(server.process.poll())
        server.process.send_signal(signal.SIGHUP)
        server.process.send_signal(signal.SIGHUP)
        assert server.stop() == 0
    finally:
        server.close()
    assert started == [None]
