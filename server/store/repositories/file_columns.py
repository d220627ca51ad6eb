"""What people have said of the columns of files, by kind of file: the next file of the kind is read by it."""

from collections.abc import Mapping
from typing import Final

import msgspec
from redis.asyncio import Redis

from server.store.connection.commands import command
from server.store.keys import Keyspace

HEADINGS_MAX: Final = 256
"""Of a kind of file: as many as a file may have columns. The oldest make room."""

_decode = msgspec.json.Decoder(dict[str, str]).decode


async def read_columns(client: Redis, keyspace: Keyspace, kind: str) -> dict[str, str]:
    """Read what is remembered of a kind of file: plain heading -> column, empty for one that does not matter.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    packed = await command(client, "HGET", keyspace.file_columns, kind)
    return {} if packed is None else _decode(packed)


async def remember_columns(client: Redis, keyspace: Keyspace, kind: str, said: Mapping[str, str]) -> None:
    """Remember more of a kind of file; what is said anew of a heading or a column counts.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    if not said:
        return
    columns = {column for column in said.values() if column}
    before = await read_columns(client, keyspace, kind)
    kept = {name: column for name, column in before.items() if name not in said and column not in columns}
    newest = dict(list((kept | dict(said)).items())[-HEADINGS_MAX:])
    if newest != before:
        await command(client, "HSET", keyspace.file_columns, kind, msgspec.json.encode(newest))


async def forget_columns(client: Redis, keyspace: Keyspace, kind: str) -> None:
    """Forget what was said of a kind of file.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    await command(client, "HDEL", keyspace.file_columns, kind)
