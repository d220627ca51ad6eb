"""Asks a channel what came of a push that it took for later, until every item of it has its answer."""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from adapters.contract.errors import ChannelError, SpoiledError, TicketLostError
from adapters.contract.http import READ
from adapters.contract.stock import Outcomes, Rejected, StillPending
from server.channels.connection.client import ChannelClient
from server.channels.connection.clock import Clock
from server.channels.outbound.in_flight import Flight
from server.channels.outbound.push_results import PushResults
from server.domain.channels import OpenTicket

log = structlog.get_logger("holdfast.channel")

REST_S_MAX: Final = 60.0


async def watch(
    ticket: OpenTicket, flights: Sequence[Flight], *, settler: PushResults, line: ChannelClient, clock: Clock
) -> list[Flight]:
    """Poll one ticket to its end and settle what it carried, at last as unknown when its life is over.

    *Taken for later* is not *applied*: until then its SKUs are on their way, and no newer value of theirs overtakes it.

    Returns
    -------
    list of Flight
        Those of a ticket that was refused whole because of one among them that nobody named, still on their way.
        Mostly none.

    """
    left = {flight.key: flight for flight in flights}
    spoiled: list[Flight] = []
    while left:
        await asyncio.sleep(min(max(line.capabilities.poll_every_s, line.wait_s(READ)), REST_S_MAX))
        try:
            result = await _poll(ticket, list(left), line, clock)
        except SpoiledError as error:
            if len(left) > 1:
                spoiled, left = list(left.values()), {}
                continue
            result = dict.fromkeys(left, Rejected(error.code, error.reason))
        except TicketLostError as error:
            log.warning("channel_ticket_lost", channel=settler.channel, ticket=ticket.id, reason=error.reason)
            result = {}
        except ChannelError:
            continue
        # Whom a finished ticket does not name has an unknown fate.
        outcomes = result.settled if isinstance(result, StillPending) else result
        keys = [key for key in left if key in outcomes or not isinstance(result, StillPending)]
        settler.settle([left.pop(key) for key in keys], line.masked(outcomes))
    settler.close_ticket(ticket.id)
    return spoiled


async def _poll(ticket: OpenTicket, keys: Sequence[str], line: ChannelClient, clock: Clock) -> Outcomes | StillPending:
    if clock.store_ms() > ticket.expires_ms:
        raise TicketLostError("it was not answered for in its lifetime")
    return await line.talk(lambda adapter: adapter.poll(ticket.id, keys))
