"""Credentials that change: stored before use, renewed by one, never stale, encrypted wherever they lie."""

import asyncio
import dataclasses
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from itertools import count
from pathlib import Path
from typing import Final

import msgspec
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from server.channels.tokens import keeper
from server.channels.tokens.keeper import LOST, NEVER, OTHER_KIND
from server.domain.channels import ChannelStatus
from server.domain.kept_tokens import GIVEN_LIFE_MS, Given, KeptTokens
from server.store.keys import ChannelKeys, Keyspace
from server.store.repositories.channel_tokens import TokenStore
from server.store.repositories.publisher import PublisherStore
from server.store.repositories.sealing import Sealer
from tests.channels.engine import Engine, publishing
from tests.channels.guarded import GuardedChannel, guarded_plan
from tests.channels.token_side import CLIENT_SECRET, CODE
from tests.conftest import wait_until
from tests.rigs.order_histories.run import caller_on
from tests.support.operations import order, receive
from tests.support.stores import StoreProcess

CHANNEL: Final = "guarded"
KEY: Final = b"0123456789abcdef0123456789abcdef"
SEALER: Final = Sealer([KEY])
ROOT: Final = Path(__file__).parents[2]
_ids = count(1)


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "LOOK_S", 0.02)
    monkeypatch.setattr(keeper, "PAUSE_S", 0.05)


@pytest.fixture
async def guarded() -> AsyncIterator[GuardedChannel]:
    async with GuardedChannel() as channel:
        yield channel
        assert channel.complaints == []
        assert channel.stale == 0


def tokens_of(engine: Engine, sealer: Sealer = SEALER) -> TokenStore:
    return TokenStore(engine.client, engine.keyspace, CHANNEL, sealer)


async def sign_in(engine: Engine, secret: str = CODE, what: str = "code", *, age_ms: int = 0) -> KeptTokens:
    given = Given(id=f"sign-in-{next(_ids)}", what=what, secret=secret, given_ms=await engine.store.now_ms() - age_ms)
    await tokens_of(engine).give(given)
    kept: list[KeptTokens] = []

    async def is_taken() -> bool:
        read = await tokens_of(engine).read()
        kept[:] = [read] if read is not None and read.sign_in == given.id else []
        return bool(kept)

    await wait_until(is_taken, "the sign-in is carried out")
    assert await tokens_of(engine).given() == []
    return kept[0]


async def status_of(engine: Engine, *, signed_out: bool, why: str = "") -> ChannelStatus:
    found: list[ChannelStatus] = []

    async def stands_so() -> bool:
        status = await engine.status(CHANNEL)
        found[:] = [status] if status and status.signed_out is signed_out and why in status.reason else []
        return bool(found)

    await wait_until(stands_so, f"signed out: {signed_out}")
    return found[0]


# -- signing in


async def test_nothing_is_sent_before_somebody_signs_in_and_all_is_sent_then(
    store: StoreProcess, partition: str, guarded: GuardedChannel
) -> None:
    async with (
        caller_on(store, partition) as caller,
        publishing(store, partition, [guarded_plan(CHANNEL, guarded)], sealer=SEALER) as engine,
    ):
        await caller.ledger.run(receive("A", 3))
        status = await status_of(engine, signed_out=True)
        assert (status.circuit, NEVER in status.reason) == ("halted", True)
        assert f"holdfast channels sign-in {CHANNEL}" in status.reason
        assert [each.path for each in guarded.received] == []

        kept = await sign_in(engine)

        assert kept.values == {"access_token": guarded.access, "refresh_token": guarded.refresh}
        await wait_until(lambda: guarded.shown.get("A") == 3, "it is shown")
        assert (await status_of(engine, signed_out=False)).circuit == "closed"
        assert guarded.not_let_in == 0


