"""The mirror of one channel: what the channel holds in its own warehouse is read, and counted at a location.

What lies there is set by whole readings alone. One that fails, is cut or finds nothing changes nothing, and what
a reading lacks is gone only where the next one lacks it too: a page by number moves while it is read.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

import structlog
from msgspec.structs import replace

from adapters.contract.errors import ChannelError
from adapters.contract.http import READ
from adapters.contract.key_lookup import KeyLookup
from adapters.contract.warehouse import HeldUnits, Warehouse
from server.channels.connection.client import ChannelClient
from server.channels.connection.clock import Clock
from server.channels.inbound.pace import Pace
from server.domain.channels import ChannelSettings, Listing
from server.domain.mirrors import MirrorSettings, MirrorStatus
from server.service import mirrors
from server.service.caller import Caller
from server.telemetry.channel_metrics import MirrorMetrics

log = structlog.get_logger("holdfast.mirror")

RETRY_S: Final = 5.0
"""After a page that could not be read; the circuit breaker makes it longer."""
CLAIM_S: Final = 60.0
"""After the location could not be taken: a person has to act first."""
READING_S_MAX: Final = 3_600.0
"""A reading that takes longer begins again: its first pages are old."""
ROWS_MAX: Final = 500_000
"""Listings of one reading: some 100 MB."""
NOTHING: Final = "nothing was found where units were before; the last counts stand"
_TOO_MANY: Final = f"it has more than {ROWS_MAX:,} listings"


class Found(NamedTuple):
    """A reading that has ended, and when it began; ``is_whole``: every row of it was understood."""

    units: Mapping[str, HeldUnits]
    started_ms: int
    is_whole: bool


class Mirror:
    """Fills the location of one channel, while this process holds the lease.

    Parameters
    ----------
    listing, keys
        Return the listing that has a key, and all keys of the channel.
    caller
        The channel: it alone may count there.
    before
        How the mirror stood when it was last written; None: that is unknown.

    """

    def __init__(
        self,
        settings: ChannelSettings,
        client: ChannelClient,
        *,
        listing: Callable[[str], Listing | None],
        keys: Callable[[], Iterable[str]],
        caller: Caller,
        clock: Clock,
        metrics: MirrorMetrics,
        before: MirrorStatus | None = None,
    ) -> None:
        warehouse, mirror = client.capabilities.warehouse, settings.mirror
        if warehouse is None or mirror is None:
            raise ValueError(f"channel {settings.name} has no warehouse to mirror")
        self.name = settings.name
        self.wake = asyncio.Event()
        self._mirror: MirrorSettings = mirror
        self._warehouse: Warehouse = warehouse
        self._client = client
        self._listing, self._keys = listing, keys
        self._caller = caller
        self._clock = clock
        self._metrics = metrics
        self._pace = Pace(settings.name, client, clock)
        self._due_s = 0.0
        self._opened_ms = clock.store_ms()
        self._there: set[str] | None = None  # None: not claimed yet
        self._counted: dict[str, int] = {}
        self._lacking: frozenset[str] = frozenset()
        self._cursor = ""
        self._started_ms = 0
        self._unreadable = 0
        self._units: dict[str, HeldUnits] = {}
        self._found: Found | None = None
        known = before if before is not None and before.location == mirror.location else None
        self._status = known or MirrorStatus(location=mirror.location)

    async def run(self) -> None:
        """Read and count until cancelled."""
        await self._pace.forever(self.next, self.wake)

    async def finish(self) -> None:
        """Begin nothing new, and wait until what is on its way is answered and counted."""
        await self._pace.finish()

    def status(self) -> MirrorStatus:
        """Return how it stands, and update the gauge."""
        since_ms = self._status.read_ms or self._opened_ms
        late_s = (self._clock.store_ms() - since_ms) / 1000 - (self._mirror.every_s or self._warehouse.every_s)
        self._metrics.late.set(max(0.0, late_s))
        return self._status

    async def next(self) -> float:
        """Do what is due: take the location, read a page, or count; return how long to wait then.

        Raises
        ------
        StoreError, OverloadedError, OutcomeUnknownError
            It is to be done again.

        """
        wait_s = self._due_s - self._clock.now_s()
        if wait_s > 0:
            return wait_s
        if self._there is None:
            await self._claim()
        elif self._found is not None:
            await self._count(self._found)
        else:
            await self._page()
        return max(0.0, self._due_s - self._clock.now_s())

    def _wait(self, seconds: float) -> None:
        self._due_s = self._clock.now_s() + seconds

    def _say(self, reason: str) -> None:
        if reason and reason != self._status.reason:
            log.warning("mirror_not_counted", channel=self.name, location=self._mirror.location, reason=reason)
        self._status = replace(self._status, reason=reason)

    async def _claim(self) -> None:
        reason = await mirrors.claim_for(self._caller, self.name, self._mirror)
        if reason:
            self._say(reason)
            self._wait(CLAIM_S)
            return
        self._there = await mirrors.skus_there(self._caller, self._mirror)

    # -- reading

    async def _page(self) -> None:
        wait_s = self._pace.wait_s(READ)
        if wait_s > 0:
            self._wait(min(wait_s, RETRY_S))
            return
        now_ms = self._clock.store_ms()
        if not self._cursor or now_ms - self._started_ms > 1000 * READING_S_MAX:
            self._cursor, self._started_ms, self._unreadable, self._units = "", now_ms, 0, {}
        try:
            page = await self._client.talk(lambda adapter: adapter.pull_warehouse(self._cursor))
        except ChannelError as error:
            self._say(error.reason)
            self._wait(max(RETRY_S, error.after_s or 0.0))
            return
        self._cursor, self._unreadable = page.cursor, self._unreadable + page.unreadable
        self._units |= {each.key: each for each in page.units}
        if len(self._units) > ROWS_MAX:
            self._say(_TOO_MANY)
            self._end_reading()
        elif not page.more:
            self._found = Found(self._units, self._started_ms, not self._unreadable)
            self._cursor = ""

    def _end_reading(self) -> None:
        self._cursor, self._units, self._found = "", {}, None
        self._wait(self._mirror.every_s or self._warehouse.every_s)

    # -- counting

    async def _count(self, found: Found) -> None:
        there = self._there or set()
        units, unmapped = await self._by_sku(found.units)
        if there and not units:
            self._say(NOTHING)
            self._end_reading()
            return
        lacking = frozenset(there - units.keys()) if found.is_whole else frozenset()
        gone = await mirrors.not_renamed(self._caller, lacking & self._lacking)
        wanted = units | dict.fromkeys(gone, 0)
        changed = {sku: number for sku, number in wanted.items() if self._counted.get(sku) != number}
        refused = await mirrors.count(self._caller, self._mirror, changed, found.started_ms)
        self._counted |= {sku: number for sku, number in changed.items() if sku not in refused}
        self._there = (there | units.keys()) - set(gone)
        self._lacking = lacking
        reason = _refusals(refused) or ("" if found.is_whole else f"{self._unreadable} rows could not be understood")
        self._status = replace(
            self._status,
            read_ms=found.started_ms,
            skus=sum(number > 0 for number in units.values()),
            units=sum(units.values()),
            unmapped=unmapped,
        )
        self._say(reason)
        self._end_reading()

    async def _by_sku(self, found: Mapping[str, HeldUnits]) -> tuple[dict[str, int], int]:
        """Return the units of each SKU, and how many keys are of none: no listing has it, and its hint is no SKU.

        A bundle is none either: what lies there is whole, and is no unit of anything else.
        """
        listings = await self._listings(found)
        hints = {key: each.sku_hint for key, each in found.items() if key not in listings and each.sku_hint}
        skus = await mirrors.named_so(self._caller, set(hints.values()))
        units, unmapped = dict[str, int](), 0
        for key, each in found.items():
            made_of = listings[key].made_of if key in listings else []
            sku, factor = (made_of[0].sku, made_of[0].quantity) if len(made_of) == 1 else ("", 1)
            if not made_of:
                sku = skus.get(hints.get(key, ""), "")
            if sku:
                units[sku] = units.get(sku, 0) + factor * each.quantity
            else:
                unmapped += 1
        return units, unmapped

    async def _listings(self, found: Mapping[str, HeldUnits]) -> dict[str, Listing]:
        exact = {key: listing for key in found if (listing := self._listing(key)) is not None}
        if len(exact) == len(found):
            return exact
        lookup = await asyncio.to_thread(KeyLookup, list(self._keys()))
        alike = {key: lookup.find(key) for key in found if key not in exact}
        return exact | {
            key: listing
            for key, known in alike.items()
            if known is not None and (listing := self._listing(known)) is not None
        }


def _refusals(refused: Mapping[str, str]) -> str:
    if not refused:
        return ""
    sku = min(refused)
    return f"{len(refused)} SKUs could not be counted; {sku}: {refused[sku]}"
