"""The pushes that one channel accepted for later and has not answered yet."""

from collections.abc import Sequence

from server.channels.outbound.in_flight import InFlight
from server.channels.write_behind import ChannelWriteBehind
from server.domain.channels import OpenTicket


class OpenTickets:
    """One channel's open tickets. Times are milliseconds of the store's clock."""

    def __init__(self, write_behind: ChannelWriteBehind, stored: dict[str, OpenTicket]) -> None:
        self._write_behind = write_behind
        self._tickets = stored

    def __len__(self) -> int:
        return len(self._tickets)

    def resume(self) -> list[OpenTicket]:
        """Return all of them, to be polled again."""
        return list(self._tickets.values())

    def open(self, ticket_id: str, batch: Sequence[InFlight], now_ms: int, life_s: float) -> OpenTicket:
        """Add a ticket that the channel gave for a batch and answers for ``life_s`` seconds."""
        items = [sent.ticket_item() for sent in batch]
        ticket = OpenTicket(ticket_id, now_ms, now_ms + int(1000 * life_s), items)
        self._tickets[ticket_id] = ticket
        self._write_behind.ticket(ticket_id, ticket)
        return ticket

    def close(self, ticket_id: str) -> None:
        """Remove a ticket: all that it carried has its result."""
        del self._tickets[ticket_id]
        self._write_behind.ticket(ticket_id, None)
