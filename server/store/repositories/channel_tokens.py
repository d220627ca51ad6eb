"""The tokens of channels whose credentials change: encrypted, and written by the holder of the lease alone.

What a person brings to sign in is written by whoever has it, in a field of its own, from which the holder takes it.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from redis.asyncio import Redis

from server.domain.changes import Change
from server.domain.kept_tokens import Given, KeptTokens
from server.domain.principal import LOCAL
from server.store.connection.commands import command, together
from server.store.keys import ChannelKeys, Keyspace, stored_text
from server.store.repositories.publisher import PublisherStore, Writes
from server.store.repositories.sealing import Sealed, Sealer, SealError

SIGNED_IN: Final = "sign_in"
"""The journal's operation for what a person has brought to sign in to a channel; it does not say the secret."""
_KEPT: Final = "kept"
_GIVEN: Final = "given:"


class _Record(msgspec.Struct, array_like=True, frozen=True):
    """What is stored of :class:`KeptTokens`; new fields come at the end, with a default."""

    kind: str
    values: dict[str, Sealed]
    obtained_ms: int
    expires_ms: int
    renewing_ms: int
    signed_out: str
    sign_in: str
    sign_in_fault: str


class _GivenRecord(msgspec.Struct, array_like=True, frozen=True):
    what: str
    secret: Sealed
    given_ms: int


_pack = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Record).decode
_decode_given = msgspec.msgpack.Decoder(_GivenRecord).decode


class TokenStore:
    """The tokens of one channel. Every method raises StoreUnavailableError if the store does not answer."""

    def __init__(self, client: Redis, keyspace: Keyspace, channel: str, sealer: Sealer) -> None:
        self._client = client
        self._channel, self._journal = channel, keyspace.journal
        self._key = ChannelKeys(keyspace, channel).tokens
        self._place = f"{keyspace.partition}\0{channel}\0"
        self._sealer = sealer

    async def read(self) -> KeptTokens | None:
        """Read what is kept; None: nobody has ever signed in.

        Raises
        ------
        SealError
            It cannot be opened.

        """
        stored = await command(self._client, "HGET", self._key, _KEPT)
        if stored is None:
            return None
        record = _decode(stored)
        values = {name: self._sealer.open(sealed, self._place + name) for name, sealed in record.values.items()}
        return KeptTokens(**{**msgspec.structs.asdict(record), "values": values})

    async def is_of_an_old_key(self) -> bool:
        """Whether something that is kept was not encrypted with the key that encrypts now."""
        stored = await command(self._client, "HGET", self._key, _KEPT)
        return stored is not None and not all(map(self._sealer.is_current, _decode(stored).values.values()))

    async def write(self, kept: KeptTokens, publisher: PublisherStore, token: int, done: Sequence[Given] = ()) -> None:
        """Write what is kept, as the holder of the lease, and drop what persons have brought for it.

        Raises
        ------
        FencedError
            Another publisher holds the lease; nothing is written.

        """
        values = {name: self._sealer.seal(value, self._place + name) for name, value in kept.values.items()}
        writes = Writes()
        writes.set(self._key, _KEPT, _pack(_Record(**{**msgspec.structs.asdict(kept), "values": values})))
        for given in done:
            writes.set(self._key, _GIVEN + given.id, None)
        await publisher.record(token, writes, confirmed=True)

    # -- signing in

    async def give(self, given: Given) -> None:
        """Leave what a person has brought for the holder of the lease; the journal says that somebody did."""
        sealed = self._sealer.seal(given.secret, self._place + _GIVEN + given.id)
        record = _pack(_GivenRecord(given.what, sealed, given.given_ms))
        notes = [("what", given.what)]
        entry = _pack([Change(SIGNED_IN, given.given_ms, LOCAL.actor, self._channel, "", "", [], notes)])
        given_here, noted = ("HSET", self._key, _GIVEN + given.id, record), ("XADD", self._journal, "*", "e", entry)
        await together(self._client, [given_here, noted])

    async def given(self) -> list[Given]:
        """Read what persons have brought, the newest last; what cannot be opened is dropped."""
        found = []
        for field, packed in (await command(self._client, "HGETALL", self._key)).items():
            name = stored_text(field)
            if not name.startswith(_GIVEN):
                continue
            record = _decode_given(packed)
            try:
                secret = self._sealer.open(record.secret, self._place + name)
            except SealError:
                await command(self._client, "HDEL", self._key, name)
                continue
            given_id = name.removeprefix(_GIVEN)
            found.append(Given(id=given_id, what=record.what, secret=secret, given_ms=record.given_ms))
        return sorted(found, key=lambda given: given.given_ms)
