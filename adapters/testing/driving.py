"""How an adapter is driven in a test: over real sockets, against a simulator of its channel, as the engine would."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, Generic, TypeVar

import msgspec
import pytest

from adapters.contract.adapter import Adapter, Capabilities, Kind
from adapters.contract.http import Answer, Request
from adapters.contract.stock import Item, Outcomes, StillPending, Ticket
from adapters.testing.simulator import Simulator
from adapters.testing.waiting import DEADLINE_S
from server.channels.connection.http_transport import Transport, converse

S = TypeVar("S", bound=Simulator)
Send = Callable[[Request], Awaitable[Answer]]

NOW_S: Final = 1_790_000_000.0
"""The time of every push: the adapter has no clock of its own."""
PATIENT_S: Final = 15.0
SHORT_S: Final = 0.2
"""How long an answer is waited for where none will come."""


class Driven:
    """An adapter with a way to its channel; it is asked as the engine would ask it."""

    def __init__(self, adapter: Adapter, send: Send) -> None:
        self.adapter = adapter
        self.send = send

    async def push(self, *items: Item) -> Outcomes | Ticket:
        return await converse(self.adapter.push(items, NOW_S), self.send)

    async def poll(self, ticket: Ticket, *items: Item) -> Outcomes | StillPending:
        return await converse(self.adapter.poll(ticket.id, [item.key for item in items]), self.send)

    async def read(self, keys: Sequence[str]) -> dict[str, int]:
        return await converse(self.adapter.read(keys), self.send)

    async def settle(self, *items: Item) -> Outcomes:
        """Push, and where a ticket is given ask for it until the channel has finished."""
        pushed = await self.push(*items)
        if not isinstance(pushed, Ticket):
            return pushed
        settled: Outcomes = {}
        async with asyncio.timeout(DEADLINE_S):
            while isinstance(polled := await self.poll(pushed, *items), StillPending):
                settled |= polled.settled
        return settled | polled


class Driving(ABC, Generic[S]):
    """The fixtures of one adapter's tests; a subclass defines what is particular to its channel.

    ``push_path`` is part of the path of the request that carries values, where an adapter sends others too.
    ``reads_answers`` False: whatever comes with 200 is a yes.
    ``unknown_words`` must stand in the channel's reason for ``unknown_key``, None where it takes any key.
    """

    kind: ClassVar[Kind]
    credentials: ClassVar[Mapping[str, str]]
    push_path: ClassVar[str] = ""
    gives_tickets: ClassVar[bool] = False
    reads_answers: ClassVar[bool] = True
    unknown_key: ClassVar[str | None] = "no-such-key"
    unknown_words: ClassVar[str] = ""
    currency: ClassVar[str] = "TRY"

    # -- what a subclass defines

    @abstractmethod
    def make_simulator(self) -> S:
        """Make the channel, not yet started."""

    @abstractmethod
    def options_for(self, simulator: S) -> dict[str, Any]:
        """The adapter's options as they would stand in the configuration, for a started simulator."""

    @property
    def other_credentials(self) -> Mapping[str, str]:
        """Credentials of the right form that the channel does not know."""
        return {name: f"{value}-other" for name, value in self.credentials.items()}

    def key(self, number: int) -> str:
        """Name a listing; override where the channel's keys have a form."""
        return f"key-{number}"

    def make_known(self, simulator: S, *keys: str) -> None:
        """Make listings known to the channel, with nothing to sell."""
        simulator.stock(*keys)

    def item(self, key: str, quantity: int, **fields: Any) -> Item:
        """Make a value to send; override where listings carry attributes."""
        return Item(**{"key": key, "sku": f"sku of {key}", "quantity": quantity, "version": quantity + 1, **fields})

    def poisoned(self, simulator: S) -> Item:  # noqa: ARG002  # an override may need it
        """Make the one value that the channel will not take."""
        if self.unknown_key is None:
            pytest.skip("this channel takes any key")
        return self.item(self.unknown_key, 5)

    # -- what the tests use

    def build(self, simulator: S, credentials: Mapping[str, str] | None = None) -> Adapter:
        options = msgspec.convert(self.options_for(simulator), self.kind.options)
        return self.kind.build(options, self.credentials if credentials is None else credentials)

    def items(self, *quantities: int) -> list[Item]:
        return [self.item(self.key(number), quantity) for number, quantity in enumerate(quantities)]

    def again(self, capabilities: Capabilities, *items: Item) -> list[Item]:
        """Send the same values where their fate is unknown; not the same bytes to a channel that refuses those."""
        company = [self.item(self.key(1), 1)] if capabilities.identical_body_window_s else []
        return [*items, *company]

    def secrets(self, simulator: S) -> set[str]:
        """The credentials, and what of the headers would be another's with other credentials."""
        requests = (
            next(self.build(simulator, credentials).push(self.items(8), NOW_S))
            for credentials in (self.credentials, self.other_credentials)
        )
        ours, others = (set(request.headers.values()) for request in requests)
        secret_parts = {part for value in ours - others for part in value.split()}
        return {text for text in secret_parts | set(self.credentials.values()) if len(text) >= 8}

    @pytest.fixture
    async def simulator(self) -> AsyncIterator[S]:
        async with self.make_simulator() as simulator:
            self.make_known(simulator, self.key(0), self.key(1), self.key(2))
            yield simulator
        assert simulator.complaints == []

    @pytest.fixture
    async def transport(self) -> AsyncIterator[Transport]:
        transport = Transport(allow_private=["127.0.0.1"], timeout_s=PATIENT_S)
        yield transport
        await transport.close()

    @pytest.fixture
    async def impatient(self) -> AsyncIterator[Transport]:
        transport = Transport(allow_private=["127.0.0.1"], timeout_s=SHORT_S)
        yield transport
        await transport.close()

    @pytest.fixture
    def channel(self, simulator: S, transport: Transport) -> Driven:
        return Driven(self.build(simulator), transport.send)

    @pytest.fixture
    async def warm(self, channel: Driven) -> Driven:
        """Return an adapter that has sent before: what it looks up or signs in for once is done."""
        await channel.settle(self.item(self.key(0), 3))
        return channel
