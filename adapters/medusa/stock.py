"""Publishes stock of inventory items to Medusa, and reads it back. Run against a real 2.21 server.

A Medusa shop counts its own open orders: what its buyers can buy is ``stocked − reserved``. So a push reads what is
reserved, writes ``stocked = quantity + reserved``, and looks in the answer, which is of the same transaction, whether
that was still so. Where the shop took, sent or cancelled an order in between, the item comes back as a
:class:`Conflict` and is sent again at once. What remains: an order that Medusa has reserved and that has not yet
reached Holdfast is in ``reserved`` but not in ``quantity``, so a push in that time shows the units again.

``available_quantity`` in an answer is that of before (seen), and is not looked at. Prices are not sent: Medusa replaces
all prices of a variant at once, also those of regions that Holdfast knows nothing of.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from adapters.contract.adapter import Adapter, Capabilities
from adapters.contract.errors import ClosedError, SpoiledError, UnavailableError
from adapters.contract.http import Exchange
from adapters.contract.stock import Applied, Conflict, Item, Outcome, Outcomes, Rejected, Retry
from adapters.medusa.shop import READ_ITEMS_MAX, MedusaOptions, Refusal, Shop

QUANTITY_MAX: Final = 1_000_000_000
"""Medusa takes more; nobody has so many."""
QUERY_CHARACTERS_MAX: Final = 6_000
"""Common servers refuse a request line of more than 8,000."""
_FIELDS: Final = (
    "id,sku,location_levels.location_id,location_levels.stocked_quantity,location_levels.reserved_quantity,"
    "variants.id,variants.manage_inventory"
)
_NAMED_ITEM: Final = re.compile(r"\bItem (\S+) is not stocked at location ")
_NO_ITEM: Final = re.compile(r"\binventory_item_id: ([^\s,]+), but such entity does not exist")
_BATCH: Final = "/inventory-items/location-levels/batch"


class _Level(msgspec.Struct, frozen=True):
    """The units of an item at one location; fractions where somebody wrote them."""

    location_id: str
    stocked_quantity: float
    reserved_quantity: float
    inventory_item_id: str = ""

    @property
    def shown(self) -> int:
        """What buyers can buy; below zero where the shop has oversold."""
        return math.floor(self.stocked_quantity - self.reserved_quantity)


class _Variant(msgspec.Struct, frozen=True):
    manage_inventory: bool = True


class _Item(msgspec.Struct, frozen=True):
    """An inventory item; ``variants`` are what is sold of it."""

    id: str
    sku: str | None = None
    location_levels: list[_Level] = []
    variants: list[_Variant] | None = None

    def level(self, location: str) -> _Level | None:
        """Return its level at a location; None: it was never there."""
        return next((each for each in self.location_levels if each.location_id == location), None)


class _Items(msgspec.Struct, frozen=True):
    inventory_items: list[_Item]


class _Location(msgspec.Struct, frozen=True):
    id: str
    name: str = ""


class _Locations(msgspec.Struct, frozen=True):
    stock_locations: list[_Location]


class _Written(msgspec.Struct, frozen=True):
    created: list[_Level] = []
    updated: list[_Level] = []


class MedusaStock(Adapter):
    """The stock of one Medusa shop. Keeps which location it is."""

    def __init__(self, options: MedusaOptions, credentials: Mapping[str, str]) -> None:
        self._options = options
        self._shop = Shop(options.base_url, credentials["secret_key"])
        self._location: str | None = None
        self._capabilities = Capabilities(
            items_max=options.items_max,
            result="whole",
            read_items_max=READ_ITEMS_MAX,
            quantity_max=QUANTITY_MAX,
            own_sale="subtracts",
        )

    @property
    def capabilities(self) -> Capabilities:
        """One push at a time: two could meet at the same rows."""
        return self._capabilities

    def push(self, items: Sequence[Item], now_s: float) -> Exchange[Outcomes]:  # noqa: ARG002  # nothing is signed
        """Read what is reserved, write all in one transaction, and compare."""
        location = yield from self._location_id()
        found = yield from self._find([item.key for item in items])
        outcomes: Outcomes = {}
        rows: dict[str, list[dict[str, Any]]] = {"create": [], "update": []}
        wanted: dict[str, Item] = {}
        for item in items:
            there = found.get(item.key)
            refused = self._refused(there, item.key)
            if there is None or refused is not None:
                outcomes[item.key] = refused or Rejected("unknown_item", item.key)
                continue
            level = there.level(location)
            stocked = item.quantity + (level.reserved_quantity if level is not None else 0)
            row = {"inventory_item_id": there.id, "location_id": location, "stocked_quantity": stocked}
            rows["create" if level is None else "update"].append(row)
            wanted[there.id] = item
        if wanted:
            outcomes |= yield from self._write(rows, wanted)
        return outcomes

    def read(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:
        """Read what can be sold at our location; an item that was never there has nothing."""
        location = yield from self._location_id()
        found = yield from self._find(keys)
        levels = {key: there.level(location) for key, there in found.items()}
        return {key: level.shown if level is not None else 0 for key, level in levels.items()}

    # -- what is asked

    def _location_id(self) -> Exchange[str]:
        if self._location is None:
            query = (("fields", "id,name"), ("limit", 1_000))
            answer = yield from self._shop.get("/stock-locations", query, _Locations)
            self._location = self._chosen(answer.stock_locations if answer is not None else [])
        return self._location

    def _chosen(self, there: Sequence[_Location]) -> str:
        ids, wanted = [each.id for each in there], self._options.stock_location_id
        if wanted in ids or (wanted is None and len(ids) == 1):
            return wanted or ids[0]
        names = ", ".join(f"{each.id} ({each.name})" for each in there) or "none"
        raise ClosedError(f"stock_location_id must name one of Medusa's stock locations, which are: {names}")

    def _find(self, keys: Sequence[str]) -> Exchange[dict[str, _Item]]:
        found: dict[str, _Item] = {}
        by = self._options.key_is
        for some in _some_at_a_time(keys):
            query = [(f"{by}[]", key) for key in some]
            answer = yield from self._shop.get(
                "/inventory-items", [*query, ("limit", len(some)), ("fields", _FIELDS)], _Items
            )
            for each in answer.inventory_items if answer is not None else ():
                found[each.id if by == "id" else each.sku or ""] = each
        return {key: found[key] for key in keys if key in found}

    def _refused(self, there: _Item | None, key: str) -> Rejected | None:
        """Return why an item cannot be sent, known beforehand: one bad row keeps all from being written."""
        if there is None:
            return Rejected("unknown_item", f'Medusa has no inventory item of {self._options.key_is} "{key}"')
        counted = [variant.manage_inventory for variant in there.variants or ()]
        if there.variants is not None and not (counted and all(counted)):  # it unlinks what it does not count
            return Rejected("not_tracked", "no variant of Medusa counts it: see manage_inventory of what is sold")
        return None

    def _write(self, rows: Mapping[str, Any], wanted: Mapping[str, Item]) -> Exchange[Outcomes]:
        answer = yield from self._shop.post(_BATCH, rows, _Written)
        if isinstance(answer, Refusal):
            self._location = None  # it may be a location that is gone
            return _named_apart(answer, wanted)
        written = {each.inventory_item_id: each for each in (*answer.created, *answer.updated)}
        return {item.key: _compared(item, written[there]) for there, item in wanted.items() if there in written}


def _some_at_a_time(keys: Sequence[str]) -> Iterator[list[str]]:
    """Divide keys so that none of the requests becomes too long."""
    some: list[str] = []
    length = 0
    for key in keys:
        more = len(quote(key, safe="")) + len("sku%5B%5D=&")
        if some and length + more > QUERY_CHARACTERS_MAX:
            yield some
            some, length = [], 0
        some.append(key)
        length += more
    if some:
        yield some


def _compared(item: Item, level: _Level) -> Outcome:
    return Applied() if level.shown == item.quantity else Conflict(level.shown)


def _named_apart(refusal: Refusal, wanted: Mapping[str, Item]) -> Outcomes:
    """Reject the item that Medusa named and retry the others, which were not written.

    Raises
    ------
    SpoiledError
        It named none.
    UnavailableError
        Somebody has made a level in between.

    """
    if "already exists" in refusal.message:
        raise UnavailableError(f"Medusa: {refusal.message}")
    named = _NAMED_ITEM.search(refusal.message) or _NO_ITEM.search(refusal.message)
    if named is None or named[1] not in wanted:
        raise SpoiledError(refusal.type, f"Medusa: {refusal.message}")
    retry: Outcome = Retry(refusal.type, "refused together with another item, which was gone")
    outcomes = {item.key: retry for item in wanted.values()}
    return outcomes | {wanted[named[1]].key: Rejected(refusal.type, refusal.message)}
