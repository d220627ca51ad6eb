"""What the documents of orders need now and then: what was erased stays erased, and what is too old goes.

It runs beside everything else, in the process that runs maintenance. A database that is away is tried again later.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from itertools import groupby
from operator import itemgetter
from typing import Final

import structlog

from server.store.connection.connect import StoreClient
from server.store.documents.documents import Documents
from server.store.errors import DocumentsError, StoreError
from server.store.keys import Keyspace
from server.store.repositories.intake import IntakeStore
from server.store.repositories.order_privacy import OrderPrivacy

log = structlog.get_logger("holdfast.orders")

EVERY_S: Final = 3_600.0
AGAIN_S: Final = 60.0
"""After a failure."""
_AT_A_TIME: Final = 500
"""Numbers of orders in one piece of news."""
_SLICES_MAX: Final = 1_000
_PAUSE_S: Final = 0.05
"""Between two slices, so that others come to write."""


class OrderUpkeep:
    """Keeps the documents of all partitions within their time, and the lists of erased orders equal.

    Parameters
    ----------
    personal_s
        How long personal data is kept after its order has ended.
    orders_s
        How long an order is kept after it was last heard of.

    """

    def __init__(
        self,
        documents: Documents,
        client: StoreClient,
        partitions: Callable[[], Iterable[str]],
        *,
        personal_s: float,
        orders_s: float,
    ) -> None:
        self._documents = documents
        self._client = client
        self._partitions = partitions
        self._personal_s, self._orders_s = personal_s, orders_s

    async def run(self) -> None:
        """Work for ever."""
        while True:
            is_done = await self.once()
            await asyncio.sleep(EVERY_S if is_done else AGAIN_S)

    async def once(self) -> bool:
        """Do all that is due; return whether it could be done."""
        try:
            for partition in sorted(self._partitions()):
                await self._erase_again(partition)
            for _ in range(_SLICES_MAX):
                if not await self._documents.forget(personal_s=self._personal_s, orders_s=self._orders_s):
                    break
                await asyncio.sleep(_PAUSE_S)
        except (DocumentsError, StoreError) as error:
            log.warning("order_documents_not_kept_up", reason=str(error))
            return False
        return True

    async def _erase_again(self, partition: str) -> None:
        """Make the two lists of a partition one: a restored copy of either side lacks the newest entries."""
        privacy = OrderPrivacy(self._client, Keyspace(partition))
        now_ms = time.time_ns() // 1_000_000
        oldest_ms = now_ms - int(self._orders_s * 1000)
        noted, too_old = set[tuple[str, str]](), list[tuple[str, str]]()
        async for channel, number, entered_ms in privacy.erased():
            (too_old.append if entered_ms < oldest_ms else noted.add)((channel, number))
        known = set[tuple[str, str]]()
        page = await self._documents.erased(partition)
        while page:
            known |= {(each.channel, each.number) for each in page}
            page = await self._documents.erased(partition, (page[-1].channel, page[-1].number))
        await self._erase_in_store(privacy, partition, sorted(known - noted - set(too_old)), now_ms)
        for channel, number in sorted(noted - known):
            await self._documents.erase(partition, channel, number, "system")
        await privacy.drop_erased(too_old)

    async def _erase_in_store(
        self, privacy: OrderPrivacy, partition: str, missing: list[tuple[str, str]], now_ms: int
    ) -> None:
        """Enter orders into the store's list, and erase what its commands say of them, a restored copy has it again."""
        for channel, of_channel in groupby(missing, key=itemgetter(0)):
            orders, outbox = list(of_channel), IntakeStore(self._client, Keyspace(partition), channel)
            for first in range(0, len(orders), _AT_A_TIME):
                some = orders[first : first + _AT_A_TIME]
                if not await outbox.erase([number for _, number in some], now_ms):
                    break  # too much waits there; what is not in the list comes again
                await privacy.note_erased(some, now_ms)
