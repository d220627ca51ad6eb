"""A simulated n11: tasks that end late, come in pages, are refused whole, and answer in any case of letters."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count, cycle
from typing import Annotated, Any, Final, Literal

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from tests.channels.n11_order_side import N11OrderSide

ITEMS_MAX: Final = 1_000
QUANTITY_MAX: Final = 999_999
PAGE_MAX: Final = 250
UNKNOWN: Final = "Stok koduna ait ürün bulunamadı"


class WireSku(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """An item of a push; what is left out stays as it is."""

    stock_code: Annotated[str, Meta(min_length=1, max_length=255)]
    quantity: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    list_price: Decimal | UnsetType = UNSET
    sale_price: Decimal | UnsetType = UNSET
    currency_type: Literal["TL", "USD", "EUR"] | UnsetType = UNSET


class WirePayload(msgspec.Struct, forbid_unknown_fields=True):
    integrator: Annotated[str, Meta(min_length=1)]
    skus: Annotated[list[WireSku], Meta(min_length=1, max_length=ITEMS_MAX)]


class WirePush(msgspec.Struct, forbid_unknown_fields=True):
    payload: WirePayload


class WirePageable(msgspec.Struct, forbid_unknown_fields=True):
    page: Annotated[int, Meta(ge=0)]
    size: Annotated[int, Meta(ge=1, le=ITEMS_MAX)]


class WireQuery(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A question about a task, whose id is a number."""

    task_id: int
    pageable: WirePageable


_decode_push = msgspec.json.Decoder(WirePush).decode
_decode_query = msgspec.json.Decoder(WireQuery).decode


@dataclass
class TaskState:
    skus: list[WireSku]
    is_lie: bool
    is_rejected: bool
    polls: int = 0
    failures: dict[str, str] | None = None
    """By stock code, empty where it went well; None as long as the task is in the queue."""


