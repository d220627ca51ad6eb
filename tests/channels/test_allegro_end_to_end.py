"""A real server with a channel whose tokens rotate: its key, signing in by the command, and no secret in any file."""

import asyncio
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.channels.allegro_simulator import AllegroSimulator
from tests.channels.token_side import CLIENT_ID, CLIENT_SECRET, CODE
from tests.conftest import wait_until
from tests.support.http import Api, Server, opened
from tests.support.processes import holdfast

pytest_plugins = ("tests.support.http_fixtures",)

ROOT: Final = Path(__file__).parents[2]
OFFER: Final = "7650000001"
KEY: Final = b64encode(b"0123456789abcdef0123456789abcdef").decode()
TABLE: Final = """
[channels.allegro]
kind = "allegro"
allow_private = ["127.0.0.1"]

[channels.allegro.options]
base_url = "{url}"
auth_url = "{url}/auth/oauth"
redirect_uri = "https://merchant.example/callback"

[channels.allegro.credentials]
client_id = {{ env = "ALLEGRO_ID" }}
client_secret = {{ env = "ALLEGRO_SECRET" }}

[channels.allegro.orders]
enabled = true
from = 2000-01-01T00:00:00Z
pull_every_s = 1.0
"""
SECRETS: Final = {"ALLEGRO_ID": CLIENT_ID, "ALLEGRO_SECRET": CLIENT_SECRET}


@pytest.fixture
async def market() -> AsyncIterator[AllegroSimulator]:
    async with AllegroSimulator(access="none-yet", given=["none-yet", "none-yet"]) as market:
        market.stock(OFFER)
        yield market
    assert market.complaints == []
    assert market.stale == 0


def toml(market: AllegroSimulator) -> str:
    return TABLE.format(url=market.url)


@pytest.fixture
def server(market: AllegroSimulator, start_server: Callable[..., Server]) -> Server:
    return start_server(toml=toml(market), environment=SECRETS, publisher_lease_s=1, secret_key=KEY)


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    async with opened(server) as api:
        yield api


async def sign_in(server: Server, what: str) -> "subprocess.CompletedProcess[str]":
    """Run the command beside a server; what is brought comes by standard input."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    given: Mapping[str, str] = {
        "HOLDFAST_CONFIG": str(server.directory / "holdfast.toml"),
        "HOLDFAST_DATA_DIR": str(server.data_dir),
        "HOLDFAST_SECRET_KEY": KEY,
        **SECRETS,
    }
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "server", "channels", "sign-in", "allegro"],
        cwd=ROOT, env={**ours, **given}, input=what, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip


async def test_from_signing_in_to_a_booked_order(api: Api, server: Server, market: AllegroSimulator) -> None:
    await api.count("MUG", 10)
    (await api.put("/v1/channels/allegro/listings", {"listings": [{"sku": "MUG", "key": OFFER}]})).ok()

    done = await sign_in(server, f"{CODE}\n")

    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "allegro is signed in.", "")
    await wait_until(lambda: market.shown[OFFER] == 10, "the offer is activated with its number")
    number = market.place((OFFER, 2))

    async def is_booked() -> bool:
        level = (await api.get("/v1/stock/MUG")).ok()["levels"][0]
        return bool(level["committed"] == 2)

    async def is_listed() -> bool:
        return number in {each["number"] for each in (await api.get("/v1/orders?channel=allegro")).ok()["orders"]}

    await wait_until(is_booked, "the order is booked")
    await wait_until(is_listed, "the order is among those of the channel")
    assert market.not_let_in == 0
    # Before somebody had signed in the channel was halted, which is an error that is told.
    assert [line for line in server.faults if "channel_halted" not in line] == []

    assert server.stop() == 0
    secrets = [*market.given[2:], CODE, CLIENT_SECRET, KEY]
    files = [path for path in server.directory.rglob("*") if path.is_file()]
    held = [(path.name, secret) for path in files for secret in secrets if secret.encode() in path.read_bytes()]
    assert held == []
    assert any(b"access_token" in path.read_bytes() for path in files)


async def test_a_code_that_allegro_does_not_know_is_told(api: Api, server: Server, market: AllegroSimulator) -> None:
    assert (await api.get("/v1/channels/allegro/status")).ok()["channel"] == "allegro"

    failed = await sign_in(server, "another-made-up-code")

    assert failed.returncode == 1
    assert "did not sign in" in failed.stderr
    assert "invalid_grant" in failed.stderr
    assert "another-made-up-code" not in failed.stderr + failed.stdout + server.stderr
    assert market.access == "none-yet"


def test_without_a_key_the_server_does_not_start_and_says_the_mend(tmp_path: Path, market_url: str) -> None:
    (tmp_path / "holdfast.toml").write_text(TABLE.format(url=market_url))

    ended = holdfast("serve", "--port", "0", cwd=tmp_path, HOLDFAST_CONFIG=str(tmp_path / "holdfast.toml"), **SECRETS)

    assert ended.returncode != 0
    assert "HOLDFAST_SECRET_KEY" in ended.stderr
    assert "openssl rand -base64 32" in ended.stderr
    assert CLIENT_SECRET not in ended.stderr + ended.stdout


@pytest.fixture
def market_url() -> str:
    return "http://127.0.0.1:1"


def test_the_command_says_what_is_missing(tmp_path: Path, market_url: str) -> None:
    config = tmp_path / "holdfast.toml"
    config.write_text(TABLE.format(url=market_url) + WEBHOOK)
    settings = {"HOLDFAST_CONFIG": str(config), "HOLDFAST_SECRET_KEY": KEY}

    def said(*words: str, **changed: str) -> str:
        ended = holdfast("channels", "sign-in", *words, cwd=tmp_path, **{**settings, **changed})
        assert ended.returncode == 1
        return ended.stderr

    assert "did you mean allegro?" in said("alegro")
    assert "needs no sign-in" in said("warehouse")
    assert "HOLDFAST_SECRET_KEY" in said("allegro", HOLDFAST_SECRET_KEY="")
    assert "allegro takes code, refresh_token" in said("allegro", "--with", "password")
    assert "must be one line of text" in said("allegro")  # standard input is empty
    assert "is not configured" in said("allegro", "--partition", "other")


WEBHOOK: Final = """
[channels.warehouse]
kind = "webhook"

[channels.warehouse.options]
url = "https://warehouse.example/stock"

[channels.warehouse.credentials]
secret = { env = "WAREHOUSE_SECRET" }
"""
