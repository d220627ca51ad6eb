"""The rules of reordering, and the events of stock that crossed a threshold."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec
from redis.asyncio import Redis

from server.domain.alerts import ALERTS, Alert
from server.domain.changes import Change
from server.domain.replenishment import Rule
from server.store.connection.commands import command
from server.store.journal.entries import decode_entry, parse_entry_id
from server.store.keys import Keyspace
from server.store.repositories.aliases import current_names
from server.store.repositories.rules import RuleTable, Where

RULES_CHANGED: Final = "replenishment_rules"
"""The journal's operation for changed rules; the process that raises alerts reads it."""
LACKING_CHANGED: Final = "shortage"
"""The journal's operation where a place begins or ceases to lack units, or lacks more or fewer; it has no lines."""

_decode_rule = msgspec.json.Decoder(Rule).decode

NEW_SKU: Final = "new_sku"
"""The note of a change by which a SKU got its first stock record; see ``lua/lib/journal.lua``."""


class StockEvent(NamedTuple):
    """One threshold that was crossed at a (SKU, location), at ``at_ms``, by the change with ``seq``.

    ``location`` is empty where it is about the SKU as a whole.
    """

    id: str
    alert: Alert
    at_ms: int
    sku: str
    location: str
    available: int
    reorder_point: int
    seq: int


class ReplenishmentStore(RuleTable[Rule]):
    """Rules, by (SKU, location), and events of one partition."""

    def __init__(self, client: Redis, keyspace: Keyspace) -> None:
        super().__init__(client, keyspace, keyspace.replenishment, _decode_rule, changed=RULES_CHANGED, named="sku")

    async def set_rules(self, rules: Mapping[Where, Rule | None], actor: str) -> None:
        """As for any rules; a SKU's are kept under what it is called now."""
        names = await current_names(self._client, self._keyspace, [sku for sku, _ in rules])
        await super().set_rules({(names[sku], location): rule for (sku, location), rule in rules.items()}, actor)

    async def events(self, after: str, limit: int) -> list[StockEvent]:
        """Read events after one of them (``0-0``: from the oldest that is kept), oldest first.

        Raises
        ------
        ValueError
            ``after`` is not an event's id.

        """
        parse_entry_id(after)
        found = await command(self._client, "XRANGE", self._keyspace.events, f"({after}", "+", "COUNT", limit)
        return [_event(event_id.decode(), decode_entry(fields)[0]) for event_id, fields in found]


def event_of(
    alert: Alert, *, at_ms: int, sku: str, location: str, available: int, reorder_point: int, seq: int
) -> Change:
    """Make the event of a crossed threshold: a change without lines, as it moves no units."""
    notes = [
        ("sku", sku),
        ("location", location),
        ("available", str(available)),
        ("reorder_point", str(reorder_point)),
        ("seq", str(seq)),
    ]
    return Change(alert, at_ms, "system", "", "", "", [], notes)


def _event(event_id: str, change: Change) -> StockEvent:
    notes = dict(change.notes)
    [alert] = [each for each in ALERTS if each == change.operation]
    return StockEvent(
        event_id, alert, change.at_ms, notes["sku"], notes["location"], int(notes["available"]),
        int(notes["reorder_point"]), int(notes["seq"]),
    )  # fmt: skip
