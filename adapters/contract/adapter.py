"""The contract of a channel adapter: what it receives, what it returns, and how it declares what the channel allows.

An adapter turns values into requests and answers into outcomes. It holds no queue, no clock and no socket: those are
in ``server/channels``, one implementation for all channels. An exchange with the channel is a generator that yields a
:class:`Request`, is sent the :class:`Answer`, and returns the result::

    def push(self, items, now_s):
        answer = yield Request("POST", self._url, body=...)
        return {item.key: Applied() for item in items}

A new adapter is one file ``adapters/<kind>.py`` with ``ADAPTER = Kind(...)`` in it, and its test. A kind that needs
several files is a folder ``adapters/<kind>/`` whose ``__init__.py`` has the ``ADAPTER``. A kind can also be in another
package, see :mod:`adapters.contract.installed`.
"""

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from adapters.contract.http import Answer, Exchange
from adapters.contract.limits import CostLeft, Limit
from adapters.contract.orders import Command, CommandOutcome, Confirmation, Delivery, Heard, Intake, Order, Pulled
from adapters.contract.stock import Item, Notice, Outcome, Outcomes, StillPending, Ticket
from adapters.contract.tokens import Grant
from adapters.contract.warehouse import Warehouse, WarehousePage

CONTRACT: Final = 1
"""The number of this contract. It rises where a kind that was written for the one before would be wrong."""
_NO_KINDS: Final = frozenset({"contract", "testing"})


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel can do and how much of it; ``server/channels`` keeps to it.

    ``result``: "per_item", or "whole" where one bad item refuses all. ``requests_in_flight_max`` pushes may be in
    flight at once, never two with one item. ``jobs_pending_max`` tickets may be open; they are polled every
    ``poll_every_s`` seconds for ``ticket_life_s`` seconds at most. A body identical to one sent within
    ``identical_body_window_s`` is refused by the channel. ``read_items_max`` 0: the channel cannot be read back.
    ``quantity_max``: greater quantities are shown as this one. ``own_sale`` says what the channel does to its number
    when it sells: it "lowers" the one that it was told; it "subtracts" its open orders from it; or "none", where it
    shows what it was told and sells nothing itself. ``intake``: how its orders come in; None: they do not.
    ``warehouse``: how the units are read that the channel holds itself; None: they are not.
    """

    items_max: int
    result: Literal["per_item", "whole"] = "per_item"
    requests_in_flight_max: int = 1
    jobs_pending_max: int | None = None
    poll_every_s: float = 3.0  # most jobs take seconds; polling faster would spend limits on "not yet"
    ticket_life_s: float = 4 * 3600.0  # the longest time that a known channel keeps results
    identical_body_window_s: float = 0.0
    read_items_max: int = 0
    quantity_max: int | None = None
    takes_price: bool = False
    own_sale: Literal["lowers", "subtracts", "none"] = "none"
    limits: tuple[Limit, ...] = ()
    intake: Intake | None = None
    warehouse: Warehouse | None = None


class Adapter(ABC):
    """One channel's wire contract. Built from its options and credentials; keeps only what saves requests."""

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What the channel can do; constant for the life of the adapter."""

    @abstractmethod
    def push(self, items: Sequence[Item], now_s: float) -> Exchange[Outcomes | Ticket]:
        """Send values, ``items_max`` at most. ``now_s``: seconds since 1970, for signatures with a time.

        Raises :class:`ChannelError` where the call failed as a whole.
        """

    def poll(self, ticket_id: str, keys: Sequence[str]) -> Exchange[Outcomes | StillPending]:  # noqa: ARG002
        """Ask for the results of a ticket that carried these keys. Raises :class:`TicketLostError` among others."""
        raise TypeError(f"{type(self).__name__} returns tickets and has no poll()")

    def read(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:  # noqa: ARG002
        """Read what the channel shows, ``read_items_max`` keys at most; keys that it does not know are left out."""
        raise TypeError(f"{type(self).__name__} declares read_items_max and has no read()")

    def notify(self, notice: Notice, now_s: float) -> Exchange[Outcome]:  # noqa: ARG002
        """Send an event; only few kinds can. Raises :class:`ChannelError` as :meth:`push` does."""
        raise TypeError(f"{type(self).__name__} cannot send notices")

    def pull_orders(self, cursor: str, now_s: float) -> Exchange[Pulled]:  # noqa: ARG002
        """Read the next page of orders that changed. ``cursor``: that of the page before; a walk begins as it says.

        :meth:`first_cursor` makes the first one. Raises :class:`CursorRefusedError` where the channel does not take
        the cursor any more: the walk begins again, from where the last whole one began.
        """
        raise TypeError(f"{type(self).__name__} declares pulls and has no pull_orders()")

    def first_cursor(self, since_ms: int) -> str:  # noqa: ARG002
        """Return the cursor of a walk over all orders that changed since a time."""
        raise TypeError(f"{type(self).__name__} declares pulls and has no first_cursor()")

    def pull_returns(self, cursor: str, now_s: float) -> Exchange[Pulled]:  # noqa: ARG002
        """Read the next page of returns that changed; cursors as in :meth:`pull_orders`."""
        raise TypeError(f"{type(self).__name__} declares returns and has no pull_returns()")

    def fetch_order(self, key: str, now_s: float) -> Exchange[Order | None]:  # noqa: ARG002
        """Read one order whole; None: the channel does not know it.

        Raises :class:`UnreadableOrderError` where it is answered, and cannot be understood.
        """
        raise TypeError(f"{type(self).__name__} takes orders and has no fetch_order()")

    def hear(self, delivery: Delivery, now_s: float) -> Heard:  # noqa: ARG002
        """Say what a delivery means, once it has proved who sent it. It asks nobody, and compares in constant time.

        Raises :class:`ForgedError` or :class:`UnreadableError`.
        """
        raise TypeError(f"{type(self).__name__} declares hears and has no hear()")

    def command(self, command: Command, order: Order, now_s: float) -> Exchange[CommandOutcome]:  # noqa: ARG002
        """Say something to the channel about an order, which is given as it was last read whole.

        Raises :class:`UnknownResultError` where it may or may not have been carried out.
        """
        raise TypeError(f"{type(self).__name__} declares commands and has no command()")

    def confirm(self, command: Command, order: Order) -> Confirmation:  # noqa: ARG002
        """Say by an order that was read whole after a lost answer whether a command was carried out."""
        raise TypeError(f"{type(self).__name__} declares commands and has no confirm()")

    def pull_warehouse(self, cursor: str) -> Exchange[WarehousePage]:  # noqa: ARG002
        """Read the next page of what lies in the channel's own warehouse. ``cursor``: of the page before; "" begins."""
        raise TypeError(f"{type(self).__name__} declares a warehouse and has no pull_warehouse()")

    def cost_left(self, answer: Answer) -> CostLeft | None:  # noqa: ARG002
        """Return what is left of the cost points by an answer; None: the answer does not contain it."""
        return None


