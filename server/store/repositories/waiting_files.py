"""Files that were looked at and wait to be applied: each with its token, for some minutes; no script knows them.

A file is one key, so that it goes as a whole when its time is over; an index bounds how many there are, and how large.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from server.store.connection.commands import Words, command, in_a_row, together
from server.store.connection.connect import StoreClient
from server.store.keys import Keyspace

WAITING_MS: Final = 15 * 60_000
"""How long a token may begin to be applied."""
DONE_MS: Final = 24 * 3_600_000
"""How long what came of it can be asked for, while there is room."""
PER_ACTOR_MAX: Final = 4
"""Files of one key that wait; a newer one makes the oldest of them go."""
WAITING_MAX: Final = 64
"""Files of a partition that wait, or are remembered."""
BYTES_MAX: Final = 64 * 1024 * 1024
"""What those of a partition may have together."""
PIECE_BYTES: Final = 256 * 1024
"""Of one write: less than a millisecond of the store's time."""
_BETWEEN: Final = "\0"


class _Member(NamedTuple):
    """A file in the index: whose it is, its key, and how many bytes it has."""

    actor: str
    key: str
    size: int

    @property
    def packed(self) -> str:
        """As it stands there."""
        return _BETWEEN.join((self.actor, self.key, str(self.size)))


def _member(packed: bytes) -> _Member:
    actor, key, size = packed.decode().split(_BETWEEN)
    return _Member(actor, key, int(size))


def _has_room(members: Sequence[_Member], size: int) -> bool:
    return len(members) < WAITING_MAX and sum(each.size for each in members) + size <= BYTES_MAX


class NoRoomError(Exception):
    """So many files wait in the partition that there is no room for another."""


class WaitingFiles:
    """The files of a partition that wait. Methods raise StoreUnavailableError if the store does not answer."""

    def __init__(self, client: StoreClient, keyspace: Keyspace) -> None:
        self.client = client
        self._keyspace = keyspace

    async def add(self, token: str, actor: str, parts: Mapping[str, bytes]) -> int:
        """Keep a file under its token; return until when, in milliseconds of the store's clock.

        Raises
        ------
        NoRoomError
            There are too many of others.

        """
        now_ms, size = await self.now_ms(), sum(map(len, parts.values()))
        await self._make_room(actor, now_ms, size)
        until_ms, key = now_ms + WAITING_MS, self._key(token)
        member = _Member(actor, key, size).packed
        # The index first: what a kill leaves is in it, and has its end.
        await command(self.client, "ZADD", self._keyspace.files, until_ms, member)
        for name, content in parts.items():
            for number in range(0, max(1, len(content)), PIECE_BYTES):
                field = f"{name}:{number // PIECE_BYTES}"
                piece = content[number : number + PIECE_BYTES]
                await together(
                    self.client, [("HSET", key, field, piece), ("PEXPIREAT", key, until_ms)]
                )  # fmt: skip
        await command(self.client, "HSET", key, "whole", "1", "member", member)
        return until_ms

    async def part(self, token: str, name: str) -> bytes:
        """Read a part of a file; empty where it is gone."""
        pieces: list[bytes] = []
        while piece := await command(self.client, "HGET", self._key(token), f"{name}:{len(pieces)}"):
            pieces.append(piece)
        return b"".join(pieces)

    async def state(self, token: str, names: Sequence[str]) -> dict[str, bytes]:
        """Read what is noted of a file; empty: no such file waits."""
        found = await command(self.client, "HMGET", self._key(token), "whole", *names)
        if found[0] is None:
            return {}
        return {name: value or b"" for name, value in zip(names, found[1:], strict=True)}

    async def claim(self, token: str, by: str) -> bool:
        """Begin to apply a file, unless it was begun before."""
        key, now_ms = self._key(token), await self.now_ms()
        calls: list[Words] = [("HSETNX", key, "by", by), ("PEXPIREAT", key, now_ms + WAITING_MS)]
        return bool((await together(self.client, calls))[0])

    async def note(self, token: str, **values: str | bytes | int) -> None:
        """Note something of a file that is applied: it waits as long again from now on, and counts as one that does."""
        key, until_ms = self._key(token), await self.now_ms() + WAITING_MS
        flat: list[str | bytes | int] = []
        for name, value in values.items():
            flat += (name, value)
        calls: list[Words] = [("HSET", key, *flat), ("PEXPIREAT", key, until_ms)]
        member = await command(self.client, "HGET", key, "member")
        if member is not None:
            calls.append(("ZADD", self._keyspace.files, "XX", until_ms, member))
        await together(self.client, calls)

    async def finish(self, token: str, result: bytes, names: Sequence[str]) -> None:
        """Keep what came of a file for a day, and let the parts go that are not needed any more."""
        key, index, until_ms = self._key(token), self._keyspace.files, await self.now_ms() + DONE_MS
        packed = await command(self.client, "HGET", key, "member") or b""
        # What is kept that long is in the index that long, wherever a kill comes.
        calls: list[Words] = [("HSET", key, "result", result), ("PEXPIREAT", key, until_ms)]
        await together(self.client, [*calls, ("ZADD", index, "XX", until_ms, packed)])
        for name in names:
            number = 0
            while await command(self.client, "HDEL", key, f"{name}:{number}"):
                number += 1
        if not packed:
            return
        fields = await command(self.client, "HKEYS", key)
        left = sum(await in_a_row(self.client, [("HSTRLEN", key, each) for each in fields]))
        member = _member(packed)._replace(size=left).packed
        renamed: list[Words] = [("ZREM", index, packed), ("ZADD", index, until_ms, member)]
        await together(self.client, [*renamed, ("HSET", key, "member", member)])

    async def now_ms(self) -> int:
        """Read the store's clock."""
        seconds, micros = await command(self.client, "TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    async def _make_room(self, actor: str, now_ms: int, size: int) -> None:
        """Let those go that the new one takes the place of: files of its key that wait, and results, the oldest first.

        What is being applied stays, and so does what waits of other keys.
        """
        index = self._keyspace.files
        await command(self.client, "ZREMRANGEBYSCORE", index, 0, now_ms)
        members = [_member(each) for each in await command(self.client, "ZRANGE", index, 0, -1)]
        begun = await self._have(members, "by")
        done = await self._have(members, "result")
        ours = [each for each in members if each.actor == actor and each not in begun]
        gone = ours[: max(0, len(ours) - PER_ACTOR_MAX + 1)]
        left = [each for each in members if each not in gone]
        for each in done:
            if _has_room(left, size):
                break
            gone.append(each)
            left.remove(each)
        for each in gone:
            await together(self.client, [("DEL", each.key), ("ZREM", index, each.packed)])
        if not _has_room(left, size):
            raise NoRoomError

    async def _have(self, members: Sequence["_Member"], name: str) -> list["_Member"]:
        """Return those of which something is noted, in their order."""
        if not members:
            return []
        found = await in_a_row(self.client, [("HEXISTS", each.key, name) for each in members])
        return [each for each, has in zip(members, found, strict=True) if has]

    def _key(self, token: str) -> str:
        """Name the key of a file: who sees the store's keys does not see tokens."""
        return f"{self._keyspace.files}:{sha256(token.encode()).hexdigest()[:32]}"
