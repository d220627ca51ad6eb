"""Rules of safety stock, the categories that they name, and the script that applies them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
from redis.asyncio import Redis

from server.domain.safety_stock import SafetyRule
from server.store.connection.commands import command, run_on_keys, together
from server.store.connection.scans import scan, slices
from server.store.keys import Keyspace, split_field
from server.store.lua_library import library
from server.store.repositories.rules import RuleTable
from server.store.repositories.settings_changes import SettingChange

RULES_CHANGED: Final = "safety_rules"
CATEGORIES_CHANGED: Final = "sku_categories"
"""The journal's operations for changed rules and categories; the process that applies the rules reads them."""
APPLIED: Final = "safeguard"
"""The journal's operation of a safety stock that a rule has set."""
APPLY_MAX: Final = 50
"""Of one script: about a millisecond of the store's time."""

_decode_rule = msgspec.json.Decoder(SafetyRule).decode
_decode_applied = msgspec.msgpack.Decoder(tuple[int, list[int]]).decode
_pack = msgspec.msgpack.Encoder().encode


class SafetyTarget(NamedTuple):
    """The safety stock that a rule sets at a (SKU, location). ``units`` -1: there is no rule for it."""

    sku: str
    location: str
    units: int
    percent: int


class SafetyApplied(NamedTuple):
    """The result: how many records were changed, and those whose target is more than is unreserved there now."""

    changed: int
    capped: list[SafetyTarget]


class SafetyStore(RuleTable[SafetyRule]):
    """Rules, by (category, location), and categories of one partition."""

    def __init__(self, client: Redis, keyspace: Keyspace) -> None:
        super().__init__(client, keyspace, keyspace.safety_rules, _decode_rule, changed=RULES_CHANGED, named="category")

    async def in_use(self) -> bool:
        """Whether there is a rule, or a safety stock that a rule has set."""
        keys = self._keyspace.safety_rules, self._keyspace.safety_applied
        return any(await together(self._client, [("HLEN", key) for key in keys]))

    # -- categories

    async def categories(self, skus: Sequence[str]) -> list[str]:
        """Read the categories of SKUs, empty where one has none."""
        if not skus:
            return []
        found = await command(self._client, "HMGET", self._keyspace.categories, *skus)
        return ["" if category is None else category.decode() for category in found]

    async def category_names(self) -> AsyncIterator[set[str]]:
        """Go through the categories that SKUs have, some SKUs at a time."""
        async for found in slices(self._client, self._keyspace.categories):
            yield {category.decode() for category in found.values()}

    async def set_categories(self, categories: Mapping[str, str], actor: str) -> None:
        """Set the categories of SKUs, some thousand at most; an empty one removes the SKU from its category."""
        changes = [SettingChange([("sku", sku)], sku, category or None) for sku, category in categories.items()]
        await self._change(self._keyspace.categories, CATEGORIES_CHANGED, actor, changes)

    # -- applying them

    async def applied(self) -> AsyncIterator[tuple[str, str]]:
        """Go through the (SKU, location) pairs whose safety stock a rule has set."""
        async for field, _ in scan(self._client, self._keyspace.safety_applied):
            yield split_field(field)

    async def apply(self, wanted: Sequence[SafetyTarget], limits: bytes) -> SafetyApplied:
        """Apply the rules to (SKU, location)s, each once and :data:`APPLY_MAX` at most."""
        answer = await run_on_keys(
            self._client,
            library().function("apply_safety_rules"),
            self._keyspace.safeguarding,
            limits,
            _pack(list(wanted)),
        )
        changed, capped = _decode_applied(answer)
        return SafetyApplied(changed, [wanted[number - 1] for number in capped])
