"""Keys on a store that 0.1.0 and this release share, both real: what opens where, and that a limit is never lost."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from tests.conftest import wait_until
from tests.rigs.rolling_upgrade.releases import WORKING_TREE, Release, environment, release, released
from tests.rigs.rolling_upgrade.servers import Server, verify
from tests.support.stores import StoreProcess, start_valkey

pytestmark = pytest.mark.timeout(180)
EARLIER: Final = "0.1.0"
LIMITS: Final = {
    "a channel": ("--scope", "reserve", "--channel", "shop"),
    "a longest hold": ("--scope", "reserve", "--ttl-max-s", "60"),
    "an end": ("--scope", "reserve", "--expires", "2099-06-30"),
    "its own reservations": ("--scope", "reserve:own"),
}
RESERVE: Final = {"channel": "shop", "ttl_s": 30, "lines": [{"sku": "A", "quantity": 1}]}


class Side:
    """One release: its command, and a server of it."""

    def __init__(self, which: Release, store: StoreProcess, logs: Path, session: aiohttp.ClientSession) -> None:
        self.release = which
        self.log = logs / f"{which.name}.err"
        self._url = store.url
        self._session = session
        self.server = Server(which.name, which, "api", store.url, {}, logs)

    def command(self, *words: str) -> str:
        ended = subprocess.run(
            [sys.executable, "-m", "server", *words, "--store-url", self._url],
            cwd=self.release.directory, env=environment({}), capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.strip()

    def new_key(self, *words: str) -> str:
        return self.command("keys", "new", *words)

    async def status(self, token: str, method: str, path: str, body: Any = None) -> int:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self._session.request(method, self.server.url + path, json=body, headers=headers) as answer:
            return answer.status

    async def reserves(self, token: str) -> int:
        return await self.status(token, "POST", "/v1/reservations", RESERVE)


@pytest.fixture
async def sides(tmp_path: Path) -> AsyncIterator[tuple[Side, Side]]:
    """Run a server of 0.1.0 and one of this release on one store; there are units of A, and a key of 0.1.0."""
    revision = released(EARLIER)
    if not revision:
        pytest.skip(f"{EARLIER} is not in the history of this clone: git fetch --tags --unshallow")
    with start_valkey() as store:
        async with AsyncExitStack() as started:
            session = await started.enter_async_context(aiohttp.ClientSession())
            found = [release("old", revision, tmp_path), release("new", WORKING_TREE, tmp_path)]
            old, new = (Side(each, store, tmp_path, session) for each in found)
            admin = old.new_key("--scope", "admin")
            for side in (old, new):
                started.push_async_callback(side.server.kill)
                await side.server.start()
            assert await old.status(admin, "PUT", "/v1/stock/A/main", {"on_hand": 50}) == 200
            yield old, new
            for each in (old, new):
                assert (await verify(each.release, store.url, "at the end")).clean


async def test_a_key_of_the_earlier_release_opens_the_same_in_both(sides: tuple[Side, Side]) -> None:
    old, new = sides
    reader, buyer = old.new_key("--scope", "read"), old.new_key("--scope", "reserve")
    for side in sides:
        await _is_known(side, reader)
        await wait_until(partial(_answers, side, buyer, 201), "the other is known, too", every_s=0.05)

    assert [await side.reserves(reader) for side in sides] == [403, 403]
    assert [await side.status("", "GET", "/v1/availability/A") for side in sides] == [401, 401]

    new.command("keys", "revoke", buyer.split("_")[1])
    for side in sides:
        await wait_until(partial(_answers, side, buyer, 401), "it is revoked in both", every_s=0.05)


@pytest.mark.parametrize("limit", LIMITS)
async def test_a_key_with_a_limit_opens_nothing_in_the_earlier_release(sides: tuple[Side, Side], limit: str) -> None:
    old, new = sides
    reader = old.new_key("--scope", "read")

    limited = new.new_key(*LIMITS[limit])

    await wait_until(lambda: _answers(new, limited, 201), "this release knows it", every_s=0.05)
    await wait_until(lambda: "api keys damaged" in old.log.read_text("utf-8"), "the other one has seen it")
    assert await old.reserves(limited) == 401
    await _is_known(old, reader)  # what it cannot read spoils no other key, and opens nothing to strangers
    assert await old.reserves("") == 401
    if limit == "a channel":
        assert await new.status(limited, "POST", "/v1/reservations", RESERVE | {"channel": "till"}) == 403


async def test_a_rotated_key_has_its_new_secret_in_both_and_the_one_before_in_this_release(
    sides: tuple[Side, Side],
) -> None:
    old, new = sides
    before = old.new_key("--scope", "reserve")
    for side in sides:
        await wait_until(partial(_answers, side, before, 201), "it is known", every_s=0.05)

    after = json.loads(new.command("keys", "rotate", before.split("_")[1], "--json"))["token"]

    for side in sides:
        await wait_until(partial(_answers, side, after, 201), "the new secret is known", every_s=0.05)
    assert [await side.reserves(before) for side in sides] == [401, 201]


async def _answers(side: Side, token: str, status: int) -> bool:
    return await side.reserves(token) == status


async def _is_known(side: Side, token: str) -> None:
    async def reads() -> bool:
        return await side.status(token, "GET", "/v1/availability/A") == 200

    await wait_until(reads, "the key is known", every_s=0.05)
