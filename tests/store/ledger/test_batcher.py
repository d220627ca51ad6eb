"""Group commit: what shares a script call, what bounds it, and that each of the three failures says the truth."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.operations.stock import Receive
from server.domain.reservation import Changed
from server.domain.stock import StockChanged
from server.store.connection.connect import CLIENT_NAME
from server.store.errors import OutcomeUnknownError, OverloadedError, StoreUnavailableError
from server.store.keys import Keyspace
from server.store.ledger.batcher import SLOTS, Batcher
from server.store.ledger.codec import pack
from server.store.ledger.function_call import FunctionCall, Turn
from server.store.ledger.ledger import Ledger
from server.store.lua_library import Library
from tests.conftest import RETENTION, START, StoreClient, wait_until
from tests.support.operations import AnOperation, ask, changed, commit, level, moved, receive, release, reserve, stocked
from tests.support.proxy import Fate, Proxy
from tests.support.stores import StoreProcess
from tests.support.stores import wait_until as wait_for

OpenBatcher = Callable[..., Batcher]
TURN = Turn("batched", "key")


@pytest.fixture
async def proxy(
    store: StoreProcess,
    client: Redis,  # noqa: ARG001  # it checks the keys afterwards
) -> AsyncIterator[Proxy]:
    async with Proxy(store.socket) as between:
        yield between


def ledger_over(batcher: Batcher, partition: str = "batched") -> Ledger:
    return Ledger(batcher, Keyspace(partition), RETENTION)


async def calls(client: Redis) -> int:
    """Count the script calls that the store has run."""
    stats = await client.info("commandstats")
    return int(stats.get("cmdstat_fcall", {}).get("calls", 0))


async def fill_slots(proxy: Proxy, ledger: Ledger) -> "list[asyncio.Task[Any]]":
    """Put a batch of one in flight in each slot; their replies are held."""
    proxy.hold_replies()
    before = proxy.calls
    tasks = []
    for number in range(SLOTS):
        tasks.append(asyncio.create_task(ask(ledger, receive(f"slot-{number}", 1))))
        await wait_until(partial(proxy.has_seen, before + number + 1), "the batch is in flight")
    return tasks


async def connected(ledger: Ledger, proxy: Proxy) -> None:
    """Make both slots connect, so that nothing but batches goes over the proxy from now on."""
    await moved(ledger, receive("warm", 1))
    tasks = await fill_slots(proxy, ledger)
    proxy.release_replies()
    await asyncio.gather(*tasks)


async def slots_are_connected(ledger: Ledger, store: StoreProcess) -> bool:
    """Ask for something while something is in flight, so that another slot connects, and see whether all are."""
    first = asyncio.create_task(level(ledger, "A"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.gather(first, level(ledger, "A"))
    with store.admin() as client:
        return [each["name"] for each in client.client_list()].count(CLIENT_NAME) == SLOTS


@contextmanager
def stopped(store: StoreProcess) -> Iterator[None]:
    """Let a store stand still for a while."""
    os.kill(store.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(store.pid, signal.SIGCONT)


def are_in_flight(batcher: Batcher, batches: int) -> bool:
    return batcher.waiting == 0 and batcher._in_flight == batches


# What goes together


async def test_given_operations_of_one_moment_when_submitted_then_they_share_a_script_call(
    ledger: Ledger, client: Redis
) -> None:
    await moved(ledger, receive("A", 1))
    before = await calls(client)
    await asyncio.gather(*(moved(ledger, receive("A", 1)) for _ in range(50)))
    assert await calls(client) == before + 1


async def test_given_batches_in_flight_when_operations_arrive_then_they_gather_into_one(
    proxy: Proxy, open_batcher: OpenBatcher
) -> None:
    ledger = ledger_over(open_batcher(proxy.url))
    await connected(ledger, proxy)
    in_flight = await fill_slots(proxy, ledger)
    before = proxy.calls
    arriving = []
    for number in range(20):
        arriving.append(asyncio.create_task(ask(ledger, receive("A", number + 1))))
        await asyncio.sleep(0)
    proxy.release_replies()
    await asyncio.gather(*in_flight, *arriving)
    assert proxy.calls == before + 1


async def test_given_more_operations_than_a_batch_may_hold_when_sent_then_they_go_in_several(
    proxy: Proxy, client: Redis, open_batcher: OpenBatcher
) -> None:
    batcher = open_batcher(proxy.url, operations_max=10)
    ledger = ledger_over(batcher)
    await connected(ledger, proxy)
    in_flight = await fill_slots(proxy, ledger)
    before = await calls(client)
    arriving = [asyncio.create_task(ask(ledger, receive("A", 1))) for _ in range(45)]
    await wait_until(lambda: batcher.waiting == 45)
    proxy.release_replies()
    await asyncio.gather(*in_flight, *arriving)
    assert await calls(client) == before + 5


async def test_given_more_lines_than_a_batch_may_hold_when_sent_then_they_go_in_several(
    proxy: Proxy, client: Redis, open_batcher: OpenBatcher
) -> None:
    batcher = open_batcher(proxy.url, lines_max=10)
    ledger = ledger_over(batcher)
    await connected(ledger, proxy)
    await stocked(ledger, A=1000)
    in_flight = await fill_slots(proxy, ledger)
    before = await calls(client)
    wanted = [reserve(f"r{n}", ("A", 1), ("A", 1), ("A", 1)) for n in range(12)]
    arriving = [asyncio.create_task(ask(ledger, each)) for each in wanted]
    await wait_until(lambda: batcher.waiting == 12)
    proxy.release_replies()
    await asyncio.gather(*in_flight, *arriving)
    assert await calls(client) == before + 4


async def test_given_the_largest_batch_that_settings_allow_when_sent_then_every_operation_is_answered(
    proxy: Proxy, client: Redis, open_batcher: OpenBatcher
) -> None:
    operations, lines = 256, 1000
    batcher = open_batcher(proxy.url, operations_max=operations, lines_max=lines)
    ledger = ledger_over(batcher)
    await connected(ledger, proxy)
    await stocked(ledger, A=10_000)
    in_flight = await fill_slots(proxy, ledger)
    before = await calls(client)
    long = (lines - operations) // 99  # a hundred lines each, one line for all others: within both bounds
    wanted = [reserve(f"r{n}", *[("A", 1)] * (100 if n < long else 1)) for n in range(operations)]
    arriving = [asyncio.create_task(ask(ledger, each)) for each in wanted]
    await wait_until(lambda: batcher.waiting == operations)
    proxy.release_replies()
    answers = await asyncio.gather(*arriving)
    await asyncio.gather(*in_flight)
    assert all(isinstance(answer, Changed) for answer in answers)
    assert await calls(client) == before + 1


async def test_given_an_operation_with_more_lines_than_a_batch_may_hold_when_sent_then_it_goes_alone(
    store: StoreProcess, client: Redis, open_batcher: OpenBatcher
) -> None:
    ledger = ledger_over(open_batcher(store, lines_max=2))
    await stocked(ledger, A=10)
    before = await calls(client)
    await asyncio.gather(
        changed(ledger, reserve("r1", ("A", 1), ("A", 1), ("A", 1))), changed(ledger, reserve("r2", ("A", 1)))
    )
    assert await calls(client) == before + 2


async def test_given_two_partitions_when_submitted_together_then_each_gets_its_own_answer(
    batcher: Batcher, client: Redis
) -> None:
    ours, theirs = ledger_over(batcher, "ours"), ledger_over(batcher, "theirs")
    answers = await asyncio.gather(moved(ours, receive("A", 1)), moved(theirs, receive("A", 2)))
    assert [answer.level.on_hand for answer in answers] == [1, 2]
    assert await client.exists(ours.keyspace.stock, theirs.keyspace.stock) == 2


# Overload, and a store that is away: nothing happened


async def test_given_a_full_queue_when_one_more_comes_then_it_is_refused_and_never_sent(
    proxy: Proxy, open_batcher: OpenBatcher
) -> None:
    batcher = open_batcher(proxy.url, queue_max=3)
    ledger = ledger_over(batcher)
    await connected(ledger, proxy)
    in_flight = await fill_slots(proxy, ledger)
    waiting = [asyncio.create_task(ask(ledger, receive("A", 1))) for _ in range(3)]
    await wait_until(lambda: batcher.waiting == 3)
    with pytest.raises(OverloadedError):
        await ask(ledger, receive("A", 100))
    proxy.release_replies()
    await asyncio.gather(*in_flight, *waiting)
    assert (await level(ledger, "A")).on_hand == 3


async def test_given_a_store_that_stands_still_when_an_operation_waits_unsent_too_long_then_nothing_happens_ever(
    own_store: StoreProcess, open_batcher: OpenBatcher
) -> None:
    batcher = open_batcher(own_store, queue_timeout_s=0.5)
    ledger = ledger_over(batcher)
    await stocked(ledger, A=1)
    await wait_until(partial(slots_are_connected, ledger, own_store))
    with stopped(own_store):
        sent = []
        for number in range(SLOTS):
            sent.append(asyncio.create_task(ask(ledger, receive("B", 1, key=f"k{number}"))))
            await wait_until(partial(are_in_flight, batcher, number + 1))
        with pytest.raises(StoreUnavailableError):
            await ask(ledger, receive("A", 100))
    await asyncio.gather(*sent)
    assert (await level(ledger, "A")).on_hand == 1


async def test_given_no_store_at_all_when_asked_then_it_is_unavailable(
    own_store: StoreProcess, open_batcher: OpenBatcher
) -> None:
    own_store.stop()
    ledger = ledger_over(open_batcher(own_store, queue_timeout_s=0.1))
    with pytest.raises(StoreUnavailableError):
        await ask(ledger, receive("A", 1))


async def test_given_a_store_that_was_restarted_when_asked_then_it_answers_with_what_it_had(
    own_store: StoreProcess, open_batcher: OpenBatcher
) -> None:
    ledger = ledger_over(open_batcher(own_store))
    await stocked(ledger, A=7)
    own_store.stop()
    own_store.start()
    assert (await moved(ledger, receive("A", 1))).level.on_hand == 8


async def test_given_a_store_that_comes_back_while_asked_then_the_waiting_are_answered(
    own_store: StoreProcess, open_batcher: OpenBatcher
) -> None:
    batcher = open_batcher(own_store)
    ledger = ledger_over(batcher)
    await stocked(ledger, A=7)
    own_store.kill()
    waiting = asyncio.create_task(moved(ledger, receive("A", 1)))
    await wait_until(lambda: batcher.waiting == 1)
    own_store.start()
    assert (await waiting).level.on_hand == 8


async def test_given_a_connection_that_hangs_while_it_opens_when_the_way_is_free_then_the_slot_recovers(
    proxy: Proxy, open_batcher: OpenBatcher
) -> None:
    proxy.silent = True
    ledger = ledger_over(open_batcher(proxy.url, reply_timeout_s=0.5))
    waiting = asyncio.create_task(moved(ledger, receive("A", 1)))
    await wait_until(lambda: proxy.connections > 0)
    proxy.silent = False
    assert (await waiting).level.on_hand == 1


async def test_given_a_connection_that_was_closed_while_idle_when_asked_then_the_outcome_is_known(
    own_store: StoreProcess, open_batcher: OpenBatcher
) -> None:
    ledger = ledger_over(open_batcher(own_store))
    await stocked(ledger, A=1)
    own_store.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await asyncio.sleep(0)
    assert (await moved(ledger, receive("A", 1))).level.on_hand == 2


# A reply that is lost: the outcome is unknown, and the same key settles it


@pytest.mark.parametrize("fate", [Fate.CUT_AFTER, Fate.LOSE_REPLY])
@pytest.mark.parametrize("operation", [reserve("r", ("A", 2)), receive("A", 2, key="k")], ids=["reserve", "receive"])
async def test_given_a_lost_reply_when_asked_again_then_the_first_effect_was_the_only_one(
    proxy: Proxy, open_batcher: OpenBatcher, fate: Fate, operation: AnOperation
) -> None:
    await stocked(ledger_over(open_batcher(proxy.url)), A=10)
    ledger = ledger_over(open_batcher(proxy.url, reply_timeout_s=0.5))
    proxy.next_fate = fate
    with pytest.raises(OutcomeUnknownError):
        await ask(ledger, operation)
    seq = (await level(ledger, "A")).seq
    answer = await ask(ledger, operation)
    assert isinstance(answer, Changed | StockChanged)
    assert answer.replayed
    assert (await level(ledger, "A")).seq == seq == 2


async def test_given_a_reply_that_comes_again_when_the_next_call_is_out_then_no_caller_takes_it_for_its_own(
    proxy: Proxy, open_batcher: OpenBatcher
) -> None:
    ledger = ledger_over(open_batcher(proxy.url))
    await connected(ledger, proxy)
    proxy.next_fate = Fate.REPEAT_LATER
    assert (await moved(ledger, receive("first", 1))).level.sku == "first"
    # As many as there are connections: one of them goes over the one with the copy.
    answers = [await _sku_answered(ledger, f"next-{number}") for number in range(SLOTS)]
    assert answers.count("unknown") == 1
    assert all(sku == f"next-{number}" for number, sku in enumerate(answers) if sku != "unknown")
    assert [(await level(ledger, f"next-{number}")).on_hand for number in range(SLOTS)] == [1] * SLOTS


async def _sku_answered(ledger: Ledger, sku: str) -> str:
    """Receive a unit of a SKU; returns the SKU that the answer is about."""
    try:
        return (await moved(ledger, receive(sku, 1))).level.sku
    except OutcomeUnknownError:
        return "unknown"


async def test_given_a_call_that_never_arrived_when_asked_again_then_it_takes_effect_for_the_first_time(
    proxy: Proxy, open_batcher: OpenBatcher
) -> None:
    ledger = ledger_over(open_batcher(proxy.url))
    await stocked(ledger, A=10)
    proxy.next_fate = Fate.CUT_BEFORE
    wanted = receive("A", 2, key="k")
    with pytest.raises(OutcomeUnknownError):
        await ask(ledger, wanted)
    answer = await moved(ledger, wanted)
    assert (answer.replayed, answer.level.on_hand) == (False, 12)


async def test_given_a_lost_reply_when_it_was_only_a_question_then_nothing_is_unknown(
    proxy: Proxy, open_batcher: OpenBatcher
) -> None:
    ledger = ledger_over(open_batcher(proxy.url))
    await stocked(ledger, A=10)
    proxy.next_fate = Fate.CUT_AFTER
    with pytest.raises(StoreUnavailableError):
        await ledger.stock("A")


async def test_given_a_batch_whose_reply_is_lost_when_it_is_over_then_all_of_it_is_unknown_and_once_there(
    proxy: Proxy, open_batcher: OpenBatcher
) -> None:
    ledger = ledger_over(open_batcher(proxy.url))
    await stocked(ledger, A=100)
    proxy.next_fate = Fate.CUT_AFTER
    wanted = [receive("A", 1, key=f"k{n}") for n in range(10)]
    lost = await asyncio.gather(*(ask(ledger, each) for each in wanted), return_exceptions=True)
    assert {type(each) for each in lost} == {OutcomeUnknownError}
    again = await asyncio.gather(*(moved(ledger, each) for each in wanted))
    assert all(each.replayed for each in again)
    assert (await level(ledger, "A")).on_hand == 110


async def test_given_a_caller_that_goes_while_its_operation_is_in_flight_then_it_takes_effect_and_neighbours_answer(
    proxy: Proxy, open_batcher: OpenBatcher
) -> None:
    ledger = ledger_over(open_batcher(proxy.url))
    await stocked(ledger, A=10)
    proxy.hold_replies()
    before = proxy.calls
    gone = asyncio.create_task(moved(ledger, receive("A", 1)))
    neighbour = asyncio.create_task(moved(ledger, receive("A", 2)))
    await wait_until(lambda: proxy.calls == before + 1)
    gone.cancel()
    proxy.release_replies()
    assert (await neighbour).level.on_hand == 13
    assert gone.cancelled()


async def test_given_a_caller_that_goes_while_its_operation_waits_then_it_takes_effect_and_neighbours_answer(
    proxy: Proxy, open_batcher: OpenBatcher
) -> None:
    batcher = open_batcher(proxy.url)
    ledger = ledger_over(batcher)
    await connected(ledger, proxy)
    in_flight = await fill_slots(proxy, ledger)
    gone = asyncio.create_task(moved(ledger, receive("A", 1)))
    neighbour = asyncio.create_task(moved(ledger, receive("A", 2)))
    await wait_until(lambda: batcher.waiting == 2)
    gone.cancel()
    proxy.release_replies()
    assert (await neighbour).level.on_hand == 3
    await asyncio.gather(*in_flight)


async def test_given_operations_in_flight_when_closed_then_they_are_answered_first(
    proxy: Proxy, open_batcher: OpenBatcher
) -> None:
    batcher = open_batcher(proxy.url)
    ledger = ledger_over(batcher)
    await connected(ledger, proxy)
    in_flight = await fill_slots(proxy, ledger)
    waiting = asyncio.create_task(moved(ledger, receive("A", 1)))
    await wait_until(lambda: batcher.waiting == 1)
    closing = asyncio.create_task(batcher.close())
    proxy.release_replies()
    await closing
    assert [task.done() for task in (*in_flight, waiting)] == [True] * 3
    assert waiting.result().level.on_hand == 1


# What the store itself refuses


async def test_given_scripts_that_the_store_forgot_when_asked_then_they_are_loaded_and_nothing_is_lost(
    own_store: StoreProcess, open_batcher: OpenBatcher
) -> None:
    ledger = ledger_over(open_batcher(own_store))
    await stocked(ledger, A=10)
    await changed(ledger, reserve("r", ("A", 1)))
    own_store.command("FUNCTION", "FLUSH")
    answers = await asyncio.gather(
        ask(ledger, reserve("r2", ("A", 2))), ask(ledger, commit("r")), ask(ledger, receive("A", 1))
    )
    assert all(isinstance(answer, Changed | StockChanged) for answer in answers)
    shelf = await level(ledger, "A")
    assert (shelf.on_hand, shelf.held, shelf.committed) == (11, 2, 1)


async def test_given_a_full_store_when_asked_to_reserve_then_it_refuses_and_nothing_is_half_written(
    own_store: StoreProcess, open_batcher: OpenBatcher
) -> None:
    ledger = ledger_over(open_batcher(own_store))
    await stocked(ledger, A=10)
    own_store.command("CONFIG", "SET", "maxmemory", "1")
    async with StoreClient(own_store) as client:
        before = {key: await client.dump(key) for key in ledger.keyspace.all}
        with pytest.raises(StoreUnavailableError):
            await ask(ledger, reserve("r", ("A", 1)))
        assert {key: await client.dump(key) for key in ledger.keyspace.all} == before


async def test_given_a_full_store_when_asked_to_let_go_then_it_does(
    own_store: StoreProcess, open_batcher: OpenBatcher
) -> None:
    ledger = ledger_over(open_batcher(own_store))
    await stocked(ledger, A=10)
    await changed(ledger, reserve("r1", ("A", 1)))
    await changed(ledger, reserve("r2", ("A", 2)))
    own_store.command("CONFIG", "SET", "maxmemory", "1")
    assert (await changed(ledger, release("r1", key="k"))).reservation.state == "released"
    assert (await changed(ledger, commit("r2"))).reservation.state == "committed"


async def test_given_a_full_store_when_memory_is_there_again_then_it_reserves_again(
    own_store: StoreProcess, open_batcher: OpenBatcher
) -> None:
    ledger = ledger_over(open_batcher(own_store))
    await stocked(ledger, A=10)
    own_store.command("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(StoreUnavailableError):
        await ask(ledger, reserve("r", ("A", 1)))
    own_store.command("CONFIG", "SET", "maxmemory", "0")
    assert not (await changed(ledger, reserve("r", ("A", 1)))).replayed


async def test_given_a_replica_when_asked_to_write_then_it_is_unavailable_not_unknown(
    own_store: StoreProcess, open_batcher: OpenBatcher
) -> None:
    ledger = ledger_over(open_batcher(own_store))
    await stocked(ledger, A=10)
    own_store.command("REPLICAOF", "127.0.0.1", 1)
    with pytest.raises(StoreUnavailableError):
        await ask(ledger, receive("A", 1))
    own_store.command("REPLICAOF", "NO", "ONE")
    assert (await level(ledger, "A")).on_hand == 10


async def test_given_too_few_replicas_when_asked_to_write_then_it_is_unavailable_not_unknown(
    own_store: StoreProcess, open_batcher: OpenBatcher
) -> None:
    ledger = ledger_over(open_batcher(own_store))
    await stocked(ledger, A=10)
    own_store.command("CONFIG", "SET", "min-replicas-to-write", 1)
    with pytest.raises(StoreUnavailableError):
        await ask(ledger, receive("A", 1))


# A fault of our own: it harms no other test


def faulty_lane(body: str, decode: Callable[[bytes], Any] = msgspec.msgpack.decode) -> FunctionCall:
    """Make a lane to a function with the given body, in a library that is not ours; it gives the call's number back."""
    text = (
        f"local function body(keys, args) {body} end\n"
        "redis.register_function('faulty_@DIGEST@', function(keys, args)\n"
        "local reply = body(keys, args)\n"
        "if type(reply) == 'table' and not reply.err then reply[#reply + 1] = args[3] end\n"
        "return reply end)"
    )
    return FunctionCall(Library(text).function("faulty"), Keyspace("batched"), b"", decode, writes=True)


