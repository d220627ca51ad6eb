"""API keys in the store: created, revoked and listed. The secret is shown once; only its hash is stored."""

import asyncio
import secrets
import time
from base64 import b32encode
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, TypeVar

import msgspec
from msgspec.structs import replace
from redis.asyncio import Redis
from redis.exceptions import RedisError

from server.domain.changes import Change
from server.domain.history import KEYS_CHANGED
from server.domain.key_limits import NO_TERMS, KeyTerms
from server.domain.limits import DEFAULT_PARTITION
from server.domain.principal import LOCAL, ApiKey, PreviousSecret, Scope
from server.store.connection.commands import run_on_keys
from server.store.connection.connect import address, unavailable
from server.store.errors import StoreError, StoreUnavailableError
from server.store.keys import Keyspace
from server.store.lua_library import library
from server.store.repositories.api_key_records import decoded, encoded, shown

KEYS_HASH: Final = "hf:apikeys"
"""Field: the key's id. Value: :class:`ApiKey` as JSON, see ``api_key_records.py``."""
USED_HASH: Final = "hf:apikeys:used"
"""Field: the key's id. Value: when it was used last, about, in seconds since 1970. Apart from the records, which all
processes read anew where one has changed."""
SECRET_BYTES: Final = 32
ID_BYTES: Final = 8
ID_CHARACTERS: Final = 12
"""60 bits: ids do not collide by chance, and HSETNX refuses one that did."""
REPLY_TIMEOUT_S: Final = 5.0
"""A deadline of its own: the client's sockets have none, and a store that hangs must not block its callers."""

Answer = TypeVar("Answer")


class DamagedKeyError(StoreError):
    """A key's record in the store cannot be read, so it gives no access. The message has the command to remove it."""

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"The record of API key {key_id!r} is damaged, so the key gives no access."
            f" Remove it with HDEL {KEYS_HASH} {key_id} and create a new key."
        )
        self.key_id = key_id


