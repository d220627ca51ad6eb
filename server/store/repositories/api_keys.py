"""API keys in the store: created, revoked and listed. The secret is shown once; only its hash is stored."""

import asyncio
import secrets
from base64 import b32encode
from collections.abc import Awaitable, Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, TypeVar

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from server.domain.limits import DEFAULT_PARTITION
from server.domain.principal import ApiKey, Scope
from server.store.connection.connect import address, unavailable
from server.store.errors import StoreError, StoreUnavailableError

KEYS_HASH: Final = "hf:apikeys"
"""Field: the key's id. Value: :class:`ApiKey` as JSON, so that an operator can read it with HGETALL."""
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
        self, scopes: Iterable[Scope], partition: str = DEFAULT_PARTITION, name: str = ""
    ) -> tuple[str, ApiKey]:
        """Create a key; the token ``hf_<id>_<secret>`` is returned here and can never be read again.

        Raises
        ------
        ValueError
            No scope, or a partition or name that breaks its rule.
        StoreUnavailableError
            The store did not answer. A record may have been written, but its secret is lost.

        """
        granted = frozenset(scopes)
        while True:
            key_id, secret = _random_text(ID_BYTES)[:ID_CHARACTERS], _random_text(SECRET_BYTES)
            key = ApiKey(
                id=key_id,
                sha256=sha256(secret.encode()).hexdigest(),
                scopes=granted,
                partition=partition,
                name=name,
                created_at=_now(),
            )
            if await self._answer(self._client.hsetnx(KEYS_HASH, key_id, msgspec.json.encode(key))):
                return f"hf_{key_id}_{secret}", key

    async def revoke(self, key_id: str) -> ApiKey | None:
        """Revoke a key for good and return its record; None: no such key. Revoking again changes nothing.

        Raises
        ------
        DamagedKeyError
            The record cannot be read; it gives no access anyway.
        StoreUnavailableError
            The store did not answer; the key may or may not be revoked; call again.

        """
        record = await self._answer(self._client.hget(KEYS_HASH, key_id))
        if record is None:
            return None
        key = _decoded(key_id, record)
        if key is None:
            raise DamagedKeyError(key_id)
        if not key.revoked:
            # Nothing but a revocation ever changes a record, so reading before writing loses no other change.
            key = msgspec.structs.replace(key, revoked_at=_now())
            await self._answer(self._client.hset(KEYS_HASH, key_id, msgspec.json.encode(key)))
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
        decoded = {_text(field): _decoded(_text(field), record) for field, record in records.items()}
        keys = [key for key in decoded.values() if key is not None]
        self._read = StoredKeys(
            keys=tuple(sorted(keys, key=_age)),
            damaged=tuple(sorted(key_id for key_id, key in decoded.items() if key is None)),
        )
        self._records = records
        return self._read

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


def _decoded(key_id: str, record: bytes | str) -> ApiKey | None:
    try:
        key = msgspec.json.decode(record, type=ApiKey)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return key if key.id == key_id else None


def _age(key: ApiKey) -> tuple[float, str]:
    return (key.created_at.timestamp() if key.created_at else 0.0, key.id)


def _random_text(length_bytes: int) -> str:
    """Random bytes as lower-case base32: no underscore, so a token can be split in one way only."""
    return b32encode(secrets.token_bytes(length_bytes)).decode().rstrip("=").lower()


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "backslashreplace")


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
