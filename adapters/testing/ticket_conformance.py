"""What every adapter must do whose channel accepts a push for later under a ticket."""

import asyncio
from abc import abstractmethod
from typing import ClassVar

import pytest

from adapters.contract.errors import ChannelError, TicketLostError, UnknownResultError
from adapters.contract.stock import Applied, StillPending, Ticket
from adapters.testing.conformance import AFTER_S, REFUSALS, Conformance
from adapters.testing.driving import Driven, S
from adapters.testing.simulator import Fault
from adapters.testing.waiting import DEADLINE_S


class TicketConformance(Conformance[S]):
    """All of :class:`Conformance`, and that tickets are asked for until they end.

    ``poll_path`` is part of the path of the request that asks.
    """

    gives_tickets = True
    poll_path: ClassVar[str] = ""

    @abstractmethod
    def make_slow(self, simulator: S) -> None:
        """Let a ticket be unfinished when it is first asked for, and finished after a few times."""

    @abstractmethod
    def lose_tickets(self, simulator: S) -> None:
        """Let the channel forget its tickets."""

    async def test_a_slow_ticket_is_pending_and_then_settled(self, simulator: S, channel: Driven) -> None:
        self.make_slow(simulator)
        items = self.items(7, 11)

        ticket = await channel.push(*items)
        assert isinstance(ticket, Ticket)
        pending = await channel.poll(ticket, *items)
        assert isinstance(pending, StillPending)
        assert pending.settled.keys() <= {item.key for item in items}
        async with asyncio.timeout(DEADLINE_S):
            while isinstance(outcomes := await channel.poll(ticket, *items), StillPending):
                pass

        assert outcomes == {item.key: Applied() for item in items}
        assert {item.key: simulator.shown[item.key] for item in items} == {item.key: item.quantity for item in items}

    async def test_a_ticket_that_the_channel_forgot_is_reported_as_lost(self, simulator: S, channel: Driven) -> None:
        items = self.items(7)
        ticket = await channel.push(*items)
        assert isinstance(ticket, Ticket)

        self.lose_tickets(simulator)

        with pytest.raises(TicketLostError):
            await channel.poll(ticket, *items)

    @pytest.mark.parametrize("fault", REFUSALS)
    async def test_a_fault_while_a_ticket_is_asked_for_is_reported_as_what_it_is(
        self, fault: Fault, simulator: S, channel: Driven
    ) -> None:
        items = self.items(7)
        ticket = await channel.push(*items)
        assert isinstance(ticket, Ticket)

        simulator.always, simulator.only = fault, self.poll_path
        with pytest.raises(ChannelError) as caught:
            await channel.poll(ticket, *items)

        assert (type(caught.value), caught.value.after_s) == (REFUSALS[fault], AFTER_S.get(fault))
        simulator.always = None
        assert await channel.poll(ticket, *items) == {self.key(0): Applied()}

    async def test_a_connection_cut_while_a_ticket_is_asked_for_leaves_the_ticket_open(
        self, simulator: S, channel: Driven
    ) -> None:
        items = self.items(7)
        ticket = await channel.push(*items)
        assert isinstance(ticket, Ticket)
        simulator.faults.append("reset")

        with pytest.raises(UnknownResultError):
            await channel.poll(ticket, *items)

        assert await channel.poll(ticket, *items) == {self.key(0): Applied()}
