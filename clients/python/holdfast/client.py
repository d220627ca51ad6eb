"""The clients: ``Client`` for threads, ``AsyncClient`` for asyncio. Both have the same resources and rules."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import TracebackType
from typing import Any, Final, Generic, ParamSpec, Protocol, Self, TypeVar

import httpx

from holdfast.async_streams import AsyncChanges
from holdfast.binding import Async, ModeT, Run, Sync
from holdfast.calls import Call
from holdfast.connections import Connections, process, process_and_loop
from holdfast.decisions import Policy
from holdfast.resources.availability import Availability, BrowserTokens
from holdfast.resources.channels import Channels, Listings, Outbox
from holdfast.resources.files import Files, Imports
from holdfast.resources.keys import Keys
from holdfast.resources.locations import Locations, Sourcing
from holdfast.resources.orders import Inbox, Orders
from holdfast.resources.reports import History, Reports, Shortages, System
from holdfast.resources.reservations import Reservations
from holdfast.resources.rules import Replenishment, Safety, TimeZone
from holdfast.resources.skus import Skus
from holdfast.resources.sources import Sources
from holdfast.resources.stock import Allocations, Backorders, Barcodes, Stock
from holdfast.resources.supply import Supply, Transfers
from holdfast.streams import Changes
from holdfast.transport import AsyncTransport, Observe, SyncTransport

POLICY: Final = Policy()
P = ParamSpec("P")
T = TypeVar("T")


class Page(Protocol):
    """A page of a list. ``next`` is the ``after`` of the next one, and empty on the last."""

    @property
    def next(self) -> str:
        """Where the next page begins."""


PageT = TypeVar("PageT", bound=Page)
TransportT = TypeVar("TransportT", SyncTransport, AsyncTransport)


class Resources(Generic[ModeT]):
    """What a client can ask for, by what it is about; ``docs/api`` has every route.

    Quantities are units of the SKU. Names that end in ``_s`` are in seconds, in ``_ms`` in milliseconds;
    ``limit`` is how many elements a page has.

    Raises
    ------
    Refused
        The server said no. Methods name their own refusals; ``Invalid``, ``AccessRefused`` and ``Refused`` (id_reused,
        too_large) may come from each.
    Unavailable
        It could not be made, and nothing happened.
    OutcomeUnknown
        All answers to a change were lost.
    ValueError
        A name, an id or a key cannot be sent.

    """

    def __init__(self, run: Run, policy: Policy) -> None:
        self.allocations = Allocations[ModeT](run, policy)
        self.availability = Availability[ModeT](run, policy)
        self.backorders = Backorders[ModeT](run, policy)
        self.barcodes = Barcodes[ModeT](run, policy)
        self.browser_tokens = BrowserTokens[ModeT](run, policy)
        self.channels = Channels[ModeT](run, policy)
        self.files = Files[ModeT](run, policy)
        self.history = History[ModeT](run, policy)
        self.imports = Imports[ModeT](run, policy)
        self.inbox = Inbox[ModeT](run, policy)
        self.keys = Keys[ModeT](run, policy)
        self.listings = Listings[ModeT](run, policy)
        self.locations = Locations[ModeT](run, policy)
        self.orders = Orders[ModeT](run, policy)
        self.outbox = Outbox[ModeT](run, policy)
        self.replenishment = Replenishment[ModeT](run, policy)
        self.reports = Reports[ModeT](run, policy)
        self.reservations = Reservations[ModeT](run, policy)
        self.safety = Safety[ModeT](run, policy)
        self.shortages = Shortages[ModeT](run, policy)
        self.skus = Skus[ModeT](run, policy)
        self.sources = Sources[ModeT](run, policy)
        self.sourcing = Sourcing[ModeT](run, policy)
        self.stock = Stock[ModeT](run, policy)
        self.supply = Supply[ModeT](run, policy)
        self.system = System[ModeT](run, policy)
        self.time_zone = TimeZone[ModeT](run, policy)
        self.transfers = Transfers[ModeT](run, policy)


class Connected(Resources[ModeT], Generic[ModeT, TransportT]):
    """What both clients are: resources over a transport."""

    _transport: TransportT
    _closes: bool
    """Whether the connections are this client's to close."""

    def _begin(self, transport: TransportT) -> None:
        self._transport = transport
        self._closes = transport.connections.is_own
        super().__init__(transport.run, transport.policy)

    def with_options(self, **options: Any) -> Self:
        """Return a client with other deadlines and tries: fields of :class:`Policy`. It shares the connections.

        Raises
        ------
        TypeError
            It is no field of :class:`Policy`.

        """
        other = object.__new__(type(self))
        other._begin(self._transport.with_policy(**options))
        other._closes = False
        return other


class Client(Connected[Sync, SyncTransport]):
    """A client whose methods return answers. It may be used by several threads at once.

    Parameters
    ----------
    url
        Where Holdfast is, such as ``https://stock.example``.
    key
        An API key, ``hf_…``, or a browser's token; empty for a server without keys.
    policy
        Deadlines and tries.
    observe
        Is told of each try, for logs and figures.
    http
        An ``httpx.Client`` of your own, such as one with a proxy or a certificate; it stays yours to close.

    """

    def __init__(
        self,
        url: str,
        key: str = "",
        *,
        policy: Policy = POLICY,  # it cannot change
        observe: Observe | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        self._begin(SyncTransport(url, key, policy, observe, Connections(http, httpx.Client, process)))

    def _begin(self, transport: SyncTransport) -> None:
        super()._begin(transport)
        self.changes = Changes(transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        if self._closes:
            self._transport.connections.last.close()

    def run(self, call: Call[T]) -> T:
        """Carry out a call, such as the one of an :class:`OutcomeUnknown`, which is then the same one again."""
        return self._transport.run(call)

    def pages(self, read: Callable[P, PageT], *args: P.args, **kwargs: P.kwargs) -> Iterator[PageT]:
        """Yield every page of a list: ``client.pages(client.reservations.read_many, state="held")``."""
        page = read(*args, **kwargs)
        yield page
        while page.next:
            page = read(*args, **{**kwargs, "after": page.next})  # type: ignore[arg-type]  # every list takes it
            yield page


class AsyncClient(Connected[Async, AsyncTransport]):
    """A client whose methods are awaited; for parameters see :class:`Client`."""

    def __init__(
        self,
        url: str,
        key: str = "",
        *,
        policy: Policy = POLICY,  # it cannot change
        observe: Observe | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._begin(AsyncTransport(url, key, policy, observe, Connections(http, httpx.AsyncClient, process_and_loop)))

    def _begin(self, transport: AsyncTransport) -> None:
        super()._begin(transport)
        self.changes = AsyncChanges(transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close its connections."""
        if self._closes:
            await self._transport.connections.last.aclose()

    async def run(self, call: Call[T]) -> T:
        """Carry out a call, such as the one of an :class:`OutcomeUnknown`, which is then the same one again."""
        return await self._transport.run(call)

    async def pages(
        self, read: Callable[P, Awaitable[PageT]], *args: P.args, **kwargs: P.kwargs
    ) -> AsyncIterator[PageT]:
        """Yield every page of a list: ``client.pages(client.reservations.read_many, state="held")``."""
        page = await read(*args, **kwargs)
        yield page
        while page.next:
            page = await read(*args, **{**kwargs, "after": page.next})  # type: ignore[arg-type]  # every list takes it
            yield page