@pytest.mark.parametrize(("secret", "age_ms"), [("another-made-up-code", 0), (CODE, GIVEN_LIFE_MS + 60_000)])
async def test_a_sign_in_that_fails_says_why_and_leaves_what_is_kept(
    secret: str, age_ms: int, store: StoreProcess, partition: str, guarded: GuardedChannel
) -> None:
    guarded.codes |= {"first-made-up-code"}
    async with publishing(store, partition, [guarded_plan(CHANNEL, guarded)], sealer=SEALER) as engine:
        before = await sign_in(engine, "first-made-up-code")

        after = await sign_in(engine, secret, age_ms=age_ms)

    assert after.sign_in_fault
    assert secret not in after.sign_in_fault
    assert after.values == before.values


async def test_a_refresh_token_can_be_brought(store: StoreProcess, partition: str, guarded: GuardedChannel) -> None:
    _, refresh = guarded.issue()
    async with publishing(store, partition, [guarded_plan(CHANNEL, guarded)], sealer=SEALER) as engine:
        kept = await sign_in(engine, refresh, "refresh_token")

    assert (kept.sign_in_fault, kept.values["refresh_token"]) == ("", guarded.refresh)
    assert guarded.refresh != refresh


# -- renewing


async def test_tokens_are_renewed_under_load_and_no_request_has_an_old_one(
    store: StoreProcess, partition: str, guarded: GuardedChannel
) -> None:
    guarded.life_s = 1.0
    guarded.answer_s = 0.005
    async with (
        caller_on(store, partition) as caller,
        publishing(store, partition, [guarded_plan(CHANNEL, guarded)], sealer=SEALER) as engine,
    ):
        await caller.ledger.run(receive("A", 100_000))
        await sign_in(engine)
        sold = 0
        while guarded.renewals < 4:
            await caller.ledger.run(order(f"load-{next(_ids)}", ("A", 1)))
            sold += 1
        await wait_until(lambda: guarded.shown["A"] == 100_000 - sold, "the last value is shown")

    assert (guarded.stale, guarded.not_let_in, guarded.refused_renewals) == (0, 0, 0)
    assert len(guarded.applied) > 4


async def test_many_that_wait_for_new_tokens_ask_for_them_once(
    store: StoreProcess, partition: str, guarded: GuardedChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "REFUSED_AGAIN_MS", 0)
    async with publishing(store, partition, [guarded_plan(CHANNEL, guarded)], sealer=SEALER) as engine:
        await sign_in(engine)
        guarded.taken_back.add(guarded.access)
        client = engine.channel(CHANNEL).client

        shown = await asyncio.gather(*(client.talk(lambda adapter: adapter.read(["A"])) for _ in range(20)))

    assert shown == [{}] * 20
    assert guarded.renewals == 1


async def test_a_request_that_is_not_let_in_for_another_cause_renews_nothing(
    store: StoreProcess, partition: str, guarded: GuardedChannel
) -> None:
    async with (
        caller_on(store, partition) as caller,
        publishing(store, partition, [guarded_plan(CHANNEL, guarded)], sealer=SEALER) as engine,
    ):
        await sign_in(engine)
        guarded.taken_back.add(guarded.access)
        await caller.ledger.run(receive("A", 3))

        await wait_until(lambda: engine.channel(CHANNEL).client.circuit_breaker.circuit == "open", "it is told")

    assert (guarded.renewals, guarded.not_let_in) == (0, 1)


async def test_what_was_taken_back_halts_the_channel_until_somebody_signs_in(
    store: StoreProcess, partition: str, guarded: GuardedChannel
) -> None:
    guarded.life_s = 1.0
    async with (
        caller_on(store, partition) as caller,
        publishing(store, partition, [guarded_plan(CHANNEL, guarded)], sealer=SEALER) as engine,
    ):
        await sign_in(engine)
        guarded.revoke()
        assert (await status_of(engine, signed_out=True, why="invalid_grant")).circuit == "halted"
        kept = await tokens_of(engine).read()
        assert kept is not None
        assert kept.values == {}
        asked = len(guarded.received)
        await caller.ledger.run(receive("A", 3))
        await wait_until(lambda: engine.channel(CHANNEL).client.circuit_breaker.circuit == "halted", "it is halted")
        assert len(guarded.received) == asked

        guarded.codes.add("second-made-up-code")
        guarded.life_s = 3_600.0
        await sign_in(engine, "second-made-up-code")

        await wait_until(lambda: guarded.shown.get("A") == 3, "it is shown")