@pytest.mark.parametrize(
    "source",
    [
        "return redis.error_reply('ERR broken')",
        "redis.call('LPUSH', KEYS[9], 1) error('half way')",
        "return 1",
        "return {}",
        "return {'not msgpack', 1}",
        "this is not lua",
    ],
)
async def test_given_a_script_with_a_fault_when_called_then_its_caller_is_answered_and_the_next_are_served(
    batcher: Batcher, client: Redis, source: str
) -> None:
    ledger = ledger_over(batcher)
    faulty = faulty_lane(source)
    for _ in range(2 * SLOTS):
        with pytest.raises((OutcomeUnknownError, StoreUnavailableError)):
            async with asyncio.timeout(5):
                await batcher.submit(TURN, faulty, pack("anything"), 1)
    await client.delete(ledger.keyspace.meta)
    assert (await moved(ledger, receive("A", 1))).level.on_hand == 1


async def test_given_one_answer_that_cannot_be_read_when_a_batch_is_answered_then_its_neighbours_get_theirs(
    batcher: Batcher, client: Redis
) -> None:
    await client.ping()

    def decode(answer: bytes) -> int:
        return msgspec.msgpack.decode(answer, type=int)

    lane = faulty_lane("return {cmsgpack.pack(1), cmsgpack.pack('two'), cmsgpack.pack(3)}", decode)
    async with asyncio.timeout(5):
        answers = await asyncio.gather(
            *(batcher.submit(TURN, lane, pack(n), 1) for n in range(3)), return_exceptions=True
        )
    assert [answers[0], type(answers[1]), answers[2]] == [1, OutcomeUnknownError, 3]


