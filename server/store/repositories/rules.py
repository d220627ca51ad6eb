"""Rules by location: one hash of a partition, with a journal entry for the process that applies them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Generic, TypeVar

import msgspec
from redis.asyncio import Redis

from server.domain.aliases import LocationNames
from server.store.connection.scans import scan
from server.store.keys import Keyspace, split_field
from server.store.repositories.location_names import read_location_names
from server.store.repositories.settings_changes import Changer, SettingChange, change_settings

RuleT = TypeVar("RuleT")
Where = tuple[str, str]
"""What a rule is for: a SKU or category, and a location; empty: all."""

_encode: Final = msgspec.json.Encoder().encode


class RuleTable(Generic[RuleT]):
    """The rules of one kind in a partition. Every method raises StoreUnavailableError if the store is unreachable.

    ``decode`` reads one rule as it is kept; ``changed`` is the journal's operation of a change, in which ``named`` is
    what the first of a rule's names is: a SKU or a category.
    """

    def __init__(
        self,
        client: Redis,
        keyspace: Keyspace,
        key: str,
        decode: Callable[[bytes], RuleT],
        *,
        changed: str,
        named: str,
    ) -> None:
        self._client = client
        self._keyspace = keyspace
        self._rules = key
        self._decode = decode
        self._changed = changed
        self._named = named

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
        changes: list[SettingChange] = []
        names = await read_location_names(self._client, self._keyspace)
        for (first, location), rule in rules.items():
            now, *former = names.names(location)
            notes = [(self._named, first), ("location", now)]
            value = None if rule is None else _encode(rule)
            others = [f"{first}\0{name}" for name in former]
            changes.append(SettingChange(notes, f"{first}\0{now}", value, others))
        await self._change(self._rules, self._changed, actor, changes)

    async def _change(self, key: str, operation: str, actor: str, changes: Sequence[SettingChange]) -> None:
        """Write changes and their entry of the journal in one step."""
        await change_settings(self._client, self._keyspace, key, Changer(operation, actor), changes)
