"""The documents of orders for everybody who uses them: one class, whichever database keeps them.

Nothing here moves stock, and nothing that moves stock waits for it without bound: each call answers within
:data:`ANSWER_S`, and after a failure calls fail at once for :data:`REST_S`. A call that fails has changed nothing.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeVar

from server.domain.order_documents import (
    Booking,
    Event,
    Flag,
    InboxEntry,
    KeptOrder,
    Note,
    OrderDocument,
    OrderFilter,
    ReturnDocument,
    WholeOrder,
    return_number,
)
from server.store.connection.timeouts import in_time
from server.store.documents import erasure, inbox, kept, orders, search, whole
from server.store.documents.database import Database, Row, Session, Spend, Work
from server.store.documents.orders import OrderKey, order_key
from server.store.errors import DocumentsError

T = TypeVar("T")

ANSWER_S: Final = 5.0
"""How long a call may take."""
REST_S: Final = 2.0
"""After a failure, how long no call asks the database; after a call that took too long, none of its kind."""
CLOSE_S: Final = 1.0
PAGE_MAX: Final = 500
_KINDS: Final = ("read", "change", "follow", "look")


class Documents:
    """The documents of all partitions. ``customer_key`` returns a partition's key for names of buyers."""

    def __init__(
        self,
        database: Database,
        customer_key: Callable[[str], Awaitable[bytes]],
        *,
        answer_s: float = ANSWER_S,
        rest_s: float = REST_S,
    ) -> None:
        self._database = database
        self._customer_key = customer_key
        self._answer_s, self._rest_s = answer_s, rest_s
        self._rests_until_s = dict.fromkeys(_KINDS, 0.0)

    # -- orders, for the intake

    async def put_told(self, partition: str, channel: str, order: OrderDocument) -> bool:
        """Keep what a channel tells of an order, with its buyer; False: something newer is kept.

        Raises
        ------
        DocumentsError
            The database does not answer. The order is booked all the same, and read once more for its address later.
        StoreUnavailableError
            The store does not answer, which has the key of the buyers' names.

        """
        ref_key = await in_time(self._customer_key(partition))
        key = order_key(partition, channel, order.key)
        return await self._change(lambda session: orders.put_order(session, key, order, ref_key, _now_ms()))

    async def mark_booked(
        self, partition: str, channel: str, number: str, booking: Booking, steps: Sequence[str] = ()
    ) -> bool:
        """Keep what was booked of an order; False: the order is not kept here, so it has to be put (read) once more.

        With a ``reason`` it stands in the inbox, too, see :meth:`put_inbox`; without one it is taken out of it.
        ``steps``: what was done for it, for its timeline.
        """
        key = order_key(partition, channel, number)
        return await self._change(lambda session: _mark(session, key, booking, steps, _now_ms()))

    async def put_order(
        self,
        partition: str,
        channel: str,
        order: OrderDocument,
        booking: Booking | None = None,
        *,
        steps: Sequence[str] = (),
        entry: InboxEntry | None = None,
    ) -> bool:
        """Keep an order, what was booked of it, and why not all was, at once; return whether a booking is kept.

        ``booking`` None: what is kept of it stays. It is as :meth:`put_told`, :meth:`mark_booked` and
        :meth:`put_inbox` together, and raises as they do.
        """
        ref_key = await in_time(self._customer_key(partition))
        key, now_ms = order_key(partition, channel, order.key), _now_ms()

        async def put(session: Session) -> bool:
            await orders.put_order(session, key, order, ref_key, now_ms)
            if booking is not None:
                await _mark(session, key, booking, steps, now_ms)
            if entry is not None:
                await inbox.put(session, key, entry, now_ms)
            return booking is not None or await orders.has_booking(session, key)

        return await self._change(put)

    async def add_timeline(self, partition: str, channel: str, number: str, event: Event) -> None:
        """Add a step to an order's timeline. Its text stays after an erasure, so nothing personal may stand in it."""
        key = order_key(partition, channel, number)
        await self._change(lambda session: orders.add_entry(session, "timeline", key, event))

    async def add_note(self, partition: str, channel: str, number: str, note: Note) -> None:
        """Add what a person wrote about an order."""
        key = order_key(partition, channel, number)
        await self._change(lambda session: orders.add_entry(session, "notes", key, note))

    async def add_words(self, partition: str, channel: str, number: str, note: Note) -> None:
        """Add what a channel has said of an order, unless that was erased."""
        key = order_key(partition, channel, number)
        await self._change(lambda session: kept.add_words(session, key, note))

    async def put_return(self, partition: str, channel: str, case: ReturnDocument) -> bool:
        """Keep a return case, unless something newer is kept of it; return whether it was kept.

        It is understood now, so it is taken out of the inbox.
        """

        async def put(session: Session) -> bool:
            await inbox.take_out(session, order_key(partition, channel, return_number(case.key)))
            return await kept.put_return(session, partition, channel, case)

        return await self._change(put)

    # -- what else is kept that may hold personal data

    async def put_paper(self, partition: str, channel: str, paper: kept.Paper) -> bool:
        """Keep what a command was answered with, such as a label; False: the order was erased."""
        return await self._change(lambda session: kept.put_paper(session, partition, channel, paper, _now_ms()))

    async def paper(self, partition: str, channel: str, number: str, name: str) -> kept.Paper | None:
        """Read such a paper of an order."""
        key = order_key(partition, channel, number)
        return await self._read(lambda session: kept.paper(session, key, name))

    # -- inbox

    async def put_inbox(self, partition: str, entry: InboxEntry) -> None:
        """Enter an order that could not be booked, or not whole; times and tries are counted here."""
        key = order_key(partition, entry.channel, entry.number)
        await self._change(lambda session: inbox.put(session, key, entry, _now_ms()))

    async def ignore(self, partition: str, channel: str, number: str, actor: str) -> InboxEntry | None:
        """Leave an order of the inbox alone, until something else keeps it from being booked."""
        key = order_key(partition, channel, number)
        return await self._change(lambda session: inbox.ignore(session, key, actor))

    async def inbox_entry(self, partition: str, channel: str, number: str) -> InboxEntry | None:
        """Read the inbox entry of an order."""
        key = order_key(partition, channel, number)
        return await self._read(lambda session: inbox.read(session, key))

    async def inbox(
        self,
        partition: str,
        channel: str = "",
        state: str = "open",
        after: tuple[int, str, str] = (0, "", ""),
        limit: int = PAGE_MAX,
    ) -> list[InboxEntry]:
        """Read a page of the inbox, the oldest entries first."""
        return await self._read(
            lambda session: inbox.page(session, partition, channel=channel, state=state, after=after, limit=limit)
        )

    # -- for people

    async def find(
        self, partition: str, wanted: OrderFilter, after: search.Place | None = None, limit: int = PAGE_MAX
    ) -> tuple[list[KeptOrder], search.Place | None]:
        """Read a page of the orders that match, the newest first, and where the next page begins."""
        return await self._read(lambda session: search.find(session, partition, wanted, after, limit))

    async def flags(self, partition: str, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], tuple[Flag, ...]]:
        """Read the flags of orders, by channel and number; one that is not kept is left out."""
        return await self._read(lambda session: orders.flags_of(session, partition, keys))

    async def order(self, partition: str, channel: str, number: str) -> WholeOrder | None:
        """Read one order with all that is kept of it."""
        key = order_key(partition, channel, number)
        return await self._read(lambda session: orders.read_whole(session, key))

    # -- personal data

    async def customer_key(self, partition: str) -> bytes:
        """Return a partition's key for names of buyers and customers.

        Raises
        ------
        StoreUnavailableError
            The store does not answer, which has it.

        """
        return await in_time(self._customer_key(partition))

    async def erase(self, partition: str, channel: str, number: str, actor: str) -> bool:
        """Erase the personal data of an order for good; return whether the order is kept here."""
        key = order_key(partition, channel, number)
        known = await self._change(lambda session: erasure.erase(session, key, actor, _now_ms()))
        await self._guarded(self._database.scrub())
        return known

    async def erased(self, partition: str, after: tuple[str, str] = ("", ""), limit: int = PAGE_MAX) -> list[OrderKey]:
        """Read a page of the list of erased orders."""
        return await self._read(lambda session: erasure.erased_after(session, partition, after, limit))

    async def forget(self, *, personal_s: float, orders_s: float) -> int:
        """Take a slice of what is older than may be kept; return how much that was, 0: nothing is left to take.

        ``personal_s``: how long personal data is kept after an order has ended; ``orders_s``: how long an order is
        kept after it was last heard of, and personal data at most.
        """
        now_ms = _now_ms()
        ended_ms, put_ms = now_ms - int(personal_s * 1000), now_ms - int(orders_s * 1000)
        taken = await self._change(lambda session: erasure.forget_people(session, ended_ms, ended_ms, now_ms))
        taken += await self._change(lambda session: erasure.purge(session, put_ms))
        if taken:
            await self._guarded(self._database.scrub())
        return taken

    # -- what follows the journal

    async def follow(self, work: Work[T], spend: Spend | None = None) -> T:
        """Write what a follower of the journal makes of it. One that takes too long keeps no order waiting.

        ``spend``: is told the processor time that it took of another thread.

        Raises
        ------
        DocumentsError
            The database does not answer; nothing was written.

        """
        return await self._guarded(self._database.run(work, spend=spend), "follow")

    async def look(self, work: Work[T], spend: Spend | None = None) -> T:
        """Read what followers have written; errors as for :meth:`follow`."""
        return await self._guarded(self._database.run(work, reads=True, spend=spend), "look")

    # -- all of it

    async def read_whole(self, put: whole.Put, begun: Callable[[], None] = lambda: None) -> None:
        """Read all that is kept, as it is when ``begun`` is called; however long that takes.

        Raises
        ------
        DocumentsError
            The database does not answer.

        """

        async def read(session: Session) -> None:
            await session.fetch("SELECT COUNT(*) FROM followers")  # the moment is that of the first statement
            begun()
            await whole.read_all(session, put)

        await self._patient(self._database.run(read, reads=True))

    async def is_empty(self) -> bool:
        """Whether nothing is kept; raises as :meth:`read_whole`."""
        return await self._patient(self._database.run(whole.is_empty, reads=True))

    async def fill(self, rows: Iterable[tuple[str, Sequence[str], Sequence[Row]]]) -> int:
        """Put rows in place of all that is kept, all or none of them; return how many. Raises as :meth:`read_whole`."""

        async def write(session: Session) -> int:
            count = await whole.fill(session, rows, self._database.given_ids)
            await self._database.count_on(session, whole.SERIALS)
            return count

        return await self._patient(self._database.run(write))

    async def erase_partition(self, partition: str, told: Callable[[int], None] = lambda _: None) -> int:
        """Remove all that is kept of a partition, some at a time; return how much. Raises as :meth:`read_whole`."""
        count = 0
        while some := await self._patient(self._database.run(lambda session: whole.erase_some(session, partition))):
            count += some
            told(count)
        await self._patient(self._database.scrub())
        return count

    async def _patient(self, work: Awaitable[T]) -> T:
        try:
            return await work
        except self._database.failures as error:
            raise DocumentsError(f"The documents database failed: {type(error).__name__}.") from error

    # -- the database

    async def ping(self) -> None:
        """See whether it works.

        Raises
        ------
        DocumentsError
            It does not; the message has the reason.

        """
        await self._read(lambda session: session.fetch("SELECT 1"))

    async def close(self) -> None:
        """Close the connections, without waiting long for what still runs."""
        with contextlib.suppress(TimeoutError, *self._database.failures):
            async with asyncio.timeout(CLOSE_S):
                await self._database.close()

    async def _read(self, work: Work[T]) -> T:
        return await self._guarded(self._database.run(work, reads=True), "read")

    async def _change(self, work: Work[T]) -> T:
        return await self._guarded(self._database.run(work))

    async def _guarded(self, work: Awaitable[T], kind: str = "change") -> T:
        """Await work on the database within its time. A failure spares the next callers the wait."""
        clock_s = asyncio.get_running_loop().time
        if clock_s() < self._rests_until_s[kind]:
            if asyncio.iscoroutine(work):
                work.close()
            raise DocumentsError("The documents database failed a moment ago and is not asked yet.")
        try:
            async with asyncio.timeout(self._answer_s):
                return await work
        except TimeoutError:
            # A search that takes too long says nothing about what is written.
            self._rests_until_s[kind] = clock_s() + self._rest_s
            raise DocumentsError(f"The documents database did not answer within {self._answer_s:g} s.") from None
        except self._database.failures as error:
            self._rests_until_s = dict.fromkeys(_KINDS, clock_s() + self._rest_s)
            # The product's own message may repeat values, which may be personal: only its kind is told.
            raise DocumentsError(f"The documents database failed: {type(error).__name__}.") from None


async def _mark(session: Session, key: OrderKey, booking: Booking, steps: Sequence[str], now_ms: int) -> bool:
    known = await orders.mark_booked(session, key, booking, now_ms, steps)
    if not booking.reason:
        await inbox.take_out(session, key)
    return known


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
