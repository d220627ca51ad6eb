"""Group commit: operations that arrive while the store is busy go to it together, in one script call.

There is no wait window. Each of a few *slots* owns one connection and has at most one batch in flight; while all slots
are busy, arriving operations gather in the queues of ``turns.py``, and the next free slot takes them. At low load a
batch is one operation and none waits; under load one round trip and one fsync serve many.

An operation that was sent is never sent again and never cancelled, also when its caller has gone. So there are
three ways to fail:

- :class:`OverloadedError` – too many operations are waiting; it was not sent.
- :class:`StoreUnavailableError` – it was not sent, or the store refused it before running anything.
- :class:`OutcomeUnknownError` – it was sent, and no answer came.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import msgspec
import structlog
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import BusyLoadingError, InvalidResponse, RedisError, ResponseError

from server.store.connection.connect_errors import may_be_elsewhere
from server.store.errors import OutcomeUnknownError, StoreUnavailableError
from server.store.ledger.function_call import FunctionCall, Submitter, Turn
from server.store.ledger.replica_ack import ReplicaAck
from server.store.ledger.replies import meaning, unreadable
from server.store.ledger.turns import Batch, Turns, Waiting
from server.store.lua_library import NOT_LOADED
from server.telemetry import metrics

log = structlog.get_logger("holdfast.store")

SLOTS: Final = 2
"""One batch runs in the store while the replies of the other are handed out and its next operations gather."""
_RECONNECT_S: Final = (0.02, 0.05, 0.1, 0.2, 0.5)
_WATCH_S, _WATCH_IDLE_S = 0.05, 0.25
"""How often the deadlines are looked at, and while there are none: much later than that would be late for a new one."""


Redirect = Callable[[FunctionCall, list[Waiting], Exception], bool]
"""Called with each error that the store returned in place of a reply; True: the operations are sent to another node."""


class Batcher:
    """Sends operations to one store in batches.

    Parameters
    ----------
    connect
        Makes an unconnected connection of redis-py's, so that TLS, users and Unix sockets come from the library.
    operations_max, lines_max
        Bounds of one batch, and with it of how long a script runs.
    queue_max, queue_timeout_s
        How many operations may wait in all queues together, and for how long each.
    reply_timeout_s
        How long to wait for a reply.
    replicas
        How many replicas must have a batch before its answers count; 0 outside of ``replicated`` mode.
    redirect
        In a cluster: takes the calls that another node has to answer.

    """

    def __init__(
        self,
        connect: Callable[[], AbstractConnection],
        *,
        operations_max: int,
        lines_max: int,
        queue_max: int,
        queue_timeout_s: float,
        reply_timeout_s: float,
        replicas: int = 0,
        redirect: Redirect | None = None,
    ) -> None:
        self._connect = connect
        self._turns = Turns(operations_max=operations_max, lines_max=lines_max, queue_max=queue_max)
        self._queue_timeout_s = queue_timeout_s
        self._reply_timeout_s = reply_timeout_s
        self._replica_ack = ReplicaAck(replicas, reply_timeout_s)
        self._redirect = redirect
        self._idle: deque[asyncio.Future[None]] = deque()
        self._in_flight = 0
        self._sent_s: dict[AbstractConnection, float] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._last_problem = "no connection yet"
        self._numbers = itertools.count(1)

    def start(self) -> None:
        """Open the slots; they connect when there is something to send."""
        self._loop = asyncio.get_running_loop()
        self._tasks = [asyncio.create_task(self._run_slot(), name=f"batcher-slot-{n}") for n in range(SLOTS)]
        self._tasks.append(asyncio.create_task(self._watch(), name="batcher-watch"))

    async def close(self) -> None:
        """Answer all waiting operations, then close. The caller bounds it with a timeout."""
        try:
            while self._turns.operations or self._in_flight:  # noqa: ASYNC110  # only at a stop; an event would cost every batch
                await asyncio.sleep(0.005)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            _fail(self._turns.take_out(lambda _: True), StoreUnavailableError("The server is stopping."))

    def submit(self, turn: Turn, call: FunctionCall, operation: bytes, weight: int) -> "asyncio.Future[Any]":
        """Queue one packed operation; the future returns its answer. ``weight``: its lines of work, at least 1.

        Raises
        ------
        OverloadedError
            There is no room. Nothing happened. The future raises it where the operation made room for another key's.

        """
        answer: asyncio.Future[Any] = self._loop.create_future()
        turns = self._turns
        turns.add(Waiting(call, operation, weight, self._loop.time(), answer, turn))
        # One wake is enough: that slot takes all that has gathered by the time it runs.
        if turns.operations == 1:
            self._wake_slot()
        return answer

    @property
    def waiting(self) -> int:
        """How many operations wait to be sent."""
        return self._turns.operations

    def take_out(self, wanted: Callable[[FunctionCall], bool]) -> list[Waiting]:
        """Remove the operations of such calls from the queues and return them; they were not sent."""
        return self._turns.take_out(lambda waiting: wanted(waiting.call))

    def take_over(self, waiting: list[Waiting]) -> None:
        """Queue operations that another batcher did not send, or that were refused unrun, before later ones."""
        self._turns.add_first(waiting)
        self._wake_slot()

    def _wake_slot(self) -> None:
        while self._idle:
            slot = self._idle.popleft()
            if not slot.done():
                slot.set_result(None)
                return

    async def _run_slot(self) -> None:
        connection = self._connect()
        try:
            while True:
                while not self._turns.operations:
                    idle: asyncio.Future[None] = self._loop.create_future()
                    self._idle.append(idle)
                    await idle
                try:
                    await self._serve(connection)
                except Exception as error:  # a slot outlives any fault: without it all operations would wait for ever
                    self._last_problem = f"{type(error).__name__}: {error}"
                    log.exception("slot_failed")
                    await connection.disconnect(nowait=True)
                    await asyncio.sleep(_RECONNECT_S[-1])
        finally:
            await connection.disconnect(nowait=True)

    async def _serve(self, connection: AbstractConnection) -> None:
        """Send what is waiting as one batch, connecting first where need be."""
        if not (await _usable(connection) or await self._open(connection)):
            return
        batch = self._gather()
        if not batch:
            return  # the other slot was faster
        self._in_flight += 1
        try:
            await self._exchange(connection, batch)
        finally:
            self._in_flight -= 1

    async def _open(self, connection: AbstractConnection) -> bool:
        """Connect, trying while there is something to send. False: the queue emptied meanwhile."""
        attempt = 0
        while self._turns.operations:
            try:
                # The library bounds the socket's connecting, not the store's greeting.
                async with asyncio.timeout(self._reply_timeout_s):
                    await connection.connect()  # type: ignore[no-untyped-call]
            except (RedisError, OSError) as error:
                self._last_problem = str(error) or type(error).__name__
                await connection.disconnect(nowait=True)
                self._wake_slot()  # it may be connected, or connect sooner
                await asyncio.sleep(_RECONNECT_S[min(attempt, len(_RECONNECT_S) - 1)])
                attempt += 1
            else:
                return True
        return False

    def _gather(self) -> Batch:
        """Take what fits into one batch; wake another slot if something is left."""
        before = self._turns.operations
        batch = self._turns.take()
        left = self._turns.operations
        if left:
            self._wake_slot()
        metrics.STORE_BATCH_OPERATIONS.observe(before - left)
        return batch

    async def _exchange(self, connection: AbstractConnection, batch: Batch) -> None:
        """Send a batch and hand out its answers. Raises nothing but cancellation."""
        started_s = self._loop.time()
        numbers = [b"%d" % next(self._numbers) for _ in batch]
        commands = [
            call.command([each.operation for each in waiting], number)
            for (call, waiting), number in zip(batch.items(), numbers, strict=True)
        ]
        confirmations = self._replica_ack.after(batch)
        commands += confirmations
        self._sent_s[connection] = started_s
        try:
            await connection.send_packed_command(commands, check_health=False)
            replies = [
                await self._reply(connection, call, waiting, number)
                for (call, waiting), number in zip(batch.items(), numbers, strict=True)
            ]
            if confirmations:
                await self._replica_ack.read(connection, confirmations, replies)
        except (RedisError, OSError) as error:
            await connection.disconnect(nowait=True)
            self._last_problem = str(error) or type(error).__name__
            self._fail_batch(batch, error)
        except BaseException:
            self._fail_batch(batch, OutcomeUnknownError("The server stopped before the store's reply came."))
            raise
        else:
            for (call, waiting), reply in zip(batch.items(), replies, strict=True):
                if isinstance(reply, Exception):
                    await self._refused(connection, call, waiting, reply)
                else:
                    _hand_out(call, waiting, reply)
        finally:
            self._sent_s.pop(connection, None)
        metrics.STORE_ROUNDTRIP_SECONDS.observe(self._loop.time() - started_s)

    async def _refused(
        self, connection: AbstractConnection, call: FunctionCall, waiting: list[Waiting], error: Exception
    ) -> None:
        if may_be_elsewhere(error):
            # Not used again: a new connection is opened to where writes go by now.
            await connection.disconnect(nowait=True)
        if self._redirect is None or not self._redirect(call, waiting, error):
            _fail(waiting, meaning(error, call))

    async def _reply(
        self, connection: AbstractConnection, call: FunctionCall, waiting: list[Waiting], number: bytes
    ) -> Any:
        """Read one reply: a list of answers, or the error that the store returned in its place."""
        try:
            reply = await connection.read_response(disable_decoding=True)
        except ResponseError as error:
            return await self._load_and_repeat(call, waiting) if NOT_LOADED in str(error) else error
        if not isinstance(reply, list) or not reply or reply.pop() != number:
            # Replies and calls are out of step: whatever else comes on this connection is wrong as well.
            raise InvalidResponse("The store's reply belongs to another call.")
        return reply

    async def _load_and_repeat(self, call: FunctionCall, waiting: list[Waiting]) -> Any:
        """Load the library, which the store had lost (so nothing ran), and send the same once more.

        Replies of later calls may be on their way on this connection, so it cannot be used for it here.
        """
        other = self._connect()
        self._sent_s[other] = self._loop.time()
        try:
            await other.connect()  # type: ignore[no-untyped-call]
            await other.send_command("FUNCTION", "LOAD", "REPLACE", call.function.library.source)
            await other.read_response()
            # No other call was ever made on this connection, so the number is all the same, and dropped.
            command = call.command([each.operation for each in waiting])
            await other.send_packed_command(command, check_health=False)
            reply = await other.read_response(disable_decoding=True)
            if confirmations := self._replica_ack.after({call: waiting}):
                # Where a WAIT speaks for its own connection only, the one of the batch would not speak for this.
                await other.send_packed_command(confirmations, check_health=False)
                await self._replica_ack.read(other, confirmations, [reply])
        except ResponseError as error:
            return error
        else:
            return reply[:-1] if isinstance(reply, list) else reply
        finally:
            self._sent_s.pop(other, None)
            await other.disconnect(nowait=True)

    def _fail_batch(self, batch: Batch, error: BaseException) -> None:
        log.warning("store_reply_lost", reason=str(error) or type(error).__name__)
        for call, waiting in batch.items():
            failure: Exception
            if not call.writes or isinstance(error, BusyLoadingError):
                failure = StoreUnavailableError(f"The store gave no answer ({error}); try again.")
            else:
                failure = OutcomeUnknownError("The request was sent to the store and no reply came.")
            _fail(waiting, failure)

    async def _watch(self) -> None:
        """Enforce both deadlines, so that no operation and no batch needs a timer of its own."""
        while True:
            await asyncio.sleep(_WATCH_S if self._turns.operations or self._in_flight else _WATCH_IDLE_S)
            now_s = self._loop.time()
            metrics.STORE_QUEUE_OPERATIONS.set(self._turns.operations)
            metrics.STORE_QUEUES.set(self._turns.queues)
            metrics.STORE_LONGEST_QUEUE_OPERATIONS.set(self._turns.longest)
            overdue = self._turns.take_overdue(now_s - self._queue_timeout_s)
            _fail(overdue, StoreUnavailableError(f"The store is away: {self._last_problem}"))
            self._turns.forget_idle()
            for connection, sent_s in list(self._sent_s.items()):
                if sent_s < now_s - self._reply_timeout_s:
                    # The slot that reads from it gets an error, and fails its batch.
                    await connection.disconnect(nowait=True)


async def _usable(connection: AbstractConnection) -> bool:
    """Return whether a connection can be used: the other side may have closed it while it was idle.

    Detected now, nothing was sent; detected after sending, the outcome would be unknown.
    """
    if not connection.is_connected:
        return False
    try:
        closed = await connection.can_read()
    except (RedisError, OSError):
        closed = True
    if closed:
        await connection.disconnect(nowait=True)
    return not closed


def _hand_out(call: FunctionCall, waiting: list[Waiting], reply: Any) -> None:
    if not isinstance(reply, list) or len(reply) != len(waiting):
        _fail(waiting, unreadable(call, f"a reply that is not a list of {len(waiting)} answers"))
        return
    decode = call.decode
    for each, answer in zip(waiting, reply, strict=True):
        if each.answer.done():
            continue
        try:
            each.answer.set_result(decode(answer))
        except (msgspec.DecodeError, TypeError) as error:
            _fail([each], unreadable(call, str(error)))


def _fail(waiting: list[Waiting], error: Exception) -> None:
    for each in waiting:
        if not each.answer.done():
            each.answer.set_exception(error)


async def close_quietly(batcher: Submitter, timeout_s: float) -> None:
    """Close, with a limit on the time for the answers of batches in flight."""
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await batcher.close()