class RevokedKeyError(StoreError):
    """A key that is revoked for good was to be changed. The message says what to do."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"API key {key_id!r} is revoked for good. Create a new key.")


class StoredKeys(msgspec.Struct, frozen=True):
    """Every record of the store, revoked ones too, oldest first; ``damaged`` holds the ids of unreadable ones."""

    keys: tuple[ApiKey, ...] = ()
    damaged: tuple[str, ...] = ()


class ApiKeyStore:
    """Keeps API keys in the hash ``hf:apikeys`` of the store that ``client`` speaks to."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._records: Mapping[bytes | str, bytes | str] | None = None
        self._read = StoredKeys()

    async def create(
        self,
        scopes: Iterable[Scope],
        partition: str = DEFAULT_PARTITION,
        name: str = "",
        terms: KeyTerms = NO_TERMS,
        actor: str = LOCAL.actor,
    ) -> tuple[str, ApiKey]:
        """Create a key; the token ``hf_<id>_<secret>`` is returned here and can never be read again.

        ``actor``: who does it, for the journal.

        Raises
        ------
        ValueError
            No scope, or a partition, name or term that breaks its rule.
        StoreUnavailableError
            The store did not answer. A record may have been written, but its secret is lost.

        """
        granted = frozenset(scopes)
        while True:
            key_id, secret = _random_text(ID_BYTES)[:ID_CHARACTERS], _random_text(SECRET_BYTES)
            key = ApiKey(
                id=key_id,
                sha256=_digest(secret),
                scopes=granted,
                partition=partition,
                name=name,
                created_at=_now(),
                terms=terms,
            )
            # Before the key: a kill in between leaves an entry of a key that never was, and never a key without one.
            await self._note(key, actor, was="", now=shown(key))
            if await self._answer(self._client.hsetnx(KEYS_HASH, key_id, encoded(key))):
                return f"hf_{key_id}_{secret}", key

    async def revoke(self, key_id: str, partition: str | None = None, actor: str = LOCAL.actor) -> ApiKey | None:
        """Revoke a key for good and return its record; None: no such key. Revoking again changes nothing.

        ``partition``: it has to be of that one; None: of any. Raises as :meth:`change`.
        """
        return await self._change(
            key_id, partition, actor, lambda key: key if key.revoked else replace(key, revoked_at=_now())
        )

    async def change(
        self, key_id: str, make: Callable[[ApiKey], ApiKey], partition: str | None = None, actor: str = LOCAL.actor
    ) -> ApiKey | None:
        """Change a key, and return its record; None: no such key. ``partition`` as of :meth:`revoke`.

        ``make`` returns the record as it is to be of the one that it has. It may be called again, if somebody else
        changes the key meanwhile.

        Raises
        ------
        RevokedKeyError
            The key is revoked. Nothing changed.
        DamagedKeyError
            The record cannot be read; it gives no access anyway.
        StoreUnavailableError
            The store did not answer; the key may or may not be changed; call again.

        """

        def made(key: ApiKey) -> ApiKey:
            if key.revoked:
                raise RevokedKeyError(key_id)
            return make(key)

        return await self._change(key_id, partition, actor, made)

    async def rotate(
        self, key_id: str, until: datetime, partition: str | None = None, actor: str = LOCAL.actor
    ) -> tuple[str, ApiKey] | None:
        """Give a key a new secret and return the token with it; None: no such key.

        The secret that it has now is good ``until`` then; one from before that is good no more. Raises as
        :meth:`change`.
        """
        secret = _random_text(SECRET_BYTES)

        def rotated(key: ApiKey) -> ApiKey:
            previous = PreviousSecret(key.sha256, until) if until > _now() else None
            return replace(key, sha256=_digest(secret), previous=previous)

        key = await self.change(key_id, rotated, partition, actor)
        return None if key is None else (f"hf_{key_id}_{secret}", key)

    async def note_used(self, key_ids: Iterable[str], at_s: int) -> None:
        """Note when keys were used last, in seconds since 1970. Raises StoreUnavailableError."""
        await self._answer(self._client.hset(USED_HASH, mapping=dict.fromkeys(key_ids, str(at_s))))

    async def used(self) -> dict[str, datetime]:
        """Return when each key was used last, as far as it was noted. Raises StoreUnavailableError."""
        found = await self._answer(self._client.hgetall(USED_HASH))
        return {_text(key_id): datetime.fromtimestamp(int(at_s), UTC) for key_id, at_s in found.items()}

    async def _change(
        self, key_id: str, partition: str | None, actor: str, make: Callable[[ApiKey], ApiKey]
    ) -> ApiKey | None:
        while True:
            record = await self._answer(self._client.hget(KEYS_HASH, key_id))
            key = None if record is None else decoded(key_id, record)
            if record is not None and key is None and partition is None:
                raise DamagedKeyError(key_id)
            if key is None or partition not in (None, key.partition):
                return None
            changed = make(key)
            if changed == key:
                return key
            await self._note(key, actor, was=shown(key), now="" if changed.revoked else shown(changed))
            assert record is not None  # noqa: S101  # for the types: there is a key
            swap = run_on_keys(
                self._client, library().function("swap_field"), (KEYS_HASH,), key_id, record, encoded(changed)
            )
            if await self._answer(swap):
                return changed

    async def find(self, key_id: str) -> ApiKey | None:
        """Return a key of any partition; None: there is none.

        Raises
        ------
        DamagedKeyError
            Its record cannot be read.
        StoreUnavailableError
            The store did not answer.

        """
        record = await self._answer(self._client.hget(KEYS_HASH, key_id))
        key = None if record is None else decoded(key_id, record)
        if record is not None and key is None:
            raise DamagedKeyError(key_id)
        return key

    async def list(self) -> tuple[ApiKey, ...]:
        """Every key that can be read, revoked ones too, oldest first. Raises as :meth:`read` does."""
        return (await self.read()).keys

    async def read(self) -> StoredKeys:
        """Read every record of the store; where none has changed since the last reading, return the same object.

        Raises
        ------
        StoreUnavailableError
            The store did not answer.

        """
        records = await self._answer(self._client.hgetall(KEYS_HASH))
        if records == self._records:
            return self._read
        by_id = {_text(field): decoded(_text(field), record) for field, record in records.items()}
        keys = [key for key in by_id.values() if key is not None]
        self._read = StoredKeys(
            keys=tuple(sorted(keys, key=_age)),
            damaged=tuple(sorted(key_id for key_id, key in by_id.items() if key is None)),
        )
        self._records = records
        return self._read

    async def _note(self, key: ApiKey, actor: str, *, was: str, now: str) -> None:
        """Have the journal of the key's partition say who changed it."""
        notes = [("key", key.id), ("was", was), ("now", now)]
        at_ms = time.time_ns() // 1_000_000
        entry = msgspec.msgpack.encode([Change(KEYS_CHANGED, at_ms, actor, "", "", "", [], notes)])
        await self._answer(self._client.xadd(Keyspace(key.partition).journal, {"e": entry}))

    async def _answer(self, command: Awaitable[Answer]) -> Answer:
        deadline = asyncio.timeout(REPLY_TIMEOUT_S)
        try:
            async with deadline:
                return await command
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            where = address(self._client.connection_pool)
            if deadline.expired():
                message = f"The store at {where} did not answer within {REPLY_TIMEOUT_S:g} s. Check that it is up."
                raise StoreUnavailableError(message) from error
            raise unavailable(error, where) from error


def _age(key: ApiKey) -> tuple[float, str]:
    return (key.created_at.timestamp() if key.created_at else 0.0, key.id)


def _random_text(length_bytes: int) -> str:
    """Random bytes as lower-case base32: no underscore, so a token can be split in one way only."""
    return b32encode(secrets.token_bytes(length_bytes)).decode().rstrip("=").lower()


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "backslashreplace")


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