@pytest.mark.parametrize("fault", ["reset", "failing", "throttled", "not_json"])
async def test_a_channel_that_gives_no_tokens_for_a_while_is_asked_again(
    fault: str, store: StoreProcess, partition: str, guarded: GuardedChannel
) -> None:
    guarded.life_s = 1.0
    async with (
        caller_on(store, partition) as caller,
        publishing(store, partition, [guarded_plan(CHANNEL, guarded)], sealer=SEALER) as engine,
    ):
        await sign_in(engine)
        guarded.only = "/token"
        guarded.faults.extend([fault, fault])  # type: ignore[list-item]  # one of them
        await wait_until(lambda: not guarded.faults, "both were met")
        await caller.ledger.run(receive("A", 3))

        await wait_until(lambda: guarded.shown.get("A") == 3, "it is shown all the same")


async def test_a_lost_answer_is_said_where_the_old_tokens_are_refused_then(
    store: StoreProcess, partition: str, guarded: GuardedChannel
) -> None:
    guarded.life_s = 1.0
    async with publishing(store, partition, [guarded_plan(CHANNEL, guarded)], sealer=SEALER) as engine:
        await sign_in(engine)
        guarded.only = "/token"
        guarded.faults.append("reset_after")

        assert (await status_of(engine, signed_out=True, why=LOST)).circuit == "halted"

    assert (guarded.renewals, guarded.refused_renewals) == (1, 1)


# -- stored before use


async def test_new_tokens_are_stored_before_they_are_used(
    store: StoreProcess, partition: str, guarded: GuardedChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded.life_s = 1.0
    used, too_early = set[str](), list[str]()
    write, bearer = TokenStore.write, GuardedChannel.bearer

    async def written(
        self: TokenStore, kept: KeptTokens, publisher: PublisherStore, token: int, done: Sequence[Given] = ()
    ) -> None:
        if not kept.renewing_ms and kept.values.get("access_token") in used:
            too_early.append(kept.values["access_token"])
        await write(self, kept, publisher, token, done)

    def seen(self: GuardedChannel, asked: web.Request) -> str:
        used.add(bearer(self, asked))
        return bearer(self, asked)

    monkeypatch.setattr(TokenStore, "write", written)
    monkeypatch.setattr(GuardedChannel, "bearer", seen)
    async with (
        caller_on(store, partition) as caller,
        publishing(store, partition, [guarded_plan(CHANNEL, guarded)], sealer=SEALER) as engine,
    ):
        await sign_in(engine)
        while guarded.renewals < 3:
            await caller.ledger.run(receive("A", 1))

    assert too_early == []
    assert len(used) > 1


async def test_a_kill_between_the_answer_and_the_store_ends_as_signed_out(
    store: StoreProcess, partition: str, guarded: GuardedChannel
) -> None:
    guarded.life_s = 1.0
    plans = [guarded_plan(CHANNEL, guarded)]
    async with publishing(store, partition, plans, sealer=SEALER) as engine:
        await sign_in(engine)
    before = guarded.renewals
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.channels.killed_keeper", store.url, partition, guarded.url, KEY.hex(), cwd=ROOT
    )
    assert await child.wait() == -signal.SIGKILL
    assert guarded.renewals == before + 1
    last = guarded.access

    async with caller_on(store, partition) as caller, publishing(store, partition, plans, sealer=SEALER) as engine:
        await caller.ledger.run(receive("A", 3))
        assert (await status_of(engine, signed_out=True, why=LOST)).circuit == "halted"
        assert guarded.not_let_in == 0
        guarded.codes.add("second-made-up-code")
        await sign_in(engine, "second-made-up-code")
        await wait_until(lambda: guarded.shown.get("A") == 3, "it is shown")

    assert guarded.access != last


