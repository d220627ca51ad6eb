"""Credentials that change, while much is sold: taken back, lost, under another key; and what a backup has of them."""

import asyncio
import shutil
import tarfile
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec
import pytest

from adapters.allegro import ADAPTER as ALLEGRO
from adapters.amazon import ADAPTER as AMAZON
from adapters.contract.adapter import Kind
from server.channels.tokens import keeper
from server.channels.tokens.keeper import LOST
from server.domain.kept_tokens import Given
from server.service.caller import Caller
from server.store.repositories.sealing import Sealer
from tests.channels.allegro_simulator import AllegroSimulator
from tests.channels.amazon_order_side import MARKETPLACE
from tests.channels.amazon_simulator import SELLER, AmazonSimulator
from tests.channels.engine import plan, publishing
from tests.channels.guarded import GuardedChannel, guarded_plan
from tests.channels.test_tokens import CHANNEL, KEY, SEALER, sign_in, status_of, tokens_of
from tests.channels.token_side import CLIENT_ID, CLIENT_SECRET, CODE
from tests.conftest import wait_until
from tests.rigs.order_histories.run import caller_on
from tests.support.operations import changed, moved, order, receive
from tests.support.stores import StoreProcess

UNITS: Final = 90_000
SECOND: Final = "second-made-up-code"
LEFT_OVER: Final = "made-up-code-that-nobody-took"
_ids = count(1)


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "LOOK_S", 0.02)
    monkeypatch.setattr(keeper, "PAUSE_S", 0.05)


@pytest.fixture
async def guarded() -> AsyncIterator[GuardedChannel]:
    async with GuardedChannel(life_s=1.0, answer_s=0.005) as channel:
        yield channel
        assert channel.complaints == []


class Load:
    """Sells one unit after the other."""

    def __init__(self, caller: Caller, sku: str) -> None:
        self.sold = 0
        self._caller, self._sku = caller, sku
        self._is_over = False

    async def run(self) -> None:
        await moved(self._caller.ledger, receive(self._sku, UNITS))
        while not self._is_over:
            await changed(self._caller.ledger, order(f"load-{next(_ids)}", (self._sku, 1)))
            self.sold += 1

    async def goes_on(self, units: int = 200) -> None:
        wanted = self.sold + units
        await wait_until(lambda: self.sold >= wanted, "more is sold")

    def end(self) -> None:
        self._is_over = True


@asynccontextmanager
async def loaded(store: StoreProcess, partition: str, sku: str = "A") -> AsyncIterator[Load]:
    """Sell meanwhile."""
    async with caller_on(store, partition) as caller, asyncio.TaskGroup() as group:
        load = Load(caller, sku)
        group.create_task(load.run())
        try:
            yield load
        finally:
            load.end()


async def ends_well(guarded: GuardedChannel, load: Load) -> None:
    """The load is over, and the channel shows what it has left."""
    load.end()
    await wait_until(lambda: guarded.shown.get("A") == UNITS - load.sold, "the last value is shown")


async def nothing_is_sent(guarded: GuardedChannel, load: Load) -> None:
    asked = len(guarded.received)
    await load.goes_on()
    assert len(guarded.received) == asked


# -- while much is sold


async def test_what_is_taken_back_under_load_lets_nothing_out_until_somebody_signs_in(
    store: StoreProcess, partition: str, guarded: GuardedChannel
) -> None:
    async with (
        loaded(store, partition) as load,
        publishing(store, partition, [guarded_plan(CHANNEL, guarded)], sealer=SEALER) as engine,
    ):
        await sign_in(engine)
        await wait_until(lambda: guarded.renewals >= 1, "they were renewed")
        guarded.revoke()
        await status_of(engine, signed_out=True, why="invalid_grant")
        await nothing_is_sent(guarded, load)

        guarded.codes.add(SECOND)
        await sign_in(engine, SECOND)
        before = guarded.renewals
        await wait_until(lambda: guarded.renewals >= before + 2, "they are renewed again")
        await ends_well(guarded, load)

    assert guarded.stale == 0


