"""What intake writes down for people: orders, what came of each, and what could not be booked. Stock does not wait."""

from typing import Protocol

from adapters.contract.orders import Order, ReturnCase
from server.domain.channel_orders import Booked
from server.domain.intake import OutboxEntry


class OrderRecords(Protocol):
    """Where orders are written down. Each returns False where that failed, in bounded time, and raises nothing."""

    async def order(self, channel: str, order: Order, booked: Booked | None, inbox: str) -> bool:
        """Write down an order, what was booked of it (None: nothing), and why not all was (``inbox``)."""

    async def returned(self, channel: str, case: ReturnCase) -> bool:
        """Write down a return."""

    async def unreadable_return(self, channel: str, case: str, reason: str) -> bool:
        """Enter a return into the inbox that is not understood, by the channel's name of it."""

    async def said(self, channel: str, entry: OutboxEntry, words: str) -> bool:
        """Add to an order's timeline what came of a command; ``words``: the channel's own, which may be personal."""

    async def paper(self, channel: str, entry: OutboxEntry, body: bytes, media_type: str) -> bool:
        """Keep what a command was answered with, such as a label."""


class NoRecords:
    """Writes nothing down: there is no documents database. Orders are booked all the same."""

    async def order(self, channel: str, order: Order, booked: Booked | None, inbox: str) -> bool:  # noqa: ARG002
        """Return True."""
        return True

    async def returned(self, channel: str, case: ReturnCase) -> bool:  # noqa: ARG002
        """Return True."""
        return True

    async def unreadable_return(self, channel: str, case: str, reason: str) -> bool:  # noqa: ARG002
        """Return True."""
        return True

    async def said(self, channel: str, entry: OutboxEntry, words: str) -> bool:  # noqa: ARG002
        """Return True."""
        return True

    async def paper(self, channel: str, entry: OutboxEntry, body: bytes, media_type: str) -> bool:  # noqa: ARG002
        """Return True."""
        return True
