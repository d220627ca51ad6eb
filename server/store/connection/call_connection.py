"""One connection to the store for the hot path: what it answers is handed on as it arrives, and no task waits for it.

redis-py connects, so TLS, users, Unix sockets and sentinels come from the library. Then the transport gets this
protocol in place of redis-py's stream, through which each batch would cost a task two turns of the event loop.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import hiredis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as StoreConnectionError
from redis.exceptions import InvalidResponse, RedisError

Done = Callable[[list[Any] | Exception], None]
"""Called once: with the replies that were asked for, in their order, or with the reason why they will never come.

A reply may be an error that the store returned in its place."""

_MORE: Final = object()
"""What hiredis returns where a reply is not whole yet."""
_CLOSED: Final = "The store closed the connection."


class CallConnection(asyncio.Protocol):
    """Sends calls on one connection, and hands their replies on. Only one lot of replies may be awaited at a time.

    Parameters
    ----------
    connection
        Of redis-py's, not connected.

    Attributes
    ----------
    is_open
        Whether calls can be sent. A connection that the store has closed is known at once, before anything is sent.

    """

    def __init__(self, connection: AbstractConnection) -> None:
        self.is_open = False
        # The names of redis-py's that are not public: _writer for its transport, _parser for its names of errors.
        self._connection: Any = connection
        self._transport: asyncio.WriteTransport | None = None
        self._reader = hiredis.Reader()
        self._replies: list[Any] = []
        self._wanted = 0
        self._done: Done | None = None

    async def open(self) -> None:
        """Connect, anew where the connection was closed.

        Raises
        ------
        RedisError, OSError
            It could not be connected.

        """
        connection = self._connection
        await connection.disconnect(nowait=True)  # else redis-py takes what was cut for connected still
        await connection.connect()
        if await connection.can_read():
            raise StoreConnectionError(_CLOSED)
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse,
            replyError=connection._parser.parse_error,  # noqa: SLF001
            notEnoughData=_MORE,
        )
        transport = cast("asyncio.Transport", connection._writer.transport)  # noqa: SLF001
        transport.set_protocol(self)
        self._transport, self.is_open = transport, True

    async def close(self) -> None:
        """Close the connection; what was awaited never comes."""
        self.cut(StoreConnectionError("The server stopped before the store's reply came."))
        await self._connection.disconnect(nowait=True)

    def send(self, calls: Sequence[bytes], replies: int, done: Done) -> None:
        """Send packed calls, and have the first ``replies`` of their replies handed on."""
        self._wanted, self._done = replies, done
        self._write(calls)

    def expect(self, replies: int, done: Done) -> None:
        """Have so many further replies handed on: to calls that were sent already."""
        self._wanted, self._done = replies, done

    def further(self, replies: int) -> "asyncio.Future[list[Any]]":
        """Return a future of so many further replies; it fails as ``done`` would say."""
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()

        def done(came: list[Any] | Exception) -> None:
            if future.done():
                return
            if isinstance(came, Exception):
                future.set_exception(came)
            else:
                future.set_result(came)

        future.add_done_callback(_seen)
        self.expect(replies, done)
        return future

    async def ask(self, *calls: bytes) -> list[Any]:
        """Send packed calls and return their replies, errors of the store among them.

        Raises
        ------
        Exception
            The connection was lost.

        """
        further = self.further(len(calls))
        self._write(calls)
        return await further

    def cut(self, reason: Exception) -> None:
        """Cut the connection off, whatever is on its way; replies that are awaited get the reason."""
        if self._transport is not None:
            self._transport.abort()
        self._end(reason)

    def data_received(self, data: bytes) -> None:
        """Take what has arrived, as :class:`asyncio.Protocol` says."""
        gets = self._reader.gets
        self._reader.feed(data)
        try:
            while (reply := gets(False)) is not _MORE:  # hiredis takes it by its place: do not decode
                self._take(reply)
        except RedisError as error:
            self.cut(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """End, as :class:`asyncio.Protocol` says."""
        self._end(exc or StoreConnectionError(_CLOSED))

    def _write(self, calls: Sequence[bytes]) -> None:
        assert self._transport is not None  # noqa: S101  # it is open
        self._transport.write(calls[0] if len(calls) == 1 else b"".join(calls))

    def _take(self, reply: Any) -> None:
        done, replies = self._done, self._replies
        if done is None:
            # Replies and calls are out of step: whatever else comes on this connection is wrong as well.
            raise InvalidResponse("The store sent a reply that nobody asked for.")
        if isinstance(reply, StoreConnectionError):  # such as that it is still loading
            raise reply
        replies.append(reply)
        if len(replies) == self._wanted:
            self._replies, self._done = [], None
            done(replies)

    def _end(self, reason: Exception) -> None:
        self.is_open = False
        done, self._done, self._replies = self._done, None, []
        if done is not None:
            done(reason)


def late() -> TimeoutError:
    """Return why a connection is cut off whose replies are not there in time."""
    return TimeoutError("it did not answer in time")


def _seen(future: "asyncio.Future[list[Any]]") -> None:
    """Look at an error: it may come when nobody awaits it any more."""
    if not future.cancelled():
        future.exception()
