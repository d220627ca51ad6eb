"""An open stream of changes, as its reader sees it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp
import msgspec

from tests.support.http import Api

CHANGES: Final = "/v1/changes"


class Event(msgspec.Struct, frozen=True):
    """One server-sent event; ``id`` is empty where it carries none."""

    name: str
    id: str
    data: Any


class Stream:
    """An open stream of changes."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.last_id = ""

    async def block(self) -> str:
        """Read up to the next empty line: an event or a comment."""
        lines = []
        while (line := (await self.response.content.readline()).decode()) not in ("\n", ""):
            lines.append(line)
        if not lines:
            raise EOFError
        return "".join(lines)

    async def event(self) -> Event:
        """Read the next event; comments are passed over."""
        while True:
            fields = dict(line.split(": ", 1) for line in (await self.block()).splitlines() if line[0] != ":")
            if "event" in fields:
                self.last_id = fields.get("id", self.last_id)
                return Event(fields["event"], fields.get("id", ""), msgspec.json.decode(fields["data"]))

    async def until(self, wanted: dict[str, int]) -> dict[str, int]:
        """Read until the newest values are these, and an event with an id has come."""
        seen: dict[str, int] = {}
        async with asyncio.timeout(20):
            while True:
                event = await self.event()
                seen[event.data["sku"]] = event.data["available"]
                if event.id and {sku: seen.get(sku) for sku in wanted} == wanted:
                    return seen


@contextlib.asynccontextmanager
async def stream(api: Api, query: str = "", last_event_id: str = "") -> AsyncIterator[Stream]:
    headers = dict(api._credentials)
    if last_event_id:
        headers["Last-Event-ID"] = last_event_id
    async with api._session.get(api._url + CHANGES + query, headers=headers) as response:
        assert (response.status, response.headers["Content-Type"]) == (200, "text/event-stream")
        opened_stream = Stream(response)
        assert await opened_stream.block() == "retry: 1000\n"
        yield opened_stream
