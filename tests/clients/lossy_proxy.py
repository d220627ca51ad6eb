"""A network between a client and a server: it loses, delays, doubles and cuts requests and answers, at random.

What it does to each request is drawn from a seed. Requests that it keeps for later arrive when their caller is long
gone, as in a network with buffers. ``is_calm`` waits until none is on its way any more.
"""

import asyncio
import contextlib
import random
import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future
from enum import StrEnum, auto
from types import TracebackType
from typing import Any, Final, Self

HEAD_END: Final = b"\r\n\r\n"
STREAM: Final = "/v1/changes"
STREAM_BYTES: Final = (400, 6_000)
"""How much of a stream comes before it breaks off: mostly little, but now and then a whole group of changes."""
END_S: Final = 60.0


class Fate(StrEnum):
    """What happens to a request, or to its answer."""

    FORWARD = auto()
    LOSE_REQUEST = auto()
    """The connection breaks before the server sees it."""
    LOSE_ANSWER = auto()
    """The server carries it out; the connection breaks in place of the answer."""
    CUT_HEAD = auto()
    """The answer breaks off within its headers."""
    CUT_BODY = auto()
    """The answer breaks off in the middle of its body."""
    DELAY_ANSWER = auto()
    """The answer comes when its caller waits no longer."""
    DELAY_REQUEST = auto()
    """The request arrives when its caller waits no longer, and has sent it again."""
    DOUBLE = auto()
    """The request arrives twice at once; the second answer is given."""
    REPEAT_LATE = auto()
    """The request is answered, and arrives once more later."""
    BUSY = auto()
    """The proxy itself answers 503 with ``Retry-After``, and a page."""
    TOO_MANY = auto()
    """The proxy itself answers 429."""
    BAD_GATEWAY = auto()
    """The server carries it out; the proxy answers 502."""


EVERYTHING: Final[Mapping[Fate, int]] = {Fate.FORWARD: 12} | {fate: 1 for fate in Fate if fate is not Fate.FORWARD}
_CALM: Final = {Fate.FORWARD: 1}
_CUT: Final = (Fate.CUT_HEAD, Fate.CUT_BODY)
_PAGE: Final = b"<html><body>try again later</body></html>"
_OWN: Final = {
    Fate.BUSY: b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\n",
    Fate.TOO_MANY: b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\n",
    Fate.BAD_GATEWAY: b"HTTP/1.1 502 Bad Gateway\r\n",
}
_TIED: Final = (b"connection:", b"keep-alive:")


