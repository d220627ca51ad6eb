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
from functools import partial
from typing import Any, Final

import structlog
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import BusyLoadingError, InvalidResponse, RedisError

from server.store.connection.call_connection import CallConnection, Done, late
from server.store.connection.connect_errors import may_be_elsewhere
from server.store.errors import OutcomeUnknownError, StoreUnavailableError
from server.store.ledger.backlog import CALM_S, Backlog
from server.store.ledger.function_call import FunctionCall, Submitter, Turn, Waiting
from server.store.ledger.reload import Reload, is_lost
from server.store.ledger.replica_ack import ReplicaAck, is_elsewhere
from server.store.ledger.replies import check_numbers, fail, hand_out, meaning
from server.store.ledger.turns import Batch, Turns
from server.telemetry import metrics
from server.telemetry.histogram_tally import HistogramTally

log = structlog.get_logger("holdfast.store")

SLOTS: Final = 2
"""One batch runs in the store while the replies of the other are handed out and its next operations gather."""
_RECONNECT_S: Final = (0.02, 0.05, 0.1, 0.2, 0.5)
_WATCH_S, _WATCH_IDLE_S = 0.05, 0.25
"""How often the deadlines are looked at, and while there are none: much later than that would be late for a new one."""


class _Slot:
    """One connection, and the batch that it has in flight, if it has one.

    ``sent_s``: when that was sent; 0: nothing is in flight. ``numbers``: of its calls, which the replies return.
    ``confirming``: how many further replies say whether replicas have it. ``task``: what it does beside sending.
    """

    __slots__ = ("batch", "confirming", "connection", "done", "numbers", "sent_s", "task")

    def __init__(self, connection: CallConnection, answered: "Callable[[_Slot, list[Any] | Exception], None]") -> None:
        self.connection = connection
        self.done: Done = partial(answered, self)
        self.batch: Batch = {}
        self.numbers: list[bytes] = []
        self.confirming = 0
        self.sent_s = 0.0
        self.task: asyncio.Task[None] | None = None


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
    queue_wait_s
        How long operations may wait in a backlog, about; more of them are refused. 0: as many as ``queue_max`` wait.
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
        queue_wait_s: float = 0.0,
        replicas: int = 0,
        redirect: Redirect | None = None,
    ) -> None:
        self._connect = connect
        self._turns = Turns(operations_max=operations_max, lines_max=lines_max, queue_max=queue_max)
        self._backlog = Backlog(operations_max=operations_max, queue_max=queue_max, wait_s=queue_wait_s)
        self._calm: asyncio.TimerHandle | None = None
        self._queue_timeout_s = queue_timeout_s
        self._reply_timeout_s = reply_timeout_s
        self._replica_ack = ReplicaAck(replicas, reply_timeout_s)
        self._redirect = redirect
        self._slots: list[_Slot] = []
        self._idle: deque[_Slot] = deque()
        self._watching: asyncio.Task[None] | None = None
        self._reload = Reload(connect)
        self._last_problem = "no connection yet"
        self._numbers = itertools.count(1)
        self._batches = HistogramTally(metrics.STORE_BATCH_OPERATIONS, metrics.BATCH_OPERATIONS)
        self._roundtrips = HistogramTally(metrics.STORE_ROUNDTRIP_SECONDS, metrics.SECONDS)

    def start(self) -> None:
        """Make the slots; they connect when there is something to send."""
        self._loop = asyncio.get_running_loop()
        self._slots = [_Slot(CallConnection(self._connect()), self._answered) for _ in range(SLOTS)]
        self._idle.extend(self._slots)
        self._watching = asyncio.create_task(self._watch(), name="batcher-watch")

    async def close(self) -> None:
        """Answer all waiting operations, then close. The caller bounds it with a timeout."""
        try:
            while self._turns.operations or self._in_flight:  # noqa: ASYNC110  # only at a stop; an event would cost every batch
                await asyncio.sleep(0.005)
        finally:
            fail(self._turns.take_out(lambda _: True), StoreUnavailableError("The server is stopping."))
            tasks = [task for task in (self._watching, *(slot.task for slot in self._slots)) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for slot in self._slots:
                await slot.connection.close()
            self._idle.clear()
            self._hand_over()

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

    @property
    def _in_flight(self) -> int:
        """How many batches are in flight."""
        return sum(slot.sent_s > 0 for slot in self._slots)

    def _wake_slot(self) -> None:
        # Not at once: what else comes in this turn of the loop goes along.
        if self._idle:
            self._loop.call_soon(self._send, self._idle.popleft())

    def _send(self, slot: _Slot) -> None:
        """Send what is waiting as one batch, connecting first where need be."""
        if not slot.connection.is_open and self._turns.operations:
            slot.task = asyncio.create_task(self._open(slot), name="batcher-open")
            return
        batch = self._gather() if self._turns.operations else {}
        if not batch:
            self._idle.append(slot)  # the other slot was faster
            return
        slot.batch, slot.sent_s = batch, self._loop.time()
        try:
            slot.numbers = numbers = [b"%d" % next(self._numbers) for _ in batch]
            calls = [
                call.command([each.operation for each in waiting], number)
                for (call, waiting), number in zip(batch.items(), numbers, strict=True)
            ]
            confirmations = self._replica_ack.after(batch)
            slot.confirming = len(confirmations)
            slot.connection.send(calls + confirmations if confirmations else calls, len(calls), slot.done)
        except Exception as error:  # noqa: BLE001  # a slot outlives any fault: without it all would wait for ever
            self._broke(slot, error)

    async def _open(self, slot: _Slot) -> None:
        """Connect, trying while there is something to send, and send it."""
        attempt = 0
        while self._turns.operations:
            try:
                # The library bounds the socket's connecting, not the store's greeting.
                async with asyncio.timeout(self._reply_timeout_s):
                    await slot.connection.open()
            except Exception as error:  # a slot outlives any fault: without it all would wait for ever
                if not isinstance(error, RedisError | OSError):
                    log.exception("slot_failed", exc_info=error)
                self._last_problem = str(error) or type(error).__name__
                self._wake_slot()  # it may be connected, or connect sooner
                await asyncio.sleep(_RECONNECT_S[min(attempt, len(_RECONNECT_S) - 1)])
                attempt += 1
            else:
                break
        self._send(slot)

    def _gather(self) -> Batch:
        """Take what fits into one batch; wake another slot if something is left."""
        before = self._turns.operations
        batch = self._turns.take()
        left = self._turns.operations
        if left:
            self._wake_slot()
            if self._calm is not None:
                self._calm.cancel()
                self._calm = None
            bound = self._backlog.goes_on(before - left, self._loop.time())
            if bound is not None:
                self._turns.bound(bound)
        elif self._backlog.is_there:
            self._backlog.is_over()
            self._calm = self._loop.call_later(CALM_S, self._turns.bound, self._backlog.queue_max)
        self._batches.observe(before - left)
        return batch

    def _answered(self, slot: _Slot, replies: list[Any] | Exception) -> None:
        """Take the replies to a batch, or the reason why they will never come."""
        try:
            if isinstance(replies, Exception):
                self._lost(slot, replies)
                return
            check_numbers(replies, slot.numbers)
            if slot.confirming or any(isinstance(reply, Exception) for reply in replies):
                confirming = slot.connection.further(slot.confirming) if slot.confirming else None
                slot.task = asyncio.create_task(self._settle(slot, replies, confirming), name="batcher-settle")
            else:
                self._settled(slot, replies)
        except InvalidResponse as error:
            slot.connection.cut(error)
            self._lost(slot, error)
        except Exception as error:  # noqa: BLE001  # as in _send
            self._broke(slot, error)

    async def _settle(self, slot: _Slot, replies: list[Any], confirming: "asyncio.Future[list[Any]] | None") -> None:
        """Do for a batch what takes time: load what the store had lost, and wait for replicas."""
        try:
            for place, (call, waiting) in enumerate(slot.batch.items()):
                if is_lost(replies[place]):
                    replies[place] = await self._repeat(call, waiting)
            if confirming is not None and is_elsewhere(replies):
                confirming.cancel()
            elif confirming is not None:
                self._replica_ack.check(await confirming, replies)
            self._settled(slot, replies)
        except (RedisError, OSError) as error:
            slot.connection.cut(error)
            self._lost(slot, error)
        except Exception as error:  # noqa: BLE001  # as in _send
            self._broke(slot, error)
        except BaseException:
            self._fail_batch(slot.batch, OutcomeUnknownError("The server stopped before the store's reply came."))
            raise

    async def _repeat(self, call: FunctionCall, waiting: list[Waiting]) -> Any:
        """Load the library, which the store had lost, and send what did not run once more; returns its reply."""
        confirmations = self._replica_ack.after({call: waiting})
        reply, confirming = await self._reload.repeat(call, waiting, confirmations)
        if confirming:
            self._replica_ack.check(confirming, [reply])
        return reply

    def _settled(self, slot: _Slot, replies: list[Any]) -> None:
        """Hand out the answers of a batch, and let its slot go on."""
        for (call, waiting), reply in zip(slot.batch.items(), replies, strict=True):
            if isinstance(reply, Exception):
                self._refused(slot, call, waiting, reply)
            else:
                hand_out(call, waiting, reply)
        self._roundtrips.observe(self._loop.time() - slot.sent_s)
        self._free(slot)

    def _refused(self, slot: _Slot, call: FunctionCall, waiting: list[Waiting], error: Exception) -> None:
        if may_be_elsewhere(error):
            # Not used again: a new connection is opened to where writes go by now.
            slot.connection.cut(error)
        if self._redirect is None or not self._redirect(call, waiting, error):
            fail(waiting, meaning(error, call))

    def _lost(self, slot: _Slot, error: Exception) -> None:
        """Fail a batch whose replies will not come, and let its slot go on."""
        self._last_problem = str(error) or type(error).__name__
        self._fail_batch(slot.batch, error)
        self._free(slot)

    def _broke(self, slot: _Slot, error: Exception) -> None:
        """Fail a batch of which something here went wrong, and let its slot go on a little later."""
        log.error("slot_failed", exc_info=error)
        self._last_problem = f"{type(error).__name__}: {error}"
        self._fail_batch(slot.batch, error)
        slot.batch, slot.sent_s = {}, 0.0
        slot.connection.cut(error)
        self._loop.call_later(_RECONNECT_S[-1], self._free, slot)

    def _free(self, slot: _Slot) -> None:
        slot.batch, slot.sent_s = {}, 0.0
        self._idle.append(slot)
        if self._turns.operations:
            self._wake_slot()

    def _fail_batch(self, batch: Batch, error: BaseException) -> None:
        log.warning("store_reply_lost", reason=str(error) or type(error).__name__)
        for call, waiting in batch.items():
            failure: Exception
            if not call.writes or isinstance(error, BusyLoadingError):
                failure = StoreUnavailableError(f"The store gave no answer ({error}); try again.")
            else:
                failure = OutcomeUnknownError("The request was sent to the store and no reply came.")
            fail(waiting, failure)

    async def _watch(self) -> None:
        """Enforce both deadlines, so that no operation and no batch needs a timer of its own; and keep the metrics."""
        while True:
            await asyncio.sleep(_WATCH_S if self._turns.operations or self._in_flight else _WATCH_IDLE_S)
            now_s = self._loop.time()
            self._hand_over()
            metrics.STORE_QUEUE_OPERATIONS.set(self._turns.operations)
            metrics.STORE_QUEUES.set(self._turns.queues)
            metrics.STORE_LONGEST_QUEUE_OPERATIONS.set(self._turns.longest)
            overdue = self._turns.take_overdue(now_s - self._queue_timeout_s)
            fail(overdue, StoreUnavailableError(f"The store is away: {self._last_problem}"))
            self._turns.forget_idle()
            overdue_s = now_s - self._reply_timeout_s
            for slot in self._slots:
                if 0 < slot.sent_s < overdue_s:
                    slot.connection.cut(late())
            self._reload.cut_older(overdue_s)

    def _hand_over(self) -> None:
        self._batches.hand_over()
        self._roundtrips.hand_over()


async def close_quietly(batcher: Submitter, timeout_s: float) -> None:
    """Close, with a limit on the time for the answers of batches in flight."""
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await batcher.close()
