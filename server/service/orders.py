"""Orders that channels tell of: from the difference between a snapshot and what was done to the ledger's operations."""

from server.domain.channel_orders import Booked, ChannelOrder, IntakeRules
from server.service.caller import Caller


async def book(caller: Caller, channel: str, order: ChannelOrder, *, fetched: bool, rules: IntakeRules) -> Booked:
    """Book what a snapshot says and has not been booked; again and again the same has no second effect.

    ``fetched``: it was read from the channel, not heard. Only one process may book the orders of a channel at a time.

    Raises
    ------
    OverloadedError
        The store has too much to do. What was done before stands in the record: call again.
    StoreUnavailableError
        It did not answer. Call again.
    OutcomeUnknownError
        The last step may have happened. Call again: it is known then.

    """
    raise NotImplementedError