class LossyProxy:
    """Listens on a port of its own, in a thread of its own, and forwards to a server.

    Parameters
    ----------
    port
        That of the server.
    late_s
        How long what is delayed is late: longer than the clients wait for one try.

    """

    def __init__(self, port: int, *, seed: int, late_s: float = 0.6) -> None:
        self.met: Counter[Fate] = Counter()
        """How often each fate was met."""
        self.seen: list[tuple[str, str]] = []
        """Method and path of each request, in order."""
        self.broken_streams = 0
        self._stream_s: float | None = None
        self._weights: Mapping[Fate, int] = _CALM
        self._server_port = port
        self._random = random.Random(seed)
        self._late_s = late_s
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lossy proxy")
        self._on_the_way: set[asyncio.Task[Any]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening = self._run(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self._port = self._listening.sockets[0].getsockname()[1]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(END_S)
        self._loop.close()

    def rages(self, weights: Mapping[Fate, int] = EVERYTHING) -> None:
        """Draw fates from now on; ``weights``: how often each."""
        self._weights = weights

    def cuts_streams_after(self, seconds: float) -> None:
        """Break every stream off after some time, as many proxies do."""
        self._stream_s = seconds

    def is_calm(self) -> None:
        """Forward everything from now on, and wait until nothing that was sent before is on its way any more."""
        self._weights = _CALM
        self._run(self._settle())

    def _run(self, coroutine: Any) -> Any:
        done: Future[Any] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        return done.result(END_S)

    async def _settle(self) -> None:
        while self._on_the_way:
            await asyncio.gather(*self._on_the_way, return_exceptions=True)

    async def _end(self) -> None:
        self._listening.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with (
            contextlib.closing(writer),
            contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError),
        ):
            while True:
                request = await _message(reader)
                method, path, _ = request.split(b"\r\n", 1)[0].decode().split(" ")
                self.seen.append((method, path))
                if path.startswith(STREAM):
                    await self._stream(request, reader, writer)
                    return
                if not await self._answer(request, writer):
                    writer.transport.abort()
                    return

    async def _answer(self, request: bytes, writer: asyncio.StreamWriter) -> bool:
        """Have a request meet its fate; False: the connection breaks."""
        [fate] = self._random.choices(list(self._weights), list(self._weights.values()))
        self.met[fate] += 1
        given = await self._before(request, fate)
        if given is None:
            given = _spoiled(await self._carried_out(request, fate), fate)
        writer.write(given)
        await writer.drain()
        if fate in _CUT:
            writer.close()
        return given != b"" and fate not in _CUT

    async def _stream(self, request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass a stream on; while the network is bad, it breaks off after some bytes, wherever that is."""
        least, most = STREAM_BYTES
        left = int(least * (most / least) ** self._random.random()) if self._weights is not _CALM else None
        upstream, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
        leaves = asyncio.create_task(reader.read())
        ends_at = None if self._stream_s is None else self._loop.time() + self._stream_s
        with contextlib.closing(to_server):
            to_server.write(request)
            while left is None or left > 0:
                comes = asyncio.create_task(upstream.read(left or 1 << 16))
                left_s = None if ends_at is None else max(0.0, ends_at - self._loop.time())
                await asyncio.wait([comes, leaves], return_when=asyncio.FIRST_COMPLETED, timeout=left_s)
                if not comes.done():
                    comes.cancel()
                if leaves.done() or comes.cancelling() or not await comes:
                    break
                writer.write(comes.result())
                left = None if left is None else left - len(comes.result())
        self.broken_streams += left is not None or ends_at is not None
        leaves.cancel()
        writer.transport.abort()

    async def _before(self, request: bytes, fate: Fate) -> bytes | None:
        """Return what is given where the server is not asked, or not yet; None: it is asked."""
        if fate is Fate.DELAY_REQUEST:
            self._send(request, after_s=self._late_s)
            await asyncio.sleep(self._late_s)
        if fate in (Fate.DELAY_REQUEST, Fate.LOSE_REQUEST):
            return b""
        return _own(fate) if fate in (Fate.BUSY, Fate.TOO_MANY) else None

    async def _carried_out(self, request: bytes, fate: Fate) -> bytes:
        forwarded = self._send(request)
        if fate is Fate.DOUBLE:
            await asyncio.sleep(0)
            first, forwarded = forwarded, self._send(request)
            await first
        answer = await asyncio.shield(forwarded)
        if fate is Fate.REPEAT_LATE:
            self._send(request, after_s=self._late_s)
        if fate is Fate.DELAY_ANSWER:
            await asyncio.sleep(self._late_s)
        return answer

    def _send(self, request: bytes, *, after_s: float = 0.0) -> asyncio.Task[bytes]:
        """Send a request to the server, whether its caller still waits or not."""
        task = asyncio.create_task(self._forward(request, after_s))
        self._on_the_way.add(task)
        task.add_done_callback(self._on_the_way.discard)
        return task

    async def _forward(self, request: bytes, after_s: float) -> bytes:
        await asyncio.sleep(after_s)
        reader, writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        with contextlib.closing(writer):
            writer.write(_with_connection(request, b"Connection: close"))
            return _with_connection(await _message(reader), b"Connection: keep-alive")


async def _message(reader: asyncio.StreamReader) -> bytes:
    """Read a request or an answer with a body of known length."""
    head = await reader.readuntil(HEAD_END)
    names = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    length = next((int(value) for name, _, value in names if name == b"content-length"), 0)
    return head + await reader.readexactly(length)


def _with_connection(message: bytes, line: bytes) -> bytes:
    """Say whether a connection stays open: between proxy and server it does not, towards the client it does."""
    head, _, body = message.partition(HEAD_END)
    first, *lines = head.split(b"\r\n")
    kept = [each for each in lines if not each.lower().startswith(_TIED)]
    return b"\r\n".join([first, *kept, line]) + HEAD_END + body


def _own(fate: Fate) -> bytes:
    return _OWN[fate] + b"Content-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(_PAGE) + _PAGE


def _spoiled(answer: bytes, fate: Fate) -> bytes:
    """Return what of an answer is given."""
    head, _, body = answer.partition(HEAD_END)
    match fate:
        case Fate.LOSE_ANSWER:
            return b""
        case Fate.BAD_GATEWAY:
            return _own(fate)
        case Fate.CUT_HEAD:
            return head[: len(head) // 2]
        case Fate.CUT_BODY:
            return head + HEAD_END + body[: len(body) // 2]
        case _:
            return answer