async def test_a_publisher_that_lost_the_lease_meanwhile_neither_stores_nor_uses_what_it_is_answered(
    store: StoreProcess, partition: str, guarded: GuardedChannel
) -> None:
    guarded.life_s = 1.0
    keyspace = Keyspace(partition)
    async with (
        caller_on(store, partition) as caller,
        publishing(store, partition, [guarded_plan(CHANNEL, guarded)], sealer=SEALER) as engine,
    ):
        await sign_in(engine)
        guarded.go_on = asyncio.Event()
        await wait_until(lambda: guarded.renewals >= 1, "new tokens are on their way")
        answered = guarded.access
        # Another one has taken over, and this one does not know it yet.
        await engine.client.hset(keyspace.publisher, mapping={"owner": "another", "token": 2**52})
        guarded.go_on.set()
        await wait_until(lambda: not engine.publisher.acting, "it stops")
        await caller.ledger.run(receive("A", 3))
        kept = await tokens_of(engine).read()
        assert kept is not None
        assert answered not in kept.values.values()
        assert kept.renewing_ms

    assert [each.path for each in guarded.received if each.path != "/token"] == []


async def test_a_publisher_that_takes_over_goes_on_with_the_newest_tokens(
    store: StoreProcess, partition: str, guarded: GuardedChannel
) -> None:
    guarded.life_s = 1.0
    plans = [guarded_plan(CHANNEL, guarded)]
    async with caller_on(store, partition) as caller:
        async with publishing(store, partition, plans, sealer=SEALER, finish=False) as first:
            await caller.ledger.run(receive("A", 3))
            await sign_in(first)
            await wait_until(lambda: guarded.renewals >= 1, "they were renewed")
            await wait_until(first.is_idle)
        async with publishing(store, partition, plans, sealer=SEALER) as second:
            before = guarded.renewals
            await caller.ledger.run(receive("A", 4))
            await wait_until(lambda: guarded.shown.get("A") == 7, "it is shown")
            await wait_until(lambda: guarded.renewals > before, "they are renewed here")
            assert (await status_of(second, signed_out=False)).circuit == "closed"

    assert guarded.refused_renewals == 0


async def test_tokens_of_an_older_backup_end_as_signed_out(
    store: StoreProcess, partition: str, guarded: GuardedChannel
) -> None:
    guarded.life_s = 1.0
    plans = [guarded_plan(CHANNEL, guarded)]
    where = ChannelKeys(Keyspace(partition), CHANNEL).tokens
    async with publishing(store, partition, plans, sealer=SEALER) as engine:
        await sign_in(engine)
        old = await engine.client.hgetall(where)
        await wait_until(lambda: guarded.renewals >= 1, "they were renewed")
    async with publishing(store, partition, [], sealer=SEALER) as engine:
        await engine.client.hset(where, mapping=old)  # type: ignore[arg-type]  # as it was read
    async with publishing(store, partition, plans, sealer=SEALER) as engine:
        assert (await status_of(engine, signed_out=True, why="invalid_grant")).circuit == "halted"


async def test_a_publisher_that_was_put_aside_stores_and_uses_nothing(
    store: StoreProcess, partition: str, guarded: GuardedChannel
) -> None:
    async with publishing(store, partition, [guarded_plan(CHANNEL, guarded)], sealer=SEALER) as engine:
        kept = await sign_in(engine)
        other = PublisherStore(engine.client, Keyspace(partition))
        with pytest.raises(Exception, match="Another publisher"):
            await tokens_of(engine).write(KeptTokens(kind="plain", values={"access_token": "x"}), other, token=1)
        assert await tokens_of(engine).read() == kept