async def test_a_renewal_whose_answer_is_lost_under_load_lets_nothing_out_once_it_is_known(
    store: StoreProcess, partition: str, guarded: GuardedChannel
) -> None:
    async with (
        loaded(store, partition) as load,
        publishing(store, partition, [guarded_plan(CHANNEL, guarded)], sealer=SEALER) as engine,
    ):
        await sign_in(engine)
        await load.goes_on()
        guarded.only = "/token"
        guarded.faults.append("reset_after")
        await status_of(engine, signed_out=True, why=LOST)
        await nothing_is_sent(guarded, load)

        guarded.stale = 0  # what was sent with the tokens of before, since nobody had the newer ones
        guarded.codes.add(SECOND)
        await sign_in(engine, SECOND)
        await ends_well(guarded, load)

    assert guarded.stale == 0


async def test_tokens_are_renewed_under_load_while_their_key_is_replaced(
    store: StoreProcess, partition: str, guarded: GuardedChannel
) -> None:
    new = b"another-key-of-thirty-two-bytes!"
    plans = [guarded_plan(CHANNEL, guarded)]
    async with loaded(store, partition) as load:
        async with publishing(store, partition, plans, sealer=SEALER) as engine:
            await sign_in(engine)
            await wait_until(lambda: guarded.renewals >= 1, "they were renewed")
        for sealer in (Sealer([new, KEY]), Sealer([new])):
            before = guarded.renewals
            async with publishing(store, partition, plans, sealer=sealer) as engine:
                await wait_until(lambda: guarded.renewals >= before + 2, "they are renewed")  # noqa: B023  # at once
                await status_of(engine, signed_out=False)
        async with publishing(store, partition, plans, sealer=Sealer([new])):
            await ends_well(guarded, load)

    assert (guarded.stale, guarded.not_let_in, guarded.refused_renewals) == (0, 0, 0)


KINDS: Final[dict[str, tuple[Kind, str, Callable[[], Any], Callable[[Any], dict[str, Any]]]]] = {
    "allegro": (
        ALLEGRO,
        "7650000001",
        AllegroSimulator,
        lambda side: {"auth_url": f"{side.url}/auth/oauth", "redirect_uri": side.redirect_uri},
    ),
    "amazon": (
        AMAZON,
        "A-1",
        AmazonSimulator,
        lambda side: {
            "auth_url": f"{side.url}/auth/o2/token",
            "seller_id": SELLER,
            "marketplace_id": MARKETPLACE,
            "skip_fba": False,
        },
    ),
}
"""Each kind with rotating or short-lived tokens, an offer, its simulator, and the options beside the address."""


@pytest.mark.parametrize("name", KINDS)
async def test_a_kind_renews_under_load_and_sends_nothing_with_an_old_token(
    name: str, store: StoreProcess, partition: str
) -> None:
    kind, offer, simulator, more = KINDS[name]
    grant = kind.grant
    assert grant is not None
    async with simulator() as side:
        side.stock(offer)
        side.life_s = 1.0
        _, refresh = side.issue()
        options = msgspec.convert({"base_url": side.url, **more(side)}, kind.options)
        login = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        made = plan(CHANNEL, side, build=lambda: kind.build(options, login), grant=lambda: grant(options, login))
        async with (
            loaded(store, partition, offer) as load,
            publishing(store, partition, [made], sealer=SEALER) as engine,
        ):
            await sign_in(engine, refresh, "refresh_token")
            before = side.renewals
            await wait_until(lambda: side.renewals >= before + 4, "they were renewed")
            load.end()
            await wait_until(lambda: side.shown[offer] == UNITS - load.sold, "the last value is shown")

        assert (side.stale, side.not_let_in, side.refused_renewals, side.complaints) == (0, 0, 0, [])
        assert len(side.applied) > 1


