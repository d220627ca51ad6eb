"""The stream of changes for asyncio; see :mod:`holdfast.streams`."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

import httpx

from holdfast.errors import HoldfastError, Refused, Unavailable
from holdfast.events import Change, Following
from holdfast.streams import ANSWER_S, ENDED, OPENED, TIMEOUT, is_stream
from holdfast.transport import AsyncTransport, Pieces, too_late, why_of
from holdfast.verdicts import Lost, Reply


class AsyncChangeStream:
    """Every change, one after the other: iterate it, and close it with ``async with`` or :meth:`aclose`.

    An error ends it: what is iterated after that is over. Where a wait for a change is cancelled, such as by
    ``asyncio.wait_for``, the connection ends with it. The next one is opened where this one was, so nothing is missed.
    """

    def __init__(self, transport: AsyncTransport, following: Following) -> None:
        self._transport = transport
        self._following = following
        self._ready: deque[Change] = deque()
        self._response: httpx.Response | None = None
        self._is_over = False
        self._began_s = 0.0
        self._chunks: AsyncIterator[bytes]

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Change:
        while not self._is_over:
            if self._ready:
                return self._ready.popleft()
            await self._step()
        await self._leave()  # it may have been opened while another task closed it
        raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        """Open it, so that nothing is missed of what happens from here on."""
        while not (self._is_open or self._is_over):
            await self._step()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the iteration, also one in another task."""
        self._is_over = True
        await self._leave()

    async def _leave(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            await response.aclose()

    @property
    def _is_open(self) -> bool:
        following = self._following
        return self._response is not None or following.wants_page or following.ending is not None

    async def _step(self) -> None:
        """Do the next step, which may bring changes; an error is the last one."""
        try:
            if self._following.ending is not None:
                raise self._following.ending
            await self._fill()
        except HoldfastError:
            await self.aclose()
            raise

    async def _fill(self) -> None:
        why = ENDED
        try:
            if self._following.wants_page:
                await self._read_page()
                return
            if self._response is None:
                why = await self._open()
            else:
                self._ready += self._following.take_chunk(await anext(self._chunks))
            if self._response is not None and not self._following.broke_off:
                return
        except StopAsyncIteration:
            pass
        except (httpx.RequestError, httpx.StreamError) as error:
            why = why_of(error)
        await self._leave()
        if self._is_over:
            return
        self._transport.note(self._following.stream_call(), Lost(why, sent=True), self._began_s)
        if self._transport.connections.last.is_closed:
            self._is_over = True
        elif self._following.comes_back:
            await asyncio.sleep(self._following.pause_s())

    async def _read_page(self) -> None:
        try:
            self._ready += self._following.take_page(await self._transport.run(self._following.page_call()))
        except Refused as refused:
            self._following.page_refused(refused)
        except Unavailable as away:
            self._following.page_away(away)
            await asyncio.sleep(self._following.pause_s())

    async def _open(self) -> str:
        """Open the stream; return why it cannot be opened now, where it cannot."""
        call, client = self._following.stream_call(), self._transport.connections.http()
        self._began_s = time.monotonic()
        request = client.build_request(**self._transport.request(call), timeout=TIMEOUT)
        response = await client.send(request, stream=True, follow_redirects=False)
        if is_stream(response):
            self._response, self._chunks = response, response.aiter_bytes()
            self._following.begin_stream()
            self._transport.note(call, OPENED, self._began_s)
            return ""
        async with contextlib.aclosing(response):
            return self._following.take_answer(await _answer(response))


async def _answer(response: httpx.Response) -> Reply:
    """Read what came in place of a stream, for a limited time and length."""
    pieces = Pieces()
    try:
        async with asyncio.timeout(ANSWER_S):
            async for piece in response.aiter_bytes():
                pieces.take(piece)
                if pieces.is_too_long:
                    break
    except TimeoutError:
        return too_late(ANSWER_S)
    return pieces.whole(response)


class AsyncChanges:
    """What changes of what is available; see :class:`holdfast.streams.Changes`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def stream(self, after: str = "") -> AsyncChangeStream:
        """Follow every change from a place on; see :meth:`holdfast.streams.Changes.stream`."""
        return AsyncChangeStream(self._transport, Following(after, self._transport.policy, reads_all=False))

    def follow(self, after: str = "") -> AsyncChangeStream:
        """Read everything, then follow every change; see :meth:`holdfast.streams.Changes.follow`."""
        return AsyncChangeStream(self._transport, Following(after, self._transport.policy, reads_all=True))
