"""Which run of the store it is: a restart, or a failover, begins another one."""

from hashlib import blake2b
from typing import Final

from redis.asyncio import Redis

from server.store.connection.commands import command

_BYTES: Final = 8


async def run_of(client: Redis) -> str:
    """Name the run of the store, or those of all its nodes.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    found = await command(client, "INFO", "server")
    # A cluster answers for each node. Of one server, what listens is a table, too.
    nodes = [found] if "run_id" in found else [each for each in found.values() if isinstance(each, dict)]
    runs = sorted(str(node["run_id"]) for node in nodes)
    return blake2b("".join(runs).encode(), digest_size=_BYTES).hexdigest()
