"""Where callers of one partition send their requests, over connections that can be cut under them."""

import asyncio
import random
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from tests.rigs.two_partitions.requests import Names, Sent
from tests.rigs.two_partitions.tally import Tally
from tests.support.http import Answer, Api, Key, Server

ANSWER_S: Final = 15.0
"""So long a caller waits; then it does not know what became of its request."""
NOT_DONE: Final = frozenset({"overloaded", "store_unavailable"})
UNDECIDED: Final = frozenset({"outcome_unknown"})


@dataclass(frozen=True)
class Reply:
    """One answer in short names. ``raw``: its text as it came."""

    status: int
    body: Any
    replayed: bool
    raw: bytes

    @property
    def items(self) -> list[Any]:
        """Its parts, where many were asked for at once."""
        return self.body.get("results", []) if isinstance(self.body, dict) else []

    @property
    def outcomes(self) -> list[str]:
        """What became of each part: done, or the refusal's name."""
        parts = [(each["status"], each.get("outcome")) for each in self.items]
        alone = self.body.get("outcome") if isinstance(self.body, dict) else None
        return ["done" if status < 300 else str(outcome) for status, outcome in parts or [(self.status, alone)]]

    @property
    def granted(self) -> bool:
        return set(self.outcomes) == {"done"}

    @property
    def is_done(self) -> bool:
        """Whether all of it was decided."""
        return not self.is_not_done and not self.is_undecided

    @property
    def is_not_done(self) -> bool:
        """Whether some of it surely did not happen, and can be asked again at once."""
        return not NOT_DONE.isdisjoint(self.outcomes)

    @property
    def is_undecided(self) -> bool:
        return not UNDECIDED.isdisjoint(self.outcomes) or (self.status >= 500 and not self.is_not_done)


class Desk:
    """Sends for one key. ``marks``: names that only the other partition has, and that no answer here may hold."""

    def __init__(self, server: Server, key: Key, marks: tuple[str, ...], tally: Tally, chance: random.Random) -> None:
        self.key = key
        self.marks = tuple(mark.encode() for mark in marks)
        self.tally = tally
        self._server = server
        self._chance = chance
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Open connections; those that are open already are cut, with whatever is on them."""
        before, timeout = self._session, aiohttp.ClientTimeout(total=ANSWER_S)
        connector = aiohttp.TCPConnector(limit=64)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False)
        if before is not None:
            await before.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def api(self) -> Api:
        """The client of this moment; a cut leaves another one."""
        assert self._session is not None
        return Api(self._session, self._server.url, self.key)

    async def post(self, path: str, body: object, **options: Any) -> Answer:
        """Send a request as the loaders of the crash rig do."""
        try:
            answer = await self.api.post(path, body, **options)
        except RuntimeError as error:  # its session was closed by a cut
            raise aiohttp.ClientConnectionError(str(error)) from None
        self.look_through(answer.raw, f"POST {path}")
        return answer

    async def send(
        self, sent: Sent, names: Names | None = None, *, cut: bool = False, foreign: bool = False
    ) -> Reply | None:
        """Send a request, and read its answer in short names; None: there was none.

        ``cut``: hang up in the middle. ``foreign``: it names what the other partition has.
        """
        body = {} if sent.body is None else {"body": sent.body}
        try:
            async with asyncio.timeout(self._chance.uniform(0, 0.02) if cut else None):
                answer = await self.api.send(sent.method, sent.path, headers=dict(sent.headers), **body)
        except (aiohttp.ClientError, TimeoutError, OSError, RuntimeError):
            return None  # RuntimeError: its session was closed by a cut
        if not foreign:  # what was asked for by its name is named in the answer
            self.look_through(answer.raw, f"{sent.method} {sent.path}")
        raw = answer.raw if names is None else names.inside(answer.raw)
        read = Answer(answer.status, answer.headers, raw)
        return Reply(answer.status, read.body, "Idempotent-Replayed" in answer.headers, answer.raw)

    def look_through(self, raw: bytes, what: str) -> None:
        """Note what an answer shows of the other partition."""
        if any(mark in raw for mark in self.marks):
            self.tally.findings.seen.append(f"{self.key.partition}: {what} shows what is the other's: {raw[:200]!r}")
