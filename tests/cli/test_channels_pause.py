"""``holdfast channels pause`` and ``resume``: on the store here and on a server elsewhere."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.docs_examples import CHANNEL, CREDENTIALS
from tests.support.http import Api, Key, Server, opened
from tests.support.processes import holdfast

pytestmark = pytest.mark.timeout(300)
OWNER = Key("owner", "default")
STOCK = Key("stock", "default", ("read", "stock"))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(keys=(OWNER, STOCK), toml=CHANNEL, environment=CREDENTIALS, role="api") as started:
        yield started
        assert started.faults == []


def command(server: Server, where: str, *words: str, key: Key = OWNER) -> "subprocess.CompletedProcess[str]":
    path = server.directory / f"{key.id}.key"
    path.write_text(key.token, "utf-8")
    if where == "elsewhere":
        return holdfast(*words, "--url", server.url, "--key", path, cwd=server.directory)
    config = str(server.directory / "holdfast.toml")
    return holdfast(*words, "--data-dir", server.data_dir, cwd=server.directory, HOLDFAST_CONFIG=config, **CREDENTIALS)


async def rules(api: Api) -> Any:
    return (await api.get("/v1/channels/trendyol")).ok()["rules"]


@pytest.mark.parametrize("where", ["here", "elsewhere"])
async def test_a_channel_is_paused_with_a_reason_and_resumed(server: Server, where: str) -> None:
    async with opened(server, OWNER) as api:
        (await api.put("/v1/channels/trendyol", {"percent": 50})).ok()

        paused = command(server, where, "channels", "pause", "trendyol", "--reason", f"they move, {where}")

        assert (paused.returncode, paused.stderr) == (0, "")
        assert "holdfast channels resume trendyol" in paused.stdout
        assert ((await rules(api))["paused"], (await rules(api))["percent"]) == (True, 50)
        changes = (await api.get("/v1/history?channel=trendyol")).ok()["changes"]
        assert f"they move, {where}" in {each["reason"] for each in changes}

        resumed = command(server, where, "channels", "resume", "trendyol", "--json")

        assert json.loads(resumed.stdout)["rules"]["paused"] is False
        assert (await rules(api))["paused"] is False


def test_a_channel_that_is_not_there_and_a_key_that_may_not_are_said(server: Server) -> None:
    unknown = command(server, "here", "channels", "pause", "trendyoll")
    refused = command(server, "elsewhere", "channels", "pause", "trendyol", key=STOCK)

    assert (unknown.returncode, "No such channel" in unknown.stderr) == (1, True)
    assert (refused.returncode, "scope admin" in refused.stderr) == (1, True)
