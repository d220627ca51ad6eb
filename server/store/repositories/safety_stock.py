"""Rules of safety stock, the categories that they are about, and the script that brings places to what they say."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
from redis.asyncio import Redis

from server.domain.changes import Change
from server.domain.safety_stock import SafetyRule, SafetyRules
from server.store.connection.commands import command, run_on_keys, together
from server.store.keys import Keyspace, split_field
from server.store.lua_library import library
from server.store.repositories.channels import scan

RULES_CHANGED: Final = "safety_rules"
CATEGORIES_CHANGED: Final = "sku_categories"
"""The journal's operations by which whoever applies the rules learns of both."""
APPLIED: Final = "safeguard"
"""The journal's operation of a safety stock that a rule has set."""
PLACES_MAX: Final = 200
"""Of one script: about a millisecond of the store's time."""

_decode_rule = msgspec.json.Decoder(SafetyRule).decode
_encode_rule = msgspec.json.Encoder().encode
_decode_applied = msgspec.msgpack.Decoder(tuple[int, list[int]]).decode
_pack = msgspec.msgpack.Encoder().encode


class Wanted(NamedTuple):
    """What a rule says of a place. ``units`` -1: there is no rule for it."""

    sku: str
    location: str
    units: int
    percent: int


class Applied(NamedTuple):
    """What came of it: how many places were changed, and those whose rule wants more than is free there now."""

    changed: int
    capped: list[Wanted]


class SafetyStore:
    """Rules and categories of one partition. Every method raises StoreUnavailableError where the store is away."""

    def __init__(self, client: Redis, keyspace: Keyspace) -> None:
        self._client = client
        self._keyspace = keyspace

    # -- rules

    async def rules(self) -> SafetyRules:
        """Read every rule, by (category, location)."""
        key = self._keyspace.safety_rules
        return {split_field(field): _decode_rule(packed) async for field, packed in scan(self._client, key)}

    async def set_rules(self, rules: Mapping[tuple[str, str], SafetyRule | None], actor: str) -> None:
        """Set rules, or take them away (None)."""
        key, changes = self._keyspace.safety_rules, []
        for (category, location), rule in rules.items():
            field = f"{category}\0{location}"
            changes.append(("HDEL", key, field) if rule is None else ("HSET", key, field, _encode_rule(rule)))
        await self._together(changes, RULES_CHANGED, actor, [])

    async def in_use(self) -> bool:
        """Whether there is a rule, or what one has set."""
        keys = self._keyspace.safety_rules, self._keyspace.safety_applied
        return any(await together(self._client, [("HLEN", key) for key in keys]))

    # -- categories

    async def categories(self, skus: Sequence[str]) -> list[str]:
        """Read the categories of SKUs, empty where one has none."""
        if not skus:
            return []
        found = await command(self._client, "HMGET", self._keyspace.categories, *skus)
        return ["" if category is None else category.decode() for category in found]

    async def set_categories(self, categories: Mapping[str, str], actor: str) -> None:
        """Put SKUs into categories, some thousand at most; empty takes one out."""
        key = self._keyspace.categories
        changes: list[tuple[str | bytes, ...]] = [
            ("HSET", key, sku, category) if category else ("HDEL", key, sku) for sku, category in categories.items()
        ]
        await self._together(changes, CATEGORIES_CHANGED, actor, [("sku", sku) for sku in categories])

    async def _together(
        self, changes: Sequence[tuple[str | bytes, ...]], operation: str, actor: str, notes: list[tuple[str, str]]
    ) -> None:
        seconds, _ = await command(self._client, "TIME")
        told = _pack([Change(operation, int(seconds) * 1000, actor, "", "", "", [], notes)])
        await together(self._client, [*changes, ("XADD", self._keyspace.journal, "*", "e", told)])

    # -- what they come to

    async def applied(self) -> set[tuple[str, str]]:
        """Read the places where a rule has set what is kept back."""
        return {split_field(field) async for field, _ in scan(self._client, self._keyspace.safety_applied)}

    async def apply(self, wanted: Sequence[Wanted], limits: bytes) -> Applied:
        """Bring places, each once and :data:`PLACES_MAX` at most, to what their rules say."""
        answer = await run_on_keys(
            self._client,
            library().function("apply_safety_rules"),
            self._keyspace.safeguarding,
            limits,
            _pack(list(wanted)),
        )
        changed, capped = _decode_applied(answer)
        return Applied(changed, [wanted[number - 1] for number in capped])
