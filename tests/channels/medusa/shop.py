"""A hand in a real Medusa's own API, past Holdfast: what an administrator and a buyer do."""

import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

TIMEOUT_S: Final = 60.0
CURRENCY: Final = "eur"
PROVIDER: Final = "manual_manual"


class Level(msgspec.Struct, frozen=True):
    """What Medusa answers of an item's stock at a location."""

    stocked: int
    reserved: int

    @property
    def saleable(self) -> int:
        return self.stocked - self.reserved


class Order(msgspec.Struct, frozen=True):
    """An order that was placed. ``lines``: the ids of its lines by SKU."""

    id: str
    lines: dict[str, str]

    @property
    def line_id(self) -> str:
        """The only line."""
        (line_id,) = self.lines.values()
        return line_id


class RefusedByShopError(Exception):
    """The shop has answered with an error."""


class Shop:
    """A running shop. :meth:`sign_in` and :meth:`set_up` come first."""

    def __init__(self, url: str, email: str, password: str) -> None:
        self.url = url
        self._who = {"email": email, "password": password}
        self._admin: dict[str, str] = {}
        self._store: dict[str, str] = {}
        self.location = ""
        self.secret_key = ""
        self._profile = ""
        self._sales_channel = ""
        self._region = ""

    def admin(self, path: str, body: object = None, method: str = "") -> Any:
        """Ask the admin API."""
        return self._ask(f"/admin/{path}", body, self._admin, method)

    def store(self, path: str, body: object = None) -> Any:
        """Ask as a buyer."""
        return self._ask(f"/store/{path}", body, self._store)

    def _ask(self, path: str, body: object, headers: Mapping[str, str], method: str = "") -> Any:
        data = None if body is None else msgspec.json.encode(body)
        headers = {"Content-Type": "application/json", **headers}
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=method or None)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310  # our own http://
                return msgspec.json.decode(response.read())
        except urllib.error.HTTPError as error:
            raise RefusedByShopError(f"{path}: {error.code} {error.read().decode()[:500]}") from None

    # -- at the beginning

    def sign_in(self) -> None:
        token = self._ask("/auth/user/emailpass", self._who, {})["token"]
        self._admin = {"Authorization": f"Bearer {token}"}
        key = self.admin("api-keys", {"title": "Holdfast", "type": "secret"})["api_key"]
        self.secret_key = key["token"]
        # A session ends after a day; a key is what the rest is done with.
        self._admin = {"Authorization": f"Basic {b64encode(f'{self.secret_key}:'.encode()).decode()}"}

    def set_up(self, skus: Sequence[str]) -> None:
        """Make of an empty Medusa a shop that sells these SKUs in one country, none of them in stock yet."""
        self._sales_channel = self.admin("sales-channels", {"name": "Web"})["sales_channel"]["id"]
        region = {
            "name": "NL",
            "currency_code": CURRENCY,
            "countries": ["nl"],
            "payment_providers": ["pp_system_default"],
        }
        self._region = self.admin("regions", region)["region"]["id"]
        self.location = self.make_location("Main")
        self._set_up_shipping()
        key = self.admin("api-keys", {"title": "Store", "type": "publishable"})["api_key"]
        self.admin(f"api-keys/{key['id']}/sales-channels", {"add": [self._sales_channel]})
        self._store = {"x-publishable-api-key": key["token"]}
        self.create(skus)

    def make_location(self, name: str) -> str:
        """Make a stock location from which the shop sells."""
        location: str = self.admin("stock-locations", {"name": name})["stock_location"]["id"]
        self.admin(f"stock-locations/{location}/sales-channels", {"add": [self._sales_channel]})
        return location

    def _set_up_shipping(self) -> None:
        self.admin(f"stock-locations/{self.location}/fulfillment-providers", {"add": [PROVIDER]})
        path = f"stock-locations/{self.location}/fulfillment-sets"
        self.admin(path, {"name": "Shipping", "type": "shipping"})
        found = self.admin(f"stock-locations/{self.location}?fields=*fulfillment_sets")["stock_location"]
        set_id = found["fulfillment_sets"][0]["id"]
        zone = {"name": "NL", "geo_zones": [{"type": "country", "country_code": "nl"}]}
        made = self.admin(f"fulfillment-sets/{set_id}/service-zones", zone)["fulfillment_set"]
        self._profile = self.admin("shipping-profiles", {"name": "Parcels", "type": "default"})["shipping_profile"][
            "id"
        ]
        option = {
            "name": "By hand",
            "service_zone_id": made["service_zones"][0]["id"],
            "shipping_profile_id": self._profile,
            "provider_id": PROVIDER,
            "price_type": "flat",
            "type": {"label": "By hand", "description": "By hand", "code": "by-hand"},
            "prices": [{"currency_code": CURRENCY, "amount": 0}],
            "rules": [],
        }
        self.admin("shipping-options", option)

    def create(self, skus: Sequence[str], **of_variant: Any) -> None:
        """Make a product whose variants these are; the shop makes an inventory item for each."""
        variants = [
            {
                "title": sku,
                "sku": sku,
                "manage_inventory": True,
                "options": {"SKU": sku},
                "prices": [{"currency_code": CURRENCY, "amount": 10.5}],
                **of_variant,
            }
            for sku in skus
        ]
        product = {
            "title": f"Goods {skus[0]}",
            "status": "published",
            "shipping_profile_id": self._profile,
            "options": [{"title": "SKU", "values": list(skus)}],
            "sales_channels": [{"id": self._sales_channel}],
            "variants": variants,
        }
        self.admin("products", product)

    # -- stock

    def item(self, sku: str) -> str:
        """Find the inventory item of a SKU."""
        (found,) = self.admin(f"inventory-items?sku={sku}")["inventory_items"]
        item_id: str = found["id"]
        return item_id

    def variant(self, sku: str) -> str:
        """Find the variant of a SKU."""
        (found,) = self.admin(f"product-variants?sku={sku}")["variants"]
        variant_id: str = found["id"]
        return variant_id

    def level(self, sku: str) -> Level:
        """Read the stock of a SKU at the shop's location."""
        levels = self.admin(f"inventory-items/{self.item(sku)}/location-levels")["inventory_levels"]
        here = [each for each in levels if each["location_id"] == self.location]
        return Level(here[0]["stocked_quantity"], here[0]["reserved_quantity"]) if here else Level(0, 0)

    def set_stocked(self, sku: str, units: int) -> None:
        """Change a SKU's stock behind Holdfast's back."""
        row = {"inventory_item_id": self.item(sku), "location_id": self.location, "stocked_quantity": units}
        levels = self.admin(f"inventory-items/{row['inventory_item_id']}/location-levels")["inventory_levels"]
        there = any(each["location_id"] == self.location for each in levels)
        self.admin("inventory-items/location-levels/batch", {"update" if there else "create": [row]})

    def delete_item(self, sku: str) -> None:
        """Delete an inventory item."""
        self.admin(f"inventory-items/{self.item(sku)}", method="DELETE")

    # -- orders

    def order(self, sku: str, units: int) -> Order:
        """Buy one SKU; Medusa then has the units reserved."""
        return self.order_of({sku: units})

    def order_of(self, units: Mapping[str, int]) -> Order:
        """Buy several SKUs at once, with the payment that the shop has by itself: it is authorized."""
        address = {
            "first_name": "Ada",
            "last_name": "Buyer",
            "address_1": "Street 1",
            "city": "Utrecht",
            "postal_code": "3511",
            "country_code": "nl",
            "phone": "+31 1",
        }
        wanted = {"region_id": self._region, "email": "a@example.com", "shipping_address": address}
        cart = self.store("carts", wanted)["cart"]["id"]
        for sku, quantity in units.items():
            self.store(f"carts/{cart}/line-items", {"variant_id": self.variant(sku), "quantity": quantity})
        options = self.store(f"shipping-options?cart_id={cart}")["shipping_options"]
        self.store(f"carts/{cart}/shipping-methods", {"option_id": options[0]["id"]})
        payment = self.store("payment-collections", {"cart_id": cart})["payment_collection"]["id"]
        self.store(f"payment-collections/{payment}/payment-sessions", {"provider_id": "pp_system_default"})
        placed = self.store(f"carts/{cart}/complete", {})
        assert placed["type"] == "order", placed
        return Order(placed["order"]["id"], {each["variant_sku"]: each["id"] for each in placed["order"]["items"]})

    def fulfil(self, order: Order, units: int) -> str:
        """Make a parcel of units of the only line, which leave the stock by that; returns its id."""
        body = {"items": [{"id": order.line_id, "quantity": units}], "location_id": self.location}
        found = self.admin(f"orders/{order.id}/fulfillments?fields=id,*fulfillments", body)["order"]["fulfillments"]
        newest: str = max(found, key=lambda each: each["created_at"])["id"]
        return newest

    def ship(self, order: Order, parcel: str, units: int, tracking: str = "DESK") -> None:
        """Let a parcel leave."""
        label = {"tracking_number": tracking, "tracking_url": "", "label_url": ""}
        body = {"items": [{"id": order.line_id, "quantity": units}], "labels": [label]}
        self.admin(f"orders/{order.id}/fulfillments/{parcel}/shipments", body)

    def parcels(self, order: Order) -> list[tuple[str, str]]:
        """Read state and tracking number of an order's parcels."""
        path = f"orders/{order.id}?fields=id,*fulfillments,*fulfillments.labels"
        found = self.admin(path)["order"]["fulfillments"]
        return [
            ("shipped" if each["shipped_at"] else "made", "".join(label["tracking_number"] for label in each["labels"]))
            for each in found
        ]

    def deliver(self, order: Order, parcel: str) -> None:
        """Let a parcel arrive."""
        self.admin(f"orders/{order.id}/fulfillments/{parcel}/mark-as-delivered", {})

    def undo(self, order: Order, parcel: str) -> None:
        """Cancel a parcel."""
        self.admin(f"orders/{order.id}/fulfillments/{parcel}/cancel", {})

    def cancel(self, order: Order) -> None:
        """Cancel an order."""
        self.admin(f"orders/{order.id}/cancel", {})

    def edit(self, order: Order, units: int, added: Mapping[str, int] | None = None) -> None:
        """Change the quantity of the only line, and add others."""
        self.admin("order-edits", {"order_id": order.id})
        self.admin(f"order-edits/{order.id}/items/item/{order.line_id}", {"quantity": units})
        if added:
            items = [{"variant_id": self.variant(sku), "quantity": quantity} for sku, quantity in added.items()]
            self.admin(f"order-edits/{order.id}/items", {"items": items})
        self.admin(f"order-edits/{order.id}/confirm", {})

    def ask_back(self, order: Order, units: int) -> str:
        """Ask for units of the only line back; returns the return's id."""
        made: str = self.admin("returns", {"order_id": order.id, "location_id": self.location})["return"]["id"]
        self.admin(f"returns/{made}/request-items", {"items": [{"id": order.line_id, "quantity": units}]})
        self.admin(f"returns/{made}/request", {})
        return made

    def take_back(self, order: Order, case: str, units: int) -> None:
        """Receive units that were asked for."""
        self.admin(f"returns/{case}/receive", {})
        self.admin(f"returns/{case}/receive-items", {"items": [{"id": order.line_id, "quantity": units}]})
        self.admin(f"returns/{case}/receive/confirm", {})