# -- a backup


def forms(secret: str) -> set[bytes]:
    """A secret, as it might stand in a file."""
    raw = secret.encode()
    return {raw, b64encode(raw).rstrip(b"="), raw.hex().encode(), quote(secret, safe="").encode(), raw[::-1]}


def found_in(secrets: list[str], contents: dict[str, bytes]) -> list[tuple[str, str]]:
    return [
        (where, secret)
        for where, content in contents.items()
        for secret in secrets
        if any(form in content for form in forms(secret))
    ]


def values_in(client: Any) -> Iterator[tuple[str, bytes]]:
    """Go through all that a store has, read by itself: a file of it may be compressed."""
    readers: dict[bytes, Callable[[bytes], Any]] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"stream": client.xrange,
    }
    for key in client.scan_iter():
        yield key.decode("utf-8", "replace"), _flat(readers[client.type(key)](key))


def _flat(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    parts = [each for pair in value.items() for each in pair] if isinstance(value, dict) else list(value)
    return b"\0".join(map(_flat, parts))


async def test_a_backup_has_no_secret_and_goes_on_where_it_was_with_the_key_alone(
    own_store: StoreProcess, guarded: GuardedChannel, tmp_path: Path
) -> None:
    plans = [guarded_plan(CHANNEL, guarded)]
    async with (
        caller_on(own_store, "default") as caller,
        publishing(own_store, "default", plans, sealer=SEALER) as engine,
    ):
        await moved(caller.ledger, receive("A", 3))
        await sign_in(engine)
        await wait_until(lambda: guarded.renewals >= 2, "they were renewed twice")
        guarded.life_s = 3_600.0
        before = guarded.renewals
        await wait_until(lambda: guarded.renewals > before, "the last ones live long")
        await wait_until(lambda: guarded.shown.get("A") == 3, "it is shown")
    async with publishing(own_store, "default", [], sealer=None) as engine:
        given = Given(id="left", what="code", secret=LEFT_OVER, given_ms=await engine.store.now_ms())
        await tokens_of(engine).give(given)
    secrets = [*guarded.given, CODE, LEFT_OVER, CLIENT_SECRET, KEY.decode()]
    own_store.command("SAVE")
    with own_store.admin() as client:
        assert found_in(secrets, dict(values_in(client))) == []
    own_store.stop()

    with tarfile.open(tmp_path / "backup.tar", "w") as archive:
        archive.add(own_store.directory / "appendonlydir", "appendonlydir")
        archive.add(own_store.directory / "dump.rdb", "dump.rdb")
    contents = {"the backup": (tmp_path / "backup.tar").read_bytes()}
    contents |= {path.name: path.read_bytes() for path in own_store.directory.rglob("*") if path.is_file()}
    assert found_in(secrets, contents) == []
    assert found_in(["access_token", "refresh_token"], contents)  # their names are there, so they are looked for

    shutil.rmtree(own_store.directory / "appendonlydir")
    with tarfile.open(tmp_path / "backup.tar") as archive:
        archive.extractall(own_store.directory, filter="data")
    own_store.start()
    async with publishing(own_store, "default", plans, sealer=Sealer([KEY[::-1]])) as engine:
        await wait_until(lambda: _is_halted(engine), "it says which key is missing")
    asked = len(guarded.received)
    async with (
        caller_on(own_store, "default") as caller,
        publishing(own_store, "default", plans, sealer=SEALER) as engine,
    ):
        await moved(caller.ledger, receive("A", 4))
        await wait_until(lambda: guarded.shown.get("A") == 7, "it goes on")

    assert len(guarded.received) > asked
    assert (guarded.stale, guarded.not_let_in) == (0, 0)


async def _is_halted(engine: Any) -> bool:
    status = await engine.status(CHANNEL)
    return bool(status and status.circuit == "halted" and "HOLDFAST_SECRET_KEY" in status.reason)
