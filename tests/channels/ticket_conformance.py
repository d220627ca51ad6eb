"""The suite of every kind with tickets, under the name that the tests of this repository use."""

from adapters.testing.ticket_conformance import TicketConformance

__all__ = ["TicketConformance"]
