"""What orders lack, counted anew: for a store in which a release has worked that did not keep it.

``lua/lib/lacking.lua`` keeps it at each change. This job finds the places that have not changed since: once in the life
of an old store, and after that regularly, for two releases run side by side during an upgrade. It repeats nothing and
spoils nothing: each slice writes what its records say, whatever happened before it.
"""

import asyncio
from typing import Final

import msgspec
import structlog
from redis.asyncio import Redis

from server.store.connection.commands import command, run_function
from server.store.keys import Keyspace
from server.store.lua_library import library

log = structlog.get_logger("holdfast.housekeeping")

SLICE: Final = 500
"""Records that one script looks at, about: a millisecond of the store's time."""
_PAUSE_S: Final = 0.005
"""Between two slices, so that the hot path gets through."""

_decode_slice = msgspec.msgpack.Decoder(tuple[str, int, bool]).decode


async def recount_lacking(client: Redis, keyspace: Keyspace, limits: bytes) -> int:
    """Look through a partition once; return by how many units what was written was wrong.

    Raises
    ------
    StoreUnavailableError
        The store did not answer. What was written until then is right; begin again.

    """
    # Nothing lacks where nothing is short, so most stores need no look at their stock.
    is_short = int(await command(client, "HGET", keyspace.meta, "shortage") or 0) > 0
    moved, was_known = 0, True
    for what in ("stock", "written") if is_short else ("written",):
        cursor = ""
        while cursor != "0":
            reply = await run_function(
                client, library().function("recount_lacking"), keyspace, limits, what, cursor or "0", SLICE
            )
            cursor, more, was_known = _decode_slice(reply)
            moved += more
            await asyncio.sleep(_PAUSE_S)
    if moved and was_known:
        log.warning(
            "lacking_mended", partition=keyspace.partition, units=moved,
            advice="expected after a release before 0.2 has worked on this store; otherwise run holdfast verify",
        )  # fmt: skip
    elif moved:
        log.info("lacking_counted", partition=keyspace.partition, units=moved)
    return moved
