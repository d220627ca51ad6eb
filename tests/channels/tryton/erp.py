"""The hands of those who work in Tryton: what they do and see, by its RPC and past every adapter of ours."""

import base64
import json
import urllib.request
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import msgspec

_ANSWER_S: Final = 30.0
SHIPMENT: Final = "stock.shipment.out"


class Ids(msgspec.Struct):
    """What ``set_up.py`` has made."""

    company: int
    currency: int
    customer: int
    warehouse: int
    storage: int
    input: int
    supplier: int


class Erp:
    """One database, as its administrator sees it."""

    def __init__(self, url: str, database: str, login: str, password: str) -> None:
        self.url, self.database, self.login, self.password = url, database, login, password
        self.ids = Ids(0, 0, 0, 0, 0, 0, 0)
        self._session = ""

    def sign_in(self) -> None:
        user, key, *_ = self._ask("common.db.login", [self.login, {"password": self.password}, "en"])
        self._session = base64.b64encode(f"{self.login}:{user}:{key}".encode()).decode()

    def call(self, model: str, method: str, *words: Any, **context: Any) -> Any:
        return self._ask(f"model.{model}.{method}", [*words, {"company": self.ids.company, **context}])

    def _ask(self, method: str, words: list[Any]) -> Any:
        body = json.dumps({"id": 1, "method": method, "params": words}).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Session {self._session}"}
        if not self._session:
            del headers["Authorization"]
        request = urllib.request.Request(f"{self.url}/{self.database}/rpc/", body, headers)  # noqa: S310  # http://
        with urllib.request.urlopen(request, timeout=_ANSWER_S) as response:  # noqa: S310  # our own
            answer = json.loads(response.read())
        assert "error" not in answer, answer["error"]
        return answer["result"]

    # -- what they see

    def free(self, sku: str) -> float:
        """Return what lies in the storage and is not assigned."""
        return self._quantity(sku, stock_assign=True)

    def lies(self, sku: str) -> float:
        """Return what lies in the storage."""
        return self._quantity(sku)

    def _quantity(self, sku: str, **context: Any) -> float:
        context |= {"locations": [self.ids.storage], "with_childs": True}
        [found] = self.call("product.product", "search_read", [["code", "=", sku]], 0, 1, None, ["quantity"], **context)
        return float(found["quantity"])

    def shipments(self, reference: str) -> list[tuple[str, dict[str, float]]]:
        """Return the shipments with a reference: the state of each, and what it has by SKU."""
        found = self.call(
            SHIPMENT, "search_read", [["reference", "=", reference]], 0, None, [["id", "ASC"]],
            ["state", "outgoing_moves"],
        )  # fmt: skip
        return [(each["state"], self._moves(each["outgoing_moves"])) for each in found]

    def _moves(self, ids: list[int]) -> dict[str, float]:
        moves = self.call("stock.move", "read", ids, ["quantity", "state", "product.code"])
        return {each["product."]["code"]: each["quantity"] for each in moves if each["state"] != "cancelled"}

    # -- what they do

    def send_out(self, reference: str) -> None:
        """Pick, pack and ship."""
        for step in ("pick", "pack", "ship", "do"):
            self.press(reference, step)

    def press(self, reference: str, button: str) -> None:
        [found] = self.call(SHIPMENT, "search", [["reference", "=", reference]], 0, None, None)
        self.call(SHIPMENT, button, [found])

    def receive(self, sku: str, units: float) -> None:
        """Have units arrive."""
        self.call("stock.move", "do", [self.expect(sku, units, datetime.now(UTC).date())])

    def expect(self, sku: str, units: float, on: date) -> int:
        """Have units planned to arrive on a day."""
        [product] = self.call("product.product", "search_read", [["code", "=", sku]], 0, 1, None, ["default_uom"])
        [made] = self.call(
            "stock.move",
            "create",
            [
                {
                    "product": product["id"],
                    "unit": product["default_uom"],
                    "quantity": units,
                    "from_location": self.ids.supplier,
                    "to_location": self.ids.storage,
                    "company": self.ids.company,
                    "currency": self.ids.currency,
                    "unit_price": {"__class__": "Decimal", "decimal": "1"},
                    "planned_date": {"__class__": "date", "year": on.year, "month": on.month, "day": on.day},
                }
            ],
        )
        return int(made)

    def forgo(self, move: int) -> None:
        self.call("stock.move", "cancel", [move])


def tomorrow() -> date:
    return datetime.now(UTC).date() + timedelta(days=1)
