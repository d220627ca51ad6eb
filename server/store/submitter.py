"""What a ledger sends its operations through, whether they go to one store or to many."""

import asyncio
from typing import Any, Protocol

from server.store.lane import Lane


class Submitter(Protocol):
    """What takes operations and sends them in batches, to one store or to many."""

    def start(self) -> None:
        """Begin; needs a running event loop."""
        ...

    async def close(self) -> None:
        """Answer all that is waiting, then close. Bound it with a timeout of your own."""
        ...

    def submit(self, lane: Lane, operation: object, lines: int) -> "asyncio.Future[Any]":
        """Queue one operation; the future gives its answer. Raises OverloadedError."""
        ...

    @property
    def waiting(self) -> int:
        """How many operations wait to be sent."""
        ...
