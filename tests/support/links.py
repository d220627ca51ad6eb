"""One connection through a proxy before a store: a pump for each direction, which the proxies of the tests fill in."""

import asyncio
from abc import ABC, abstractmethod
from typing import Final

CHUNK_BYTES: Final = 1 << 20
SCRIPT_CALL: Final = b"FCALL"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Link(ABC):
    """What came from the client on one side, the store on the other; when one pump ends, both do."""

    def __init__(self, client: Streams, store: Streams) -> None:
        self.reader, self.writer = client
        self.store_reader, self.store_writer = store

    async def run(self) -> None:
        """Pump until either side hangs up, or a pump has had enough."""
        pumps = [asyncio.create_task(self.pump_requests()), asyncio.create_task(self.pump_replies())]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    @abstractmethod
    async def pump_requests(self) -> None:
        """Forward what the client sends, until it hangs up."""

    @abstractmethod
    async def pump_replies(self) -> None:
        """Forward what the store replies, until it hangs up."""
