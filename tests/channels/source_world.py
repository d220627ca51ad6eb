"""A partition whose stock an ERP owns: a publisher in this process, a store, and a simulated ERP over a socket."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

import msgspec

from adapters.odoo.source import Odoo
from adapters.odoo.wire import Options
from server.channels.sources.desk import ServiceSourceDesk
from server.channels.sources.sources import SourcePlan
from server.domain.answers import Refused
from server.domain.sources import Decided, SourceRules, SourceSettings, SourceStatus, WaitingNumber
from server.domain.stock import StockRecord
from server.domain.sudden_changes import Place
from server.service.caller import Caller
from server.store.repositories.sources import SourceStore, source_statuses
from server.store.repositories.stock import read_records
from tests.channels.engine import LOOPBACK, Engine, publishing
from tests.channels.odoo_simulator import PARTNER, WAREHOUSE, OdooSimulator
from tests.conftest import wait_until
from tests.rigs.order_histories.run import caller_on
from tests.support.operations import cancel, fulfil, meant, order, receive
from tests.support.stores import StoreProcess

NAME: Final = "erp"
MAIN: Final = "main"
EVERY_S: Final = 0.05


class SourceWorld:
    """One partition, its stock, and its ERP."""

    def __init__(self, store: StoreProcess, partition: str, caller: Caller, odoo: OdooSimulator) -> None:
        self.odoo = odoo
        self.caller = caller
        self.partition = partition
        self._store = store
        self._ledger: Any = caller.ledger
        self.kept = SourceStore(caller.partition.client, caller.partition.keyspace, NAME)

    # -- the engine

    def plan(self, *, timeout_s: float = 5.0, kind: type[Odoo] = Odoo, **rules: Any) -> SourcePlan:
        options = {
            "base_url": self.odoo.url,
            "database": self.odoo.database,
            "login": self.odoo.login,
            "locations": {MAIN: WAREHOUSE},
            "partner_id": PARTNER,
            "page_items": 3,
        }
        settings = SourceSettings(
            name=NAME,
            kind="odoo",
            partition=self.partition,
            rules=msgspec.convert({"pull_every_s": EVERY_S, **rules}, SourceRules),
            options=options,
            allow_private=LOOPBACK,
            timeout_s=timeout_s,
        )
        typed = msgspec.convert(options, Options)
        return SourcePlan(settings, lambda: kind(typed, {"password": self.odoo.password}))

    def running(
        self, *, finish: bool = True, timeout_s: float = 5.0, **rules: Any
    ) -> AbstractAsyncContextManager[Engine]:
        """Run the publisher with the source; ``finish`` False: it is torn away, as by a crash."""
        desk = ServiceSourceDesk(self.partition, self.caller.partition)
        plan = self.plan(timeout_s=timeout_s, **rules)
        return publishing(self._store, self.partition, [], sources=[plan], source_desk=desk, finish=finish)

    # -- what happens here

    async def order(self, key: str, sku: str, units: int, *, location: str = MAIN) -> None:
        answer = await self._ledger.run(order(key, (sku, units, location), accept_shortage=True))
        assert not isinstance(answer, Refused), answer

    async def receive(self, sku: str, units: int) -> None:
        answer = await self._ledger.run(meant(receive(sku, units)))
        assert not isinstance(answer, Refused), answer

    async def cancel(self, key: str, units: int) -> None:
        answer = await self._ledger.run(cancel(key, (1, units)))
        assert not isinstance(answer, Refused), answer

    async def ship(self, key: str, units: int) -> None:
        answer = await self._ledger.run(fulfil(key, (1, units)))
        assert not isinstance(answer, Refused), answer

    # -- how it stands

    async def record(self, sku: str, location: str = MAIN) -> StockRecord | None:
        parts = self.caller.partition
        return (await read_records(parts.client, parts.keyspace, [(sku, location)]))[0]

    async def available(self, sku: str) -> int | None:
        record = await self.record(sku)
        return None if record is None else record.free

    async def becomes(self, sku: str, available: int) -> None:
        async def is_so() -> bool:
            return await self.available(sku) == available

        await self.until(is_so, f"{available} of {sku} are available")

    async def status(self) -> SourceStatus:
        parts = self.caller.partition
        found = await source_statuses(parts.client, parts.keyspace)
        return found.get(NAME, SourceStatus(publisher="", written_ms=0))

    async def waiting(self) -> dict[Place, WaitingNumber]:
        return {place: each async for place, each in self.kept.waiting()}

    async def decide(self, decision: Any) -> None:
        """Decide about all that waits, as a person does."""
        there = await self.waiting()
        await self.kept.decide({place: Decided(decision, each.after, "desk") for place, each in there.items()})

    async def walks(self, count: int = 2) -> None:
        """Wait until so many walks over everything have begun and ended from now on, whatever came of them."""
        before = self._ended()
        await self.until(lambda: self._ended() > before + count, "the source is read")

    def _ended(self) -> int:
        return self.odoo.calls.count(("product.product", "search_count"))

    async def knows(self) -> None:
        """Wait until numbers are known as of now."""
        now_ms = (await self.caller.partition.client.time())[0] * 1000

        async def is_so() -> bool:
            return (await self.status()).known_ms > now_ms

        await self.until(is_so, "the source's numbers are known")

    async def between_walks(self, change: Callable[[], None]) -> None:
        """Change something in the ERP between two walks over everything; return once it is done."""
        self.odoo.before_walk.append(change)
        await self.until(lambda: change not in self.odoo.before_walk, "a walk over everything begins")

    async def until(self, condition: Callable[[], bool | Awaitable[bool]], what: str) -> None:
        await wait_until(condition, what, every_s=0.01)


@asynccontextmanager
async def source_world(store: StoreProcess, partition: str) -> AsyncIterator[SourceWorld]:
    """Open a partition whose stock a simulated ERP owns."""
    async with OdooSimulator() as odoo, caller_on(store, partition) as caller:
        yield SourceWorld(store, partition, caller, odoo)
        assert odoo.complaints == []