class Kind(msgspec.Struct, frozen=True):
    """One kind of adapter: its name, the type of its options, its credentials, and how to build it.

    ``options`` is a msgspec type that forbids unknown fields. ``credentials`` are the names of those that are
    required, ``optional_credentials`` of the others. ``build(options, credentials)`` returns the adapter, or raises
    ValueError with what is wrong.

    ``grant``: for credentials that change, how they are asked for; the engine keeps them. ``sign_in_with`` is then what
    a person can bring to begin, the usual one first. ``contract``: in another package the :data:`CONTRACT` that it is
    written for, as a number, so that another one is noticed; 0: the kind is released together with the contract.
    """

    name: str
    summary: str
    options: type[msgspec.Struct]
    credentials: tuple[str, ...]
    build: Callable[[Any, Mapping[str, str]], Adapter]
    optional_credentials: tuple[str, ...] = ()
    grant: Callable[[Any, Mapping[str, str]], Grant] | None = None
    sign_in_with: tuple[str, ...] = ()
    contract: int = 0


def kinds() -> dict[str, Kind]:
    """Find our own kinds of channel: each module and folder of ``adapters`` with an ``ADAPTER``.

    The contract and the suites have none, and neither have the sources, see ``contract/source.py``.
    """
    package = importlib.import_module("adapters")
    modules = [name for _, name, _ in pkgutil.iter_modules(package.__path__) if name not in _NO_KINDS]
    loaded = [importlib.import_module(f"adapters.{name}") for name in sorted(modules)]
    found: list[Kind] = [each.ADAPTER for each in loaded if not hasattr(each, "SOURCE")]
    return {kind.name: kind for kind in found}
