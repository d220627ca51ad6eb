"""What a source expects to come, taken over as expected receipts; what it expects no longer is expected no longer.

A list that is suddenly empty takes nothing away: what is late counts for nothing anyway, by its date.
"""

import re
from hashlib import blake2b
from typing import Final

import structlog

from adapters.contract.source import WHOLE, Source, SupplyRow
from server.channels.connection.client import ChannelClient
from server.channels.connection.clock import Clock
from server.channels.sources.desk import SourceDesk
from server.channels.sources.tracked import source_of
from server.domain.limits import RESERVATION_ID_BYTES_MAX
from server.store.repositories.sources import SourceWrites

log = structlog.get_logger("holdfast.source")

PAGES_MAX: Final = 10_000
"""A source that repeats its last page for ever is left at some time."""
_READABLE: Final = re.compile(r"[A-Za-z0-9_.:-]+", re.ASCII)
_DIGEST_BYTES: Final = 12


class Supplies:
    """The expected receipts of one source. ``taken``: those that were taken over, by id, and what they were then."""

    def __init__(
        self, source: str, client: ChannelClient, *, writes: SourceWrites, desk: SourceDesk, clock: Clock
    ) -> None:
        self._source = source
        self._client = client
        self._writes = writes
        self._desk = desk
        self._clock = clock
        self.taken: dict[str, str] = {}

    async def read(self, source: Source) -> None:
        """Read all that is to come, and take it over.

        Raises
        ------
        ChannelError
            Not all could be read; nothing changed.
        StoreError, OverloadedError, OutcomeUnknownError
            Not all could be taken over; the next time it is.

        """
        rows = {supply_id(self._source, row.key): row for row in await self._all() if row.location in source.locations}
        if not rows and self.taken:
            log.warning("source_expects_nothing", source=self._source, kept=len(self.taken))
            return
        for key, row in rows.items():
            await self._expect(key, row)
        for key in self.taken.keys() - rows:
            await self._desk.forgo(self._source, key)
            del self.taken[key]
            self._writes.supply(key, None)

    async def _all(self) -> list[SupplyRow]:
        found: list[SupplyRow] = []
        cursor = WHOLE
        for _ in range(PAGES_MAX):
            page = await self._client.talk(lambda adapter: source_of(adapter).pull_supply(cursor, self._clock.wall_s()))  # noqa: B023
            found += page.rows
            cursor = page.cursor
            if not page.more:
                break
        return found

    async def _expect(self, key: str, row: SupplyRow) -> None:
        fingerprint = f"{row.sku}\0{row.location}\0{row.quantity}\0{row.expected_on}"
        if self.taken.get(key) == fingerprint:
            return
        refused = await self._desk.expect(self._source, key, row)
        if refused:
            log.warning("source_supply_not_taken", source=self._source, supply=key, outcome=refused)
            return
        self.taken[key] = fingerprint
        self._writes.supply(key, fingerprint)


def supply_id(source: str, key: str) -> str:
    """Return the id under which a line of a purchase is expected here: readable where that fits."""
    readable = f"{source}:{key}"
    if _READABLE.fullmatch(readable) and len(readable) <= RESERVATION_ID_BYTES_MAX:
        return readable
    return "source-" + blake2b(readable.encode(), digest_size=_DIGEST_BYTES).hexdigest()
