"""Takes in what was told from outside, by the channel or by people, in the order in which it was told."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from adapters.contract.orders import Order, ReturnCase
from server.channels.connection.clock import Clock
from server.channels.inbound.in_order import take_in_order
from server.channels.inbound.order_records import OrderRecords
from server.channels.inbound.outbox import Outbox
from server.channels.inbound.pace import WAIT_S_MAX
from server.channels.inbound.reading import Reading
from server.channels.inbound.schedule import Schedule
from server.channels.inbound.taking import Taking
from server.domain.intake import News
from server.domain.order_documents import is_return
from server.store.repositories.intake import IntakeStore, IntakeWrites

AT_A_TIME: Final = 50
_orders = msgspec.msgpack.Decoder(list[Order]).decode
_returns = msgspec.msgpack.Decoder(list[ReturnCase]).decode


class NewsTaker:
    """The news of one channel. ``waiting``: how many are known to wait."""

    def __init__(
        self,
        channel: str,
        *,
        store: IntakeStore,
        writes: IntakeWrites,
        taking: Taking,
        reading: Reading,
        records: OrderRecords,
        schedule: Schedule,
        outbox: Outbox,
        clock: Clock,
        read_returns: Callable[[], None],
    ) -> None:
        self.wake = asyncio.Event()
        self.waiting = 0
        self._channel = channel
        self._store = store
        self._writes = writes
        self._taking = taking
        self._reading = reading
        self._records = records
        self._schedule = schedule
        self._outbox = outbox
        self._clock = clock
        self._read_returns = read_returns

    async def next(self) -> float:
        """Take in the oldest news, and drop them once that is durable; return how long to wait then.

        Raises
        ------
        StoreError, OverloadedError, OutcomeUnknownError
            Not all is durable; they are taken in again.

        """
        page = await self._store.news(AT_A_TIME)
        for is_told, some in itertools.groupby((news for _, news in page), lambda news: news.what == "told"):
            if is_told:
                await self._told(list(some))
            else:
                for news in some:
                    self._asked(news)
        await self._writes.save()
        if page:
            await self._store.drop_news(page[-1][0])
            self._reading.wake.set()
        self.waiting = 0 if len(page) < AT_A_TIME else await self._store.news_waiting()
        return 0.0 if self.waiting else WAIT_S_MAX

    async def _told(self, of: Sequence[News]) -> None:
        """Take in what a channel has told."""
        orders = [order for news in of if news.orders for order in _orders(news.orders)]
        await take_in_order(orders, lambda order: self._taking.take(order, asked_s=None))
        for news in of:
            for case in _returns(news.returns) if news.returns else ():
                await self._records.returned(self._channel, case)
            for key in news.keys:
                self._reading.hint(key)

    def _asked(self, news: News) -> None:
        """Do what a person has asked for."""
        match news.what:
            case "read":
                for key in news.keys:
                    if is_return(key):
                        self._read_returns()
                    else:
                        self._reading.hint(key)
            case "ignore":
                self._ignore(news.keys)
            case "say" if news.entry is not None:
                self._outbox.add(news.entry)
            case _:
                self._about_outbox(news)

    def _about_outbox(self, news: News) -> None:
        now_ms = self._clock.store_ms()
        for key in news.keys:
            match news.what:
                case "again":
                    self._outbox.again(key, now_ms)
                case "cancel":
                    self._outbox.cancel(key, now_ms)
                case "done":
                    self._outbox.seen_done(key, now_ms)
                case "erase":
                    self._outbox.erase(key)

    def _ignore(self, keys: list[str]) -> None:
        for key in keys:
            wanted = self._schedule.get(key)
            if wanted is not None:
                self._schedule.put(key, msgspec.structs.replace(wanted, ignored=True, inbox="", reason="open"))
