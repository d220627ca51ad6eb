"""Send requests with aiohttp for the conformance suite, until the publisher's own transport is there."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import aiohttp

from adapters.base import Answer, ChannelError, Exchange, NotSentError, Request, UnknownResultError

T = TypeVar("T")


class Transport:
    def __init__(self, *, allow_private: Sequence[str] = (), timeout_s: float = 15.0) -> None:
        self._allow_private, self._timeout_s = allow_private, timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: Request) -> Answer:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._timeout_s))
        try:
            async with self._session.request(
                request.method, request.url, headers=request.headers, data=request.body, allow_redirects=False
            ) as response:
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status, headers, await response.read())
        except aiohttp.ClientConnectorError:
            raise NotSentError("no connection") from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UnknownResultError(type(error).__name__) from None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


async def converse(exchange: Exchange[T], send: Callable[[Request], Awaitable[Answer]]) -> T:
    result: Any = None
    failed: ChannelError | None = None
    try:
        while True:
            request = exchange.send(result) if failed is None else exchange.throw(failed)
            result, failed = None, None
            try:
                result = await send(request)
            except ChannelError as error:
                failed = error
    except StopIteration as stop:
        value: T = stop.value
        return value