@dataclass
class N11Simulator(N11OrderSide):
    """One seller's account.

    A task takes effect at its ``polls_until_done``-th poll, or at once where that is 0. ``refusals`` are stock codes
    whose values fail, and why; ``remarks`` are reasons of items that succeed; ``unnamed`` items are left out.
    ``refuses`` answers a push with REJECT for this reason, ``refuses_later`` takes it and lets its task end so.
    A page holds ``page_items_max`` items, whatever was asked for. ``drifts`` writes words and codes in changing cases.
    ``unnumbered`` leaves the number of pages out. ``uncounted`` products have no quantity.
    """

    app_key: str = "made-up-app-key"
    app_secret: str = "made-up-app-secret"
    polls_until_done: int = 0
    page_items_max: int = ITEMS_MAX
    refusals: dict[str, str] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)
    unnamed: set[str] = field(default_factory=set)
    refuses: str = ""
    refuses_later: str = ""
    drifts: bool = False
    unnumbered: bool = False
    uncounted: set[str] = field(default_factory=set)
    list_prices: dict[str, str] = field(default_factory=dict)
    currencies: dict[str, str] = field(default_factory=dict)
    tasks: dict[int, TaskState] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._numbers = count(1092)
        self._cases = cycle((str.lower, str.upper, str.title))

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/ms/product/tasks/price-stock-update", self._push),
            web.post("/ms/product/task-details/page-query", self._query),
            web.get("/ms/product-query", self._products),
            *self.order_routes(),
        ]

    def refused(self, request: web.Request) -> web.Response | None:
        if (request.headers.get("appkey"), request.headers.get("appsecret")) != (self.app_key, self.app_secret):
            return web.json_response({"message": "Unauthorized"}, status=401)
        if request.content_type != "application/json":
            return self.wrong(f"Content-Type {request.content_type}")
        return None

    def wrong(self, what: str) -> web.Response:
        self.complain(what)
        return web.json_response({"message": what}, status=400)

    # -- pushing

    async def _push(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        try:
            skus = _decode_push(await request.read()).payload.skus
        except msgspec.MsgspecError as error:
            return self.wrong(f"a push of another form: {error}")
        wrong = next((text for sku in skus if (text := _wrong_price(sku))), "")
        if wrong or len({sku.stock_code for sku in skus}) < len(skus):
            return self.wrong(wrong or "a stock code twice in one task")
        number = next(self._numbers)
        if self.refuses:
            return self._accepted(number, "REJECT", [self.refuses])
        task = TaskState(skus, self.lying, bool(self.refuses_later))
        self.tasks[number] = task
        if not self.polls_until_done:
            self._process(task)
        return self._accepted(number, "IN_QUEUE", [])

    def _accepted(self, number: int, status: str, reasons: list[str]) -> web.Response:
        reported = {"id": number, "type": "SKU_UPDATE", "status": self._drifted(status), "reasons": reasons}
        return web.json_response(reported)

    def _process(self, task: TaskState) -> None:
        task.failures = {sku.stock_code: self._failure(sku) for sku in task.skus}
        for sku in task.skus:
            if not (task.failures[sku.stock_code] or task.is_lie or task.is_rejected):
                self._apply(sku)

    def _failure(self, sku: WireSku) -> str:
        if sku.quantity is not UNSET and sku.quantity > QUANTITY_MAX:
            self.complain(f"quantity {sku.quantity}")
            return f"Stok miktarı en fazla {QUANTITY_MAX} olabilir"
        return self.refusals.get(sku.stock_code, "" if sku.stock_code in self.shown else UNKNOWN)

    def _apply(self, sku: WireSku) -> None:
        code = sku.stock_code
        quantity = self.shown[code] if sku.quantity is UNSET else sku.quantity
        self.show(code, quantity, None if sku.sale_price is UNSET else str(sku.sale_price))
        if sku.list_price is not UNSET:
            self.list_prices[code], self.currencies[code] = str(sku.list_price), str(sku.currency_type)

    # -- asking

    async def _query(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        try:
            query = _decode_query(await request.read())
        except msgspec.MsgspecError as error:
            return self.wrong(f"a question of another form: {error}")
        task = self.tasks.get(query.task_id)
        if task is None:
            return web.json_response({"message": "Task not found"}, status=404)
        task.polls += 1
        if task.failures is None and task.polls >= self.polls_until_done:
            self._process(task)
        return web.json_response(self._task(query, task))

    def _task(self, query: WireQuery, task: TaskState) -> dict[str, Any]:
        lines = [] if task.failures is None else list(self._lines(task, task.failures))
        size = min(query.pageable.size, self.page_items_max)
        first = query.pageable.page * size
        status = "IN_QUEUE" if task.failures is None else "REJECT" if task.is_rejected else "PROCESSED"
        return {
            "taskId": query.task_id,
            "status": self._drifted(status),
            "reasons": [self.refuses_later] if task.is_rejected else [],
            "skus": {"content": lines[first : first + size], "totalPages": -(-len(lines) // size)},
        }

    def _lines(self, task: TaskState, failures: dict[str, str]) -> Iterable[dict[str, Any]]:
        """Answer for each item, the last first: the order is not guaranteed."""
        for sku in reversed(task.skus):
            code = sku.stock_code
            if code not in self.unnamed:
                reason = failures[code] or self.remarks.get(code)
                status = self._drifted("Fail" if failures[code] else "SUCCESS")
                yield {"itemCode": self._drifted(code), "status": status, "reasons": [reason] if reason else []}

    # -- reading

    async def _products(self, request: web.Request) -> web.Response:
        """Answer with the product of a stock code, or with a page of all products."""
        refused = self.refused(request)
        if refused is not None:
            return refused
        code = request.query.get("stockCode")
        codes = [each for each in self.shown if code in (None, each)]
        page, size = int(request.query.get("page", "0")), int(request.query.get("size", "20"))
        if not (page >= 0 and 1 <= size <= PAGE_MAX):
            return self.wrong(f"page {page} of {size}")
        content = [self._product(each) for each in codes[page * size : (page + 1) * size]]
        numbered = {} if self.unnumbered else {"totalPages": -(-len(codes) // size), "totalElements": len(codes)}
        return web.json_response({"content": content, **numbered})

    def _product(self, code: str) -> dict[str, Any]:
        quantity = None if code in self.uncounted else self.shown[code]
        return {"stockCode": self._drifted(code), "quantity": quantity, "saleStatus": "On_Sale", "status": "Active"}

    def _drifted(self, text: str) -> str:
        return next(self._cases)(text) if self.drifts else text


def _wrong_price(sku: WireSku) -> str:
    """Return what is wrong with the prices of an item; both are there or none."""
    prices = [price for price in (sku.list_price, sku.sale_price) if not isinstance(price, UnsetType)]
    if not prices and sku.currency_type is UNSET:
        return ""
    if len(prices) < 2 or sku.currency_type is UNSET:
        return f"{sku.stock_code}: not both prices and the currency"
    if prices[0] < prices[1] or prices[1] <= 0:
        return f"{sku.stock_code}: {prices[0]} is below {prices[1]}, or that is nothing"
    exponents = [price.as_tuple().exponent for price in prices]
    is_fine = all(isinstance(exponent, int) and exponent >= -2 for exponent in exponents)
    return "" if is_fine else f"{sku.stock_code}: {prices} have more than two decimals"
