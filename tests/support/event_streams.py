"""An open stream of changes, as its reader sees it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp
import msgspec
import pytest

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

    async def begin(self) -> None:
        """Read when to come back after a disconnect, and where a stream begins that named no place."""
        retry, *place = (await self.block()).splitlines()
        assert retry == "retry: 1000"
        for line in place:
            self.last_id = line.removeprefix("id: ")

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
        await opened_stream.begin()
        yield opened_stream


async def closed_with(open_stream: Stream) -> dict[str, Any]:
    """Read up to the end of a stream, and return what its last event says."""
    async with asyncio.timeout(20):
        event = await open_stream.event()
        while event.name != "closed":
            event = await open_stream.event()
        with pytest.raises(EOFError):
            await open_stream.block()
        assert event.data["detail"]
        told: dict[str, Any] = event.data
        return told
