"""A hand in a real Oscar's own pages and API, past Holdfast: what its people and its buyers do."""

import re
import sqlite3
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPException
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

TIMEOUT_S: Final = 60.0
BUYER: Final = "buyer@example.com"
_TOKEN: Final = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class Level(msgspec.Struct, frozen=True):
    """What Oscar's API answers of a stock record."""

    num_in_stock: int | None
    num_allocated: int | None
    price: str | None = None

    @property
    def saleable(self) -> int:
        return (self.num_in_stock or 0) - (self.num_allocated or 0)


class Order(msgspec.Struct, frozen=True):
    """An order that was placed: by the number that the API reads it by, and by that which people call it."""

    key: str
    number: str
    lines: dict[str, str]
    """The numbers of its lines, by SKU."""

    @property
    def line(self) -> str:
        """The only line."""
        (line,) = self.lines.values()
        return line


class RefusedByShopError(Exception):
    """The shop has answered with an error."""


class Browser:
    """Somebody with cookies: a buyer, or one of the shop's people."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def json(self, path: str, body: object = None) -> Any:
        """Ask the API."""
        data = None if body is None else msgspec.json.encode(body)
        return msgspec.json.decode(self._open(path, data, {"Content-Type": "application/json"}) or b"null")

    def page(self, path: str) -> str:
        """Look at a page."""
        return self._open(path, None, {}).decode()

    def send(self, path: str, form: Mapping[str, str]) -> str:
        """Fill in and send the form of a page; return the page behind it."""
        found = _TOKEN.search(self.page(path))
        assert found, f"{path} has no form"
        body = urlencode({"csrfmiddlewaretoken": found[1], **form}).encode()
        return self._open(path, body, {"Referer": self.url + path}).decode()

    def _open(self, path: str, data: bytes | None, headers: Mapping[str, str]) -> bytes:
        request = urllib.request.Request(self.url + path, data, {"Connection": "close", **headers})  # noqa: S310
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as response:
                content: bytes = response.read()
                return content
        except urllib.error.HTTPError as error:
            raise RefusedByShopError(f"{path}: {error.code} {error.read().decode()[:500]}") from None
        except HTTPException as error:
            raise OSError(f"{path}: {error!r}") from None


class Shop:
    """A running shop. ``made``: the numbers of the product and of the stock record of each SKU.

    ``keeper`` is who Holdfast is there; the hand itself has another name, and the same password.
    """

    def __init__(self, url: str, username: str, keeper: str, password: str, database: Path) -> None:
        self.url = url
        self.username, self.keeper, self.password = username, keeper, password
        self.made: dict[str, tuple[int, int]] = {}
        self._database = database
        self._token = b64encode(f"{username}:{password}".encode()).decode()
        self._people: Browser | None = None

    def admin(self, path: str, body: object = None, method: str = "") -> Any:
        """Ask the admin API."""
        headers = {"Authorization": f"Basic {self._token}", "Content-Type": "application/json"}
        data = None if body is None else msgspec.json.encode(body)
        request = urllib.request.Request(f"{self.url}/api/admin/{path}", data, headers, method=method or None)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310  # our own http://
                return msgspec.json.decode(response.read() or b"null")
        except urllib.error.HTTPError as error:
            raise RefusedByShopError(f"{path}: {error.code} {error.read().decode()[:500]}") from None

    # -- stock

    def record(self, sku: str) -> str:
        """Return the number of the stock record of a SKU."""
        return str(self.made[sku][1])

    def level(self, sku: str) -> Level:
        """Read what is in stock of a SKU, and promised."""
        return msgspec.convert(self.admin(f"stockrecords/{self.record(sku)}/"), Level)

    def change(self, sku: str, **fields: Any) -> None:
        """Change a stock record behind Holdfast's back."""
        self.admin(f"stockrecords/{self.record(sku)}/", fields, "PATCH")

    def delete_record(self, sku: str) -> None:
        """Delete a stock record."""
        self.admin(f"stockrecords/{self.record(sku)}/", method="DELETE")

    def saleable(self, sku: str) -> int:
        """Read how many a buyer can have."""
        found = Browser(self.url).json(f"/api/products/{self.made[sku][0]}/availability/")
        return int(found["num_available"] or 0)

    def price(self, sku: str) -> str:
        """Read what a buyer would have to pay."""
        return str(Browser(self.url).json(f"/api/products/{self.made[sku][0]}/price/")["excl_tax"])

    # -- orders

    def order(self, sku: str, units: int) -> Order:
        """Buy one SKU; Oscar then has the units allocated."""
        return self.order_of({sku: units})

    def order_of(self, units: Mapping[str, int]) -> Order:
        """Buy several SKUs at once, as a guest."""
        buyer = Browser(self.url)
        for sku, quantity in units.items():
            product = f"{self.url}/api/products/{self.made[sku][0]}/"
            buyer.json("/api/basket/add-product/", {"url": product, "quantity": quantity})
        address = {
            "title": "", "first_name": "Ada", "last_name": "Buyer", "line1": "Street 1", "line4": "London",
            "postcode": "N1 9RT", "phone_number": "+442083661177", "country": f"{self.url}/api/countries/GB/",
        }  # fmt: skip
        basket = buyer.json("/api/basket/")["url"]
        placed = buyer.json("/api/checkout/", {"basket": basket, "guest_email": BUYER, "shipping_address": address})
        key = placed["url"].rstrip("/").rpartition("/")[2]
        return Order(key, placed["number"], {sku: self._line(key, sku) for sku in units})

    def _line(self, key: str, sku: str) -> str:
        rows = self.rows("SELECT id FROM order_line WHERE order_id = ? AND partner_sku = ?", key, sku)
        return str(rows[0][0])

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Look into the database of the shop, where its API does not tell."""
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True, timeout=30.0)) as database:
            return database.execute(query, values).fetchall()

    def bought(self, sku: str) -> dict[str, int]:
        """Return the pieces of a SKU in each order that there is, by the number of the order."""
        found = self.rows("SELECT order_id, SUM(quantity) FROM order_line WHERE partner_sku = ? GROUP BY 1", sku)
        return {str(key): int(pieces) for key, pieces in found}

    def status(self, order: str) -> str:
        """Return the status of an order."""
        return str(self.rows("SELECT status FROM order_order WHERE id = ?", order)[0][0])

    def parcels(self, order: str) -> list[tuple[str, str]]:
        """Return name and reference of an order's shipping events."""
        query = (
            "SELECT type.name, event.notes FROM order_shippingevent event"
            " JOIN order_shippingeventtype type ON type.id = event.event_type_id"
            " WHERE event.order_id = ? ORDER BY event.id"
        )
        return [(name.lower(), notes) for name, notes in self.rows(query, order)]

    # -- what its people do in the dashboard

    def move(self, order: Order, status: str) -> None:
        """Give an order another status."""
        self._dashboard(order, {"order_action": "change_order_status", "new_status": status})

    def event(self, order: Order, code: str, pieces: int, reference: str = "DESK") -> None:
        """Let pieces of the only line go through a shipping event."""
        form = {
            "line_action": "create_shipping_event", "shipping_event_type": code, "reference": reference,
            "selected_line": order.line, f"selected_line_qty_{order.line}": str(pieces),
        }  # fmt: skip
        self._dashboard(order, form)

    def _dashboard(self, order: Order, form: Mapping[str, str]) -> None:
        if self._people is None:
            people = Browser(self.url)
            who = {"username": self.username, "password": self.password, "next": ""}
            assert "dashboard_login_form" not in people.send("/dashboard/login/", who), "the dashboard lets nobody in"
            self._people = people
        self._people.send(f"/dashboard/orders/{order.number}/", form)
