"""What the store knows of having been restored: half of it, all of it and halted, or released.

While it is halted nothing is published, read from channels or said to them: the store says what was true when the
backup was taken. ``holdfast restore --release`` ends that.
"""

from typing import Final, Literal

import msgspec
from redis.asyncio import Redis

from server.store.connection.commands import command
from server.store.errors import HalfRestoredError
from server.store.keys import RESTORED

State = Literal["restoring", "halted", "released"]

RELEASED: Final = "released"
"""Field of the hash of a channel's intake: when a restored store began to speak again, milliseconds since 1970.

What a rule says of an order from before may have been said, and what waited since may have been sent.
"""
VERSIONS_FROM: Final = "versions_from"
"""Field of the hash ``meta`` of a partition: what is added to each seq that channels are told as a version.

The seq has gone back with the store, and a channel drops what has a lower version than it saw before. So this is the
moment of the restore in microseconds: more changes than that nobody made.
"""


class Restored(msgspec.Struct, frozen=True):
    """That a store was restored. Times are milliseconds since 1970, 0: not yet.

    ``backup``: the id of the backup, ``taken_ms``: its moment.
    """

    state: State
    backup: str
    taken_ms: int = 0
    restored_ms: int = 0
    released_ms: int = 0

    @property
    def is_halted(self) -> bool:
        """Whether nothing is told to anybody."""
        return self.state != "released"


async def read_restored(client: Redis) -> Restored | None:
    """Read it; None: the store was never restored.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    stored = await command(client, "HGETALL", RESTORED)
    if not stored:
        return None
    return msgspec.convert({name.decode(): value.decode() for name, value in stored.items()}, Restored, strict=False)


async def write_restored(client: Redis, restored: Restored) -> None:
    """Write it, all at once; errors as for :func:`read_restored`."""
    fields = msgspec.structs.asdict(restored)
    await command(client, "HSET", RESTORED, *(str(word) for pair in fields.items() for word in pair))


async def is_halted(client: Redis) -> bool:
    """Whether nothing is told to anybody, in one command; errors as for :func:`read_restored`."""
    state = await command(client, "HGET", RESTORED, "state")
    return state is not None and state != b"released"


async def refuse_half_restored(client: Redis) -> None:
    """Refuse to work on a part of a backup.

    Raises
    ------
    HalfRestoredError
        A restore was interrupted, or still runs.
    StoreUnavailableError
        The store did not answer.

    """
    found = await read_restored(client)
    if found is not None and found.state == "restoring":
        raise HalfRestoredError(
            "The restore was interrupted, or still runs: the store has a part of the backup only. If it does not run"
            " any more, run it again: holdfast restore BACKUP"
        )
