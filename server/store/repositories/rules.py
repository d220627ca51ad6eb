"""Rules by location: one hash of a partition, with a journal entry for the process that applies them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Generic, TypeVar

import msgspec
from redis.asyncio import Redis

from server.domain.changes import Change
from server.store.connection.commands import Words, command, together
from server.store.connection.scans import scan
from server.store.keys import Keyspace, split_field

RuleT = TypeVar("RuleT")
Where = tuple[str, str]
"""What a rule is for: a SKU or category, and a location; empty: all."""

_encode: Final = msgspec.json.Encoder().encode
_pack: Final = msgspec.msgpack.Encoder().encode


class RuleTable(Generic[RuleT]):
    """The rules of one kind in a partition. Every method raises StoreUnavailableError if the store is unreachable.

    ``decode`` reads one rule as it is kept; ``changed`` is the journal's operation of a change.
    """

    def __init__(
        self, client: Redis, keyspace: Keyspace, key: str, decode: Callable[[bytes], RuleT], changed: str
    ) -> None:
        self._client = client
        self._keyspace = keyspace
        self._rules = key
        self._decode = decode
        self._changed = changed

    async def rules(self) -> dict[Where, RuleT]:
        """Read every rule."""
        return {split_field(field): self._decode(packed) async for field, packed in scan(self._client, self._rules)}

    async def set_rules(self, rules: Mapping[Where, RuleT | None], actor: str) -> None:
        """Set rules, or remove them (None), for all changes from then on."""
        changes: list[Words] = []
        for (first, location), rule in rules.items():
            field = f"{first}\0{location}"
            gone = rule is None
            changes.append(("HDEL", self._rules, field) if gone else ("HSET", self._rules, field, _encode(rule)))
        await self._with_entry(changes, self._changed, actor, [])

    async def _with_entry(
        self, changes: Sequence[Words], operation: str, actor: str, notes: list[tuple[str, str]]
    ) -> None:
        """Write changes and their entry of the journal in one step."""
        seconds, _ = await command(self._client, "TIME")
        entry = _pack([Change(operation, int(seconds) * 1000, actor, "", "", "", [], notes)])
        await together(self._client, [*changes, ("XADD", self._keyspace.journal, "*", "e", entry)])
