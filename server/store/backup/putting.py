"""Puts the records of a backup into a store, as commands that any release of it takes."""

from collections.abc import Iterator
from typing import Final

from redis.asyncio import Redis

from server.store.backup.key_records import Record, partition_of
from server.store.connection.commands import in_a_row

COMMANDS_MAX: Final = 64
BYTES_MAX: Final = 512 * 1024
"""Of one write to the store."""

Words = list[str | bytes | int]
_NOBODY: Final = "restore"


class Putting:
    """Gathers commands and sends them, those of a partition together. Errors as for :func:`in_a_row`."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._commands: list[Words] = []
        self._bytes = 0
        self._partition = ""
        self._stream = b""

    async def put(self, record: Record) -> None:
        """Put a record; :meth:`flush` has it sent at the latest."""
        partition = partition_of(record.key) or record.key.decode("utf-8", "backslashreplace")
        if partition != self._partition:
            await self.flush()  # in a cluster it may be on another server
            self._partition = partition
        for words in self._commands_of(record):
            self._commands.append(words)
            self._bytes += sum(len(word) for word in words if isinstance(word, (bytes, str)))
        if len(self._commands) >= COMMANDS_MAX or self._bytes >= BYTES_MAX:
            await self.flush()

    async def flush(self) -> None:
        """Send what was gathered."""
        commands, self._commands, self._bytes = self._commands, [], 0
        if commands:
            await in_a_row(self._client, commands)

    def _commands_of(self, record: Record) -> Iterator[Words]:
        key, items = record.key, record.items
        match record.type:
            case "string":
                yield ["SET", key, *items]
            case "hash":
                yield ["HSET", key, *items]
            case "set":
                yield ["SADD", key, *items]
            case "list":
                yield ["RPUSH", key, *items]
            case "zset":
                # A command has the score first.
                yield ["ZADD", key, *(each for at in range(0, len(items), 2) for each in (items[at + 1], items[at]))]
            case "stream":
                self._stream = key
                yield ["XADD", key, *items]
            case "stream_end":
                if self._stream != key:  # it has no entries: nothing else makes such a stream
                    yield ["XGROUP", "CREATE", key, _NOBODY, "0", "MKSTREAM"]
                    yield ["XGROUP", "DESTROY", key, _NOBODY]
                last, added, deleted = items
                yield ["XSETID", key, last, "ENTRIESADDED", added, "MAXDELETEDID", deleted]
        if record.expires_ms:
            yield ["PEXPIREAT", key, record.expires_ms]
