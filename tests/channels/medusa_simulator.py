"""A simulated Medusa shop: the part of its admin API that concerns stock, answering as a real 2.21.2 was seen to."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from aiohttp import web

from adapters.testing.simulator import Simulator

LOCATION: Final = "sloc_1"
ROWS_MAX: Final = 1_000


@dataclass
class MedusaSimulator(Simulator):
    """A shop whose ``shown`` is by SKU and is what its buyers can have: stocked less reserved.

    ``reserved`` are the units of its own open orders; ``before_write`` happens after the next push was read and before
    it is carried out. ``ghosts`` are found and gone when they are written; ``never_stocked`` have no level yet.
    ``uncounted`` are sold without counting: no variant is linked to them.
    """

    secret_key: str = ""
    reserved: dict[str, int] = field(default_factory=dict)
    ghosts: set[str] = field(default_factory=set)
    never_stocked: set[str] = field(default_factory=set)
    uncounted: set[str] = field(default_factory=set)
    locations: dict[str, str] = field(default_factory=lambda: {LOCATION: "Main"})
    before_write: Callable[[], None] | None = None

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/admin/stock-locations", self._stock_locations),
            web.get("/admin/inventory-items", self._inventory_items),
            web.post("/admin/inventory-items/location-levels/batch", self._batch),
        ]

    def reserve(self, sku: str, units: int) -> None:
        """Let a buyer order; fewer than none: cancel."""
        self.reserved[sku] = self.reserved.get(sku, 0) + units
        self.shown[sku] -= units

    # -- answers

    def _is_let_in(self, request: web.Request) -> bool:
        token = b64encode(f"{self.secret_key}:".encode()).decode()
        return request.headers.get("Authorization") == f"Basic {token}"

    async def _stock_locations(self, request: web.Request) -> web.Response:
        if not self._is_let_in(request):
            return _json({"message": "Unauthorized"}, 401)
        found = [{"id": each, "name": name} for each, name in self.locations.items()]
        return _json({"stock_locations": found, "count": len(found), "offset": 0, "limit": 1_000})

    async def _inventory_items(self, request: web.Request) -> web.Response:
        if not self._is_let_in(request):
            return _json({"message": "Unauthorized"}, 401)
        if len(request.path_qs) > 8_000:
            self.complain(f"a request line of {len(request.path_qs)} characters")
        skus = [*request.query.getall("sku[]", []), *map(_sku, request.query.getall("id[]", []))]
        found = [sku for sku in self.shown if sku in skus][: int(request.query["limit"])]
        return _json({"inventory_items": [self._item(sku) for sku in found], "count": len(found)})

    def _item(self, sku: str) -> dict[str, Any]:
        return {
            "id": f"iitem_{sku}",
            "sku": sku,
            "location_levels": [] if sku in self.never_stocked else [self._level(sku)],
            "variants": [] if sku in self.uncounted else [{"id": f"variant_{sku}", "manage_inventory": True}],
        }

    def _level(self, sku: str, stocked: float | None = None) -> dict[str, Any]:
        reserved = self.reserved.get(sku, 0)
        return {
            "location_id": LOCATION,
            "inventory_item_id": f"iitem_{sku}",
            "stocked_quantity": self.shown[sku] + reserved if stocked is None else stocked,
            "reserved_quantity": reserved,
            "available_quantity": 0,  # that of before, in the real one too
        }

    async def _batch(self, request: web.Request) -> web.Response:
        if not self._is_let_in(request):
            return _json({"message": "Unauthorized"}, 401)
        try:
            body = msgspec.json.decode(await request.read())
        except msgspec.DecodeError as error:
            self.complain(f"not JSON: {error}")
            return _refused(400, "invalid_request_error", "not JSON")
        if self.before_write is not None:
            happens, self.before_write = self.before_write, None
            happens()
        made, changed = body.get("create", []), body.get("update", [])
        if (not made and not changed) or len(made) + len(changed) > ROWS_MAX:
            self.complain(f"{len(made)} and {len(changed)} rows")
        refused = next(filter(None, (*map(self._check_made, made), *map(self._check_changed, changed))), None)
        if refused is not None:
            return refused
        for row in (*made, *changed):
            sku = _sku(row["inventory_item_id"])
            self.never_stocked.discard(sku)
            self.show(sku, row["stocked_quantity"] - self.reserved.get(sku, 0))
        return _json({"created": self._written(made), "updated": self._written(changed), "deleted": []})

    def _written(self, rows: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [self._level(_sku(row["inventory_item_id"]), row["stocked_quantity"]) for row in rows]

    def _check_made(self, row: Mapping[str, Any]) -> web.Response | None:
        item = row["inventory_item_id"]
        if _sku(item) not in self.shown or _sku(item) in self.ghosts:
            words = f"You tried to set relationship inventory_item_id: {item}, but such entity does not exist"
            return _refused(404, "not_found", words)
        if _sku(item) not in self.never_stocked:
            where = f"inventory_item_id: {item}, location_id: {row['location_id']}"
            return _refused(400, "invalid_data", f"Inventory level with {where}, already exists.")
        return self._check_quantity(row)

    def _check_changed(self, row: Mapping[str, Any]) -> web.Response | None:
        item, location = row["inventory_item_id"], row["location_id"]
        gone = _sku(item) not in self.shown or _sku(item) in self.ghosts | self.never_stocked
        if gone or location not in self.locations:
            return _refused(404, "not_found", f"Item {item} is not stocked at location {location}")
        return self._check_quantity(row)

    def _check_quantity(self, row: Mapping[str, Any]) -> web.Response | None:
        if row["stocked_quantity"] >= 0:
            return None
        self.complain(f"a quantity of {row['stocked_quantity']}")
        return _refused(400, "invalid_data", "Invalid request: Value for field 'stocked_quantity' too small")


def _sku(item: str) -> str:
    return item.removeprefix("iitem_")


def _refused(status: int, kind: str, message: str) -> web.Response:
    return _json({"type": kind, "message": message}, status)


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")