async def test_given_an_operation_that_cannot_be_written_when_submitted_then_only_its_caller_gets_the_error(
    batcher: Batcher, client: Redis
) -> None:
    await client.ping()
    ledger = ledger_over(batcher)
    unwritable = Receive("", "tester", "", "\ud800", "main", 1)
    async with asyncio.timeout(5):
        faulty, *others = await asyncio.gather(
            ask(ledger, unwritable), *(ask(ledger, receive("A", 1)) for _ in range(2 * SLOTS)), return_exceptions=True
        )
    assert isinstance(faulty, UnicodeEncodeError)
    assert [type(other) for other in others] == [StockChanged] * 2 * SLOTS


# Replicated: an answer counts when a replica has it


class Replicated(NamedTuple):
    primary: StoreProcess
    replica: StoreProcess

    def has_replica(self) -> bool:
        with self.primary.admin() as client:
            return str(client.info("replication").get("slave0", {}).get("state")) == "online"


@pytest.fixture(params=START)
def replicated(request: pytest.FixtureRequest) -> Iterator[Replicated]:
    """Start a primary with one replica."""
    start = START[request.param]
    with start(tcp=True, settings={"repl-diskless-sync-delay": "0"}) as primary, start(replicaof=primary) as replica:
        pair = Replicated(primary, replica)
        wait_for(pair.has_replica, "the replica is online")
        yield pair


