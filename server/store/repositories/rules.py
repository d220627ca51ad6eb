"""Rules by location: one hash of a partition, with a journal entry for the process that applies them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Generic, TypeVar

import msgspec
from redis.asyncio import Redis

from server.domain.aliases import LocationNames
from server.domain.changes import Change
from server.store.connection.commands import Words, command, together
from server.store.connection.scans import scan
from server.store.keys import Keyspace, split_field
from server.store.repositories.location_names import read_location_names

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
        """Read every rule; a location has the name that it is called now."""
        return (await self._read())[0]

    async def rules_by_any_name(self) -> dict[Where, RuleT]:
        """Read every rule, under each name that its location has had: SKUs may still lie under an old one."""
        rules, names = await self._read()
        for (first, location), rule in list(rules.items()) if names else ():
            rules |= {(first, name): rule for name in names.names(location)}
        return rules

    async def _read(self) -> tuple[dict[Where, RuleT], LocationNames]:
        stored = {split_field(field): self._decode(packed) async for field, packed in scan(self._client, self._rules)}
        names = await read_location_names(self._client, self._keyspace)
        if not names:
            return stored, names
        rules = {where: rule for where, rule in stored.items() if names.current(where[1]) == where[1]}
        for (first, location), rule in stored.items():
            rules.setdefault((first, names.current(location)), rule)
        return rules, names

    async def set_rules(self, rules: Mapping[Where, RuleT | None], actor: str) -> None:
        """Set rules, or remove them (None), for all changes from then on."""
        changes: list[Words] = []
        names = await read_location_names(self._client, self._keyspace)
        for (first, location), rule in rules.items():
            now, *former = names.names(location)
            changes += [("HDEL", self._rules, f"{first}\0{name}") for name in former]
            field, gone = f"{first}\0{now}", rule is None
            changes.append(("HDEL", self._rules, field) if gone else ("HSET", self._rules, field, _encode(rule)))
        await self._with_entry(changes, self._changed, actor, [])

    async def _with_entry(
        self, changes: Sequence[Words], operation: str, actor: str, notes: list[tuple[str, str]]
    ) -> None:
        """Write changes and their entry of the journal in one step."""
        seconds, _ = await command(self._client, "TIME")
        entry = _pack([Change(operation, int(seconds) * 1000, actor, "", "", "", [], notes)])
        await together(self._client, [*changes, ("XADD", self._keyspace.journal, "*", "e", entry)])
