"""Sessions of the console in the store: all processes know them, and they survive a restart.

The key of a session is the hash of its token, so who reads the store cannot take one over.
"""

import secrets
import time
from hashlib import sha256
from typing import Final

import msgspec

from server.domain.console import SESSION_BYTES, ConsoleSession
from server.store.connection.commands import command, in_a_row
from server.store.connection.connect import StoreClient
from server.store.connection.timeouts import in_time
from server.store.keys import SESSION

SESSION_KEY: Final = SESSION
_VERSION: Final = 1
_TOKEN_MAX: Final = 64
_REFRESHED_PART: Final = 10
"""A session's end is moved once a tenth of its idle time has passed: few requests write."""


class ConsoleSessions:
    """Makes, reads and ends sessions. Methods raise StoreUnavailableError if the store does not answer.

    Parameters
    ----------
    client
        The store.
    idle_s
        How long a session lives without a request of its person, in seconds.
    life_s
        How long it lives at most, in seconds.

    """

    def __init__(self, client: StoreClient, *, idle_s: int, life_s: int) -> None:
        self._client = client
        self._idle_s = idle_s
        self.life_s = life_s

    async def make(self, key_id: str, bound: str, person: str) -> tuple[str, ConsoleSession]:
        """Begin a session; return its token, which is not kept, and what is."""
        token = secrets.token_urlsafe(SESSION_BYTES)
        session = ConsoleSession(_VERSION, key_id, bound, person, int(time.time()) + self.life_s)
        record, end_s = msgspec.msgpack.encode(session), min(self._idle_s, self.life_s)
        await in_time(command(self._client, "SET", _key(token), record, "EX", end_s))
        return token, session

    async def read(self, token: str, *, keeps: bool = True) -> ConsoleSession | None:
        """Return a session; None: there is none, or it has ended. ``keeps``: its idle time begins anew."""
        if not token.isascii() or len(token) > _TOKEN_MAX:
            return None
        key = _key(token)
        record, left_s = await in_time(in_a_row(self._client, [("GET", key), ("TTL", key)]))
        if record is None:
            return None
        session = msgspec.msgpack.decode(record, type=ConsoleSession)
        until_s = session.until_s - int(time.time())
        if until_s <= 0 or session.version != _VERSION:
            return None
        idle_s = min(self._idle_s, until_s)
        if keeps and left_s < idle_s - self._idle_s // _REFRESHED_PART:
            await in_time(command(self._client, "EXPIRE", key, idle_s))
        return session

    async def end(self, token: str) -> bool:
        """End a session; return whether there was one."""
        return bool(await in_time(command(self._client, "DEL", _key(token))))


def _key(token: str) -> str:
    return SESSION_KEY + sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