def replicated_ledgers(replicated: Replicated, open_batcher: OpenBatcher) -> tuple[Ledger, Ledger]:
    """Open one partition twice, both with a replica asked for: with a patient batcher, and with a hasty one."""
    patient = open_batcher(replicated.primary, replicas=1)
    hasty = open_batcher(replicated.primary, replicas=1, reply_timeout_s=1.0)
    return ledger_over(patient), ledger_over(hasty)


async def test_given_a_replica_when_replication_is_asked_for_then_it_has_what_was_answered(
    replicated: Replicated, open_batcher: OpenBatcher
) -> None:
    ledger = ledger_over(open_batcher(replicated.primary, replicas=1))
    await moved(ledger, receive("A", 1))
    assert replicated.replica.command("HLEN", ledger.keyspace.stock) == 1


async def test_given_a_replica_that_stands_still_when_replication_is_asked_for_then_no_answer_counts(
    replicated: Replicated, open_batcher: OpenBatcher
) -> None:
    patient, hasty = replicated_ledgers(replicated, open_batcher)
    await moved(patient, receive("A", 1))
    wanted = receive("A", 1, key="k")
    with stopped(replicated.replica), pytest.raises(OutcomeUnknownError):
        await ask(hasty, wanted)
    assert (await moved(patient, wanted)).replayed


async def test_given_a_replica_that_stands_still_when_the_library_must_be_loaded_first_then_no_answer_counts(
    replicated: Replicated, open_batcher: OpenBatcher
) -> None:
    patient, hasty = replicated_ledgers(replicated, open_batcher)
    wanted = receive("A", 1, key="k")
    with stopped(replicated.replica), pytest.raises(OutcomeUnknownError):
        await ask(hasty, wanted)
    assert (await moved(patient, wanted)).replayed


async def test_given_no_replica_when_replication_is_asked_for_then_no_answer_counts(
    own_store: StoreProcess, open_batcher: OpenBatcher
) -> None:
    ledger = ledger_over(open_batcher(own_store, replicas=1, reply_timeout_s=0.2))
    with pytest.raises(OutcomeUnknownError):
        await ask(ledger, receive("A", 1))
