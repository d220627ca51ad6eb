"""One caller: asks for its assortments one request at a time, now and then as badly as callers do."""

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Any, Final

from tests.rigs.two_partitions.book import Book, Unconfirmed, plain
from tests.rigs.two_partitions.desk import Desk, Reply
from tests.rigs.two_partitions.drawing import first_requests
from tests.rigs.two_partitions.reading import lapsed, stock_differs
from tests.rigs.two_partitions.requests import Request
from tests.rigs.two_partitions.strangers import Strangers

CUT_SHARE: Final = 0.04
"""Of the requests: the caller hangs up in the middle."""
AT_ONCE_SHARE: Final = 0.04
"""Of the requests: sent twice at one moment."""
AGAIN_SHARE: Final = 0.06
"""Of the requests: an earlier one, sent once more word by word."""
ASIDE_SHARE: Final = 0.25
"""Of what a caller does: reads, nonsense, and what belongs to the other partition."""
LATER_SHARE: Final = 0.6
"""Of the requests without an answer: left for later, while the caller goes on with its other assortments."""
PAUSE_S: Final = (0.02, 0.5)
TRIES_MAX: Final = 40
"""So often a caller asks while the answer is that nothing was done; then it leaves the request for later."""
DIRECTORY_S: Final = 1.5
"""The copy of the locations that each server process keeps is about a second behind at most."""
_OF_MANY: Final = ("/batch", "/movements")
SOON_MS: Final = 5_000


class Caller:
    """``running``: asks on; a caller that is told to stop finishes its request first."""

    def __init__(
        self, desk: Desk, books: Sequence[Book], strangers: Strangers, chance: random.Random, rest_s: float
    ) -> None:
        self.books = books
        self.running = False
        self._desk = desk
        self._strangers = strangers
        self._chance = chance
        self._rest_s = rest_s

    async def set_up(self) -> None:
        """Register the locations and bring the first units of every assortment."""
        for book in self.books:
            for request in first_requests():
                await self._ask(book, Unconfirmed(request), final=True)

    async def run(self) -> None:
        """Ask until stopped."""
        self.running = True
        while self.running:
            free = [book for book in self.books if not book.broken and self._is_free(book)]
            if not free or self._chance.random() < ASIDE_SHARE:
                await self._strangers.aside(self._chance.choice(self.books))
            else:
                book = self._chance.choice(free)
                await self._step(book)
            await asyncio.sleep(self._chance.uniform(0, 2 * self._rest_s))

    async def resolve(self) -> None:
        """Decide all that is unconfirmed; nothing may be on its way any more."""
        for book in self.books:
            if book.unconfirmed is not None:
                await self._ask(book, book.unconfirmed, final=True)

    def _is_free(self, book: Book) -> bool:
        return time.monotonic() > book.rests_until_s and not (book.unconfirmed and book.unconfirmed.waits)

    async def _step(self, book: Book) -> None:
        if book.unconfirmed is not None:
            await self._ask(book, book.unconfirmed)
        elif book.kept and self._chance.random() < AGAIN_SHARE:
            await self.again(book, *self._chance.choice(book.kept))
        else:
            book.unconfirmed = Unconfirmed(book.drawing.draw())
            await self._ask(book, book.unconfirmed)

    async def again(self, book: Book, request: Request, first: Reply) -> bool:
        """Send a request once more that was done; False: there was no answer."""
        reply = await self._desk.send(book.names.sent(request), book.names)
        if reply is None or not reply.is_done:
            return False
        self._desk.tally.replays[request.kind] += 1
        mine, theirs = _first(first.body), _first(reply.body)
        if (reply.status, theirs) != (first.status, mine):
            book.differs(f"{request.kind} {request.key} sent once more: {theirs}, was first {first.status} {mine}")
        return True

    async def _ask(self, book: Book, unconfirmed: Unconfirmed, *, final: bool = False) -> None:
        """Ask until it is decided, or it is better left for later. ``final``: it must be decided, whatever it takes."""
        tries, pause_s = 0, PAUSE_S[0]
        while True:
            reply = await self._sent(book, unconfirmed, final=final)
            tries += 1
            if reply is not None and reply.is_done:
                may_come = unconfirmed.lost and (not reply.granted or unconfirmed.request.absolute)
                if may_come and not final:
                    unconfirmed.waits = True  # an earlier try may still be on its way
                    return
                await self._decided(book, unconfirmed, reply)
                return
            if not final and (tries >= TRIES_MAX or (unconfirmed.lost and self._chance.random() < LATER_SHARE)):
                return
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_S[1])

    async def _sent(self, book: Book, unconfirmed: Unconfirmed, *, final: bool) -> Reply | None:
        """Send a request, perhaps badly; None: what came of it is not known."""
        sent, tally, kind = book.names.sent(unconfirmed.request), self._desk.tally, unconfirmed.request.kind
        is_one = not unconfirmed.request.absolute and not unconfirmed.request.path.endswith(_OF_MANY)
        if not final and is_one and self._chance.random() < AT_ONCE_SHARE:
            reply = await self._at_once(book, unconfirmed)
        else:
            reply = await self._desk.send(sent, book.names, cut=not final and self._chance.random() < CUT_SHARE)
        if reply is None or reply.is_undecided:
            tally.unknown[kind] += unconfirmed.lost == 0
            unconfirmed.lost += 1
            if reply is not None and "outcome_unknown" not in reply.outcomes:
                tally.findings.servers.append(f"{kind} was answered {reply.status} {reply.raw[:300]!r}")
        elif reply.is_not_done:
            tally.not_done[kind] += 1
            unconfirmed.lost += bool(reply.items)  # the other parts may have been done
        return reply

    async def _at_once(self, book: Book, unconfirmed: Unconfirmed) -> Reply | None:
        """Send a request twice at one moment: it is done once, and both answers tell so."""
        sent = book.names.sent(unconfirmed.request)
        one, other = await asyncio.gather(*(self._desk.send(sent, book.names) for _ in range(2)))
        if one is None or other is None or not (one.is_done and other.is_done):
            # What came of one of them is not known. Counted as lost even where the other has an answer.
            unconfirmed.lost += 1
            found = [each for each in (one, other) if each is not None and each.is_done]
            return found[0] if found else one
        self._desk.tally.at_once[unconfirmed.request.kind] += 1
        if (one.status, plain(one.body)) != (other.status, plain(other.body)):
            book.differs(f"{unconfirmed.request.kind} sent twice at once: {one.status} {one.body}, {other.body}")
        if unconfirmed.request.key and one.granted and not (one.replayed or other.replayed):
            self._desk.tally.findings.double.append(
                f"{book.name}: {unconfirmed.request} was done by both that were sent"
            )
        return min(one, other, key=lambda each: each.replayed)

    async def _decided(self, book: Book, unconfirmed: Unconfirmed, reply: Reply) -> None:
        await book.decide(unconfirmed, reply)
        if unconfirmed.request.kind == "describe":
            book.rests_until_s = time.monotonic() + DIRECTORY_S
        due_ms = book.oracle.next_to_lapse_ms(SOON_MS)
        if due_ms is None or book.broken:
            return
        book.oracle.lapse(due_ms)
        if not await lapsed(self._desk, book):
            book.differs(f"holds that were due have not ended as they must: {await stock_differs(self._desk, book)}")


def _first(body: Any) -> Any:
    """Return an answer without the remark that it was done before."""
    if not isinstance(body, dict) or "results" not in body:
        return body
    done = [each for each in body["results"] if each["status"] < 300]  # what was refused may be granted by now
    return [{name: value for name, value in each.items() if name != "replayed"} for each in done]
