"""Tests a channel's connection: reads one key back; where the channel cannot be read, one value is sent again."""

from adapters.contract.errors import ChannelError
from server.channels.connection.client import ChannelClient
from server.channels.connection.clock import Clock
from server.channels.connection.guarded import is_read
from server.channels.outbound.channel_state import ChannelState
from server.domain.channels import LastTest
from server.store.journal.journal import EntryId


async def probe(state: ChannelState, client: ChannelClient, clock: Clock, position: EntryId) -> LastTest:
    """Find out whether the channel answers. It is tried at once, whatever failed before; errors are what it returns.

    ``position``: the journal id for the value that is sent where the channel cannot be read.
    """
    client.revive()
    keys = state.keys()[:1]
    if not keys:
        return LastTest(clock.store_ms(), None, "nothing is listed there, so there is nothing to ask it")
    if client.capabilities.read_items_max:
        try:
            await client.talk(lambda adapter: adapter.read(keys), returns=is_read)
        except ChannelError as error:
            return LastTest(clock.store_ms(), answered=False, reason=error.reason)
        return LastTest(clock.store_ms(), answered=True)
    if state.is_paused:
        return LastTest(clock.store_ms(), None, "it cannot be read, and nothing is sent while it is paused")
    state.key_changed(keys[0], position, 0, forced=True)
    return LastTest(clock.store_ms(), None, "it cannot be read: one value was sent again, see when it confirms it")
