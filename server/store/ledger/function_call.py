"""One Lua function on one partition, and how a call of it is framed."""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import msgspec
from redis.crc import key_slot

from server.store.keys import Keyspace
from server.store.lua_library import Function, library


class FunctionCall:
    """One function of the library on one partition: its operations can share a call.

    Parameters
    ----------
    function, keyspace
        What is called, and on whose keys.
    limits
        Its first argument, packed: how long things live, how many holds one call expires.
    decode
        Reads one answer.
    writes
        Whether a lost reply leaves the outcome unknown.
    keys
        Those that it declares, where they are not a partition's ten.

    Attributes
    ----------
    slot
        The hash slot of its keys in a cluster.
    confirmation
        The call after which a WAIT covers all that was written before it; see ``replica_ack.py``.

    """

    def __init__(
        self,
        function: Function,
        keyspace: Keyspace,
        limits: bytes,
        decode: Callable[[bytes], Any],
        *,
        writes: bool,
        keys: tuple[str, ...] = (),
    ) -> None:
        self.function = function
        self.decode = decode
        self.writes = writes
        keys = keys or keyspace.all
        self.slot = key_slot(keys[0].encode())
        self.confirmation = packed("FCALL", library().function("replication_barrier").call_name, "1", keyspace.meta)
        fixed = ("FCALL", function.call_name, str(len(keys)), *keys)
        # Packed once: only the operations differ from call to call.
        self._head = b"*%d\r\n" % (len(fixed) + 3) + b"".join(bulk(word.encode()) for word in fixed) + bulk(limits)

    def command(self, operations: list[bytes], number: bytes = b"0") -> bytes:
        """Pack the call as it is sent; ``number`` is returned as the last of the answers."""
        return self._head + bulk(b"".join(operations)) + bulk(number)


def packed(*words: str) -> bytes:
    """Pack a command of words."""
    return b"*%d\r\n" % len(words) + b"".join(bulk(word.encode()) for word in words)


def bulk(value: bytes) -> bytes:
    """Frame one word of a command."""
    return b"$%d\r\n%b\r\n" % (len(value), value)


class Turn(NamedTuple):
    """Whose operations share a queue: those of one key of one partition."""

    partition: str
    key: str


class Waiting(msgspec.Struct, frozen=True, eq=False):
    """A packed operation that was not answered yet; ``weight`` counts lines of work."""

    call: FunctionCall
    operation: bytes
    weight: int
    since_s: float
    answer: "asyncio.Future[Any]"
    turn: Turn


class Submitter(Protocol):
    """Sends operations in batches, to one store or to the nodes of a cluster."""

    def start(self) -> None:
        """Begin; needs a running event loop."""
        ...

    async def close(self) -> None:
        """Answer all waiting operations, then close. The caller bounds it with a timeout."""
        ...

    def submit(self, turn: Turn, call: FunctionCall, operation: bytes, weight: int) -> "asyncio.Future[Any]":
        """Queue one packed operation; the future returns its answer. Raises OverloadedError."""
        ...

    @property
    def waiting(self) -> int:
        """How many operations wait to be sent."""
        ...