async def test_a_channel_of_another_kind_uses_nothing_of_the_one_before(
    store: StoreProcess, partition: str, guarded: GuardedChannel
) -> None:
    async with publishing(store, partition, [guarded_plan(CHANNEL, guarded)], sealer=SEALER) as engine:
        await sign_in(engine)
    same = guarded_plan(CHANNEL, guarded)
    other = dataclasses.replace(same, settings=msgspec.structs.replace(same.settings, kind="other"))
    async with publishing(store, partition, [other], sealer=SEALER) as engine:
        assert (await status_of(engine, signed_out=True, why=OTHER_KIND)).circuit == "halted"


# -- encrypted


async def test_no_file_and_no_log_has_a_secret(own_store: StoreProcess, guarded: GuardedChannel) -> None:
    guarded.life_s = 1.0
    guarded.codes.add("bad-made-up-code")
    with capture_logs() as logs:
        async with (
            caller_on(own_store, "default") as caller,
            publishing(own_store, "default", [guarded_plan(CHANNEL, guarded)], sealer=SEALER) as engine,
        ):
            await caller.ledger.run(receive("A", 3))
            await sign_in(engine)
            await sign_in(engine, "bad-made-up-secret")
            await wait_until(lambda: guarded.renewals >= 2, "they were renewed twice")
            guarded.revoke()
            await status_of(engine, signed_out=True, why="invalid_grant")
            guarded.codes.add("second-made-up-code")
            guarded.life_s = 3_600.0
            await sign_in(engine, "second-made-up-code")
            stored = await engine.client.hgetall(ChannelKeys(Keyspace("default"), CHANNEL).tokens)
    own_store.command("SAVE")
    own_store.stop()

    secrets = [*guarded.given, CODE, "bad-made-up-secret", "second-made-up-code", CLIENT_SECRET, KEY.decode()]
    files = {path: path.read_bytes() for path in own_store.directory.rglob("*") if path.is_file()}
    names = {path.suffix for path in files}
    found = [(path.name, secret) for path, content in files.items() for secret in secrets if secret.encode() in content]
    assert found == []
    assert {".rdb", ".aof"} <= names
    assert b"access_token" in stored[b"kept"]  # what is stored is there, and in the files
    assert any(b"access_token" in content for content in files.values())
    told = repr(logs)
    assert [secret for secret in secrets if secret in told] == []
    assert len(guarded.given) >= 8


async def test_a_key_is_replaced_while_both_are_set(
    store: StoreProcess, partition: str, guarded: GuardedChannel
) -> None:
    new = b"another-key-of-thirty-two-bytes!"
    plans = [guarded_plan(CHANNEL, guarded)]
    async with publishing(store, partition, plans, sealer=SEALER) as engine:
        kept = await sign_in(engine)
    async with publishing(store, partition, plans, sealer=Sealer([new, KEY])) as engine:
        assert await tokens_of(engine, Sealer([new])).read() == kept

    async with publishing(store, partition, plans, sealer=Sealer([new])) as engine:
        assert (await status_of(engine, signed_out=False)).circuit == "closed"


@pytest.mark.parametrize("sealer", [None, Sealer([b"a-key-with-which-nothing-was-sealed!"[:32]])])
async def test_without_the_right_key_the_channel_does_not_start_and_says_the_mend(
    sealer: Sealer | None, store: StoreProcess, partition: str, guarded: GuardedChannel
) -> None:
    plans = [guarded_plan(CHANNEL, guarded)]
    async with publishing(store, partition, plans, sealer=SEALER) as engine:
        await sign_in(engine)
    asked = len(guarded.received)
    async with publishing(store, partition, plans, sealer=sealer) as engine:

        async def is_halted() -> bool:
            status = await engine.status(CHANNEL)
            return status is not None and status.circuit == "halted" and "HOLDFAST_SECRET_KEY" in status.reason

        await wait_until(is_halted, "the status has the mend")
        assert engine.publisher.channels == []
    assert len(guarded.received) == asked
