"""Polls a channel for the results of a push that it accepted for later, until every item of it has its result."""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final

import structlog

from adapters.contract.errors import ChannelError, SpoiledError, TicketLostError
from adapters.contract.http import READ
from adapters.contract.stock import Outcomes, Rejected, StillPending, Unknown
from server.channels.connection.client import ChannelClient
from server.channels.connection.clock import Clock
from server.channels.connection.guarded import is_polled
from server.channels.outbound.in_flight import InFlight
from server.channels.outbound.push_results import PushResults
from server.channels.outbound.retry_policy import WAIT_S_MAX
from server.domain.channels import OpenTicket

log = structlog.get_logger("holdfast.channel")

LEFT_OUT_MAX: Final = 20
"""Answers that leave an item out and name only finished ones, until it counts as unknown: a minute at 3 s each."""


async def watch(
    ticket: OpenTicket, batch: Sequence[InFlight], *, push_results: PushResults, client: ChannelClient, clock: Clock
) -> list[InFlight]:
    """Poll one ticket to its end and apply the results of what it carried, as unknown when its life is over.

    *Accepted for later* is not *applied*: until then its SKUs are in flight, and no newer value of theirs overtakes it.

    Returns
    -------
    list of InFlight
        Those of a ticket that was refused whole because of one that the channel did not name, still in flight.
        Mostly none.

    """
    # By two clocks: the store's may have been fast when the ticket came, and ours goes on only while we run.
    lost_s = clock.now_s() + (ticket.expires_ms - ticket.accepted_ms) / 1000
    left = {sent.key: sent for sent in batch}
    left_out = Counter[str]()
    spoiled: list[InFlight] = []
    while left:
        await asyncio.sleep(min(max(client.capabilities.poll_every_s, client.wait_s(READ)), WAIT_S_MAX))
        try:
            result = await _poll(ticket, list(left), client, clock, lost_s)
        except SpoiledError as error:
            if len(left) > 1:
                spoiled, left = list(left.values()), {}
                continue
            result = dict.fromkeys(left, Rejected(error.code, error.reason))
        except TicketLostError as error:
            log.warning("channel_ticket_lost", channel=push_results.channel, ticket=ticket.id, reason=error.reason)
            result = dict.fromkeys(left, Unknown(error.reason))
        except ChannelError:
            continue
        outcomes, keys = _ended(result, left, left_out)
        push_results.apply([left.pop(key) for key in keys], client.masked(outcomes))
    push_results.close_ticket(ticket.id)
    return spoiled


def _ended(
    result: Outcomes | StillPending, left: Collection[str], left_out: Counter[str]
) -> tuple[Outcomes, list[str]]:
    """Return the outcomes, and the keys that have ended: also those left out by the end, or too often."""
    if not isinstance(result, StillPending):
        return result, list(left)
    left_out.update(result.unnamed)
    over = {key for key in result.unnamed if left_out[key] >= LEFT_OUT_MAX}
    return result.settled, [key for key in left if key in result.settled or key in over]


async def _poll(
    ticket: OpenTicket, keys: Sequence[str], client: ChannelClient, clock: Clock, lost_s: float
) -> Outcomes | StillPending:
    if clock.store_ms() > ticket.expires_ms or clock.now_s() > lost_s:
        raise TicketLostError("it was not answered for in its lifetime")
    return await client.talk(lambda adapter: adapter.poll(ticket.id, keys), returns=is_polled)
