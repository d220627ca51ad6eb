"""How many requests of a key a process may let in now: leased from the store, which counts for all processes."""

import time
from typing import Final, NamedTuple

import msgspec

from server.store.connection.commands import run_on_keys
from server.store.connection.connect import StoreClient
from server.store.connection.timeouts import in_time
from server.store.keys import Keyspace
from server.store.lua_library import library


class RequestLease(NamedTuple):
    """What the store gave: ``given`` requests, good until ``until_s`` on the monotonic clock.

    ``left``: how many others of the same second nobody has.
    """

    given: int
    left: int
    until_s: float


_decode: Final = msgspec.msgpack.Decoder(tuple[int, int, int]).decode


async def lease_requests(client: StoreClient, partition: str, key: str, per_s: int, wanted: int) -> RequestLease:
    """Lease some of the requests that a key may make in this second of the store's clock.

    Raises
    ------
    StoreUnavailableError
        The store did not answer in time.

    """
    # Counted from when it was asked for, so that the lease is over here before the second is over there.
    asked_s = time.monotonic()
    keys = (Keyspace(partition).rate_of(key),)
    words = run_on_keys(client, library().function("lease_requests"), keys, str(per_s), str(wanted))
    given, left, ends_in_ms = _decode(await in_time(words))
    return RequestLease(given, left, asked_s + ends_in_ms / 1000)
