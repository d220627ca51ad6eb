"""A simulated Hepsiburada: uploads that are worked off later, whose verdicts list what failed and nothing else."""

import json
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count, cycle
from typing import Annotated, Any, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from tests.channels.hepsiburada_order_service import HepsiburadaOrderService

MERCHANT: Final = "6fc6d90d-ee1d-4372-b3a6-264b1275e2ff"
INTEGRATOR: Final = "made-up_dev"
ITEMS_MAX: Final = 4_000
UPLOADS_MAX: Final = 5
LISTINGS_PAGE_MAX: Final = 100
UNKNOWN: Final = "ListingNotFound"
BUSY: Final = "You have too many ongoing/waiting inventory uploads"
ROOT: Final = f"/listings/merchantid/{MERCHANT}"


class WireStock(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    available_stock: Annotated[int, Meta(ge=0)]
    merchant_sku: str = ""
    hepsiburada_sku: str = ""


class WirePrice(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    price: Decimal
    merchant_sku: str = ""
    hepsiburada_sku: str = ""


@dataclass
class Upload:
    rows: list[WireStock | WirePrice]
    is_lie: bool
    polls: int = 0
    errors: list[dict[str, Any]] | None = None
    validations: list[dict[str, Any]] = field(default_factory=list)
    is_failed: bool = False


@dataclass
class HepsiburadaSimulator(HepsiburadaOrderService):
    """One merchant's account.

    An upload takes effect at its ``polls_until_done``-th poll, or at once where that is 0. ``refusals``: SKUs whose
    quantities fail, and why; ``locks``: the prices between which a SKU's must be. ``strange``: a verdict is also about
    a row that nobody has sent. ``fails_whole``: a failure of a row lets all of an upload fail. ``depot``: listings that
    the channel ships itself. ``strange_stock``: listings whose stock is null. ``upper_id``: uploads are answered with
    ``Id``. ``drifts``: words in other cases.
    """

    service_key: str = "made-up-service-key"
    polls_until_done: int = 0
    refusals: dict[str, str] = field(default_factory=dict)
    locks: dict[str, tuple[float, float]] = field(default_factory=dict)
    strange: bool = False
    fails_whole: bool = False
    upper_id: bool = False
    depot: set[str] = field(default_factory=set)
    strange_stock: set[str] = field(default_factory=set)
    uploads: dict[str, Upload] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._ids = count(1)
        self._cases = cycle((str.lower, str.upper, str.title))

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post(f"{ROOT}/stock-uploads", self._stock),
            web.post(f"{ROOT}/price-uploads", self._price),
            web.get(f"{ROOT}/{{what}}/id/{{id}}", self._verdict),
            web.get(ROOT, self._listings),
            *self.order_routes(MERCHANT),
        ]

    def hepsiburada_sku(self, key: str) -> str:
        return f"HBV-{key}"

    def refused(self, request: web.Request) -> web.Response | None:
        basic = "Basic " + b64encode(f"{MERCHANT}:{self.service_key}".encode()).decode()
        if request.headers.get("Authorization") != basic:
            return web.Response(status=401)
        if request.headers.get("User-Agent") != INTEGRATOR:
            return web.Response(status=403, text='"User-Agent"')
        return None

    # -- pushing

    async def _stock(self, request: web.Request) -> web.Response:
        return await self._upload(request, list[WireStock])

    async def _price(self, request: web.Request) -> web.Response:
        return await self._upload(request, list[WirePrice])

    async def _upload(self, request: web.Request, kind: Any) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        try:
            rows = msgspec.json.decode(await request.read(), type=kind)
        except msgspec.MsgspecError as error:
            return self._wrong(str(error))
        keys = [_key(row) for row in rows]
        if not 1 <= len(rows) <= ITEMS_MAX or len(set(keys)) < len(keys) or "" in keys:
            return self._wrong(f"{len(rows)} rows of {len(set(keys))} SKUs")
        if sum(1 for each in self.uploads.values() if each.errors is None) >= UPLOADS_MAX:
            return web.Response(status=400, text=BUSY)
        name = f"{next(self._ids):08d}-0000-4000-8000-000000000000"
        self.uploads[name] = upload = Upload(rows, self.lying)
        if not self.polls_until_done:
            self._work_off(upload)
        return _json({"Id" if self.upper_id else "id": name})

    def _wrong(self, what: str) -> web.Response:
        self.complain(what)
        return web.Response(status=400, text=what)

    def _work_off(self, upload: Upload) -> None:
        upload.errors = list(self._errors(upload))
        bad = {each["elementNo"] for each in (*upload.errors, *upload.validations)}
        upload.is_failed = bool(bad) and self.fails_whole
        for number, row in enumerate(upload.rows):
            if number not in bad and not upload.is_lie and not upload.is_failed:
                self._apply(row)
        if self.strange:
            upload.errors.append({"elementNo": 4711, "merchantSku": "SOMEBODY-S", "errors": ["OutOfPriceRange"]})

    def _errors(self, upload: Upload) -> Iterable[dict[str, Any]]:
        for number, row in enumerate(upload.rows):
            key = self._shown_key(_key(row))
            refusal = UNKNOWN if key is None else self.refusals.get(key, "") if isinstance(row, WireStock) else ""
            low, high = self.locks.get(key or "", (0.0, 1e9))
            if isinstance(row, WirePrice) and not low <= row.price <= high:
                lock = {"type": "MaxLock" if row.price > high else "MinLock", "minPrice": low, "maxPrice": high}
                upload.validations.append({"elementNo": number, **lock})
                refusal = "OutOfPriceRange"
            if refusal:
                names = {"hepsiburadaSku": self.hepsiburada_sku(key or ""), "merchantSku": _key(row).upper()}
                yield {"elementNo": number, **names, "errors": [refusal]}

    def _apply(self, row: WireStock | WirePrice) -> None:
        key = self._shown_key(_key(row))
        assert key is not None
        if key in self.depot:
            self.complain(f"{key} is shipped by the channel itself")
        if isinstance(row, WireStock):
            self.show(key, row.available_stock)
        else:
            self.prices[key] = str(row.price)

    def _shown_key(self, name: str) -> str | None:
        """Return the listing that a SKU is: the merchant's in any case, or the channel's."""
        if name in self.shown:
            return name
        names = (each for each in self.shown if name in (self.hepsiburada_sku(each), each.upper()))
        return next(names, None)

    # -- asking

    async def _verdict(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        upload = self.uploads.get(request.match_info["id"])
        if upload is None:
            return web.Response(status=404, text='"Not found"')
        upload.polls += 1
        if upload.errors is None and upload.polls >= self.polls_until_done:
            self._work_off(upload)
        status = "Processing" if upload.errors is None else "Failed" if upload.is_failed else "Done"
        if status == "Done" and self.drifts:
            status = "COMPLETED"
        return _json(
            {
                "id": request.match_info["id"],
                "status": next(self._cases)(status) if self.drifts else status,
                "createdAt": "2026-11-30T00:00:00.1234567",
                "total": len(upload.rows),
                "errors": upload.errors or [],
                "priceValidations": upload.validations,
            }
        )

    async def _listings(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        offset, limit = (int(request.query[name]) for name in ("offset", "limit"))
        if not 1 <= limit <= LISTINGS_PAGE_MAX:
            return self._wrong(f"limit {limit}")
        some = list(self.shown)[offset : offset + limit]
        return _json({"listings": [self._listing(each) for each in some], "totalCount": len(self.shown)})

    def _listing(self, key: str) -> dict[str, Any]:
        return {
            "hepsiburadaSku": self.hepsiburada_sku(key),
            "merchantSku": key.upper(),
            "price": 9.9,
            "availableStock": None if key in self.strange_stock else self.shown[key],
            "isSalable": True,
            "isFulfilledByHB": key in self.depot,
        }


def _key(row: WireStock | WirePrice) -> str:
    return row.merchant_sku or row.hepsiburada_sku


def _json(content: Any) -> web.Response:
    return web.Response(body=json.dumps(content).encode(), content_type="application/json")
