"""The orders of a simulated Allegro: a log of events that is cut, a list by change, parcels that move no time."""

import json
import random
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final
from uuid import UUID

from aiohttp import web

from adapters.contract.orders import Delivery
from adapters.testing.order_side import BUYER, PHONE, STREET, OrderSide, Truth

PAGE_MAX: Final = 100
EVENTS_MAX: Final = 1_000
WAYBILL_MAX: Final = 64
CARRIERS: Final = frozenset({"INPOST", "DPD", "OTHER"})
WORDS: Final = frozenset(
    {"NEW", "PROCESSING", "READY_FOR_SHIPMENT", "READY_FOR_PICKUP", "SENT", "PICKED_UP", "CANCELLED", "SUSPENDED"}
)
_LISTED: Final = {"updatedAt.gte", "sort", "limit", "offset"}


@dataclass
class Line:
    id: str
    offer: str
    quantity: int


@dataclass
class Form:
    id: str
    lines: list[Line]
    bought_ms: int
    changed_ms: int
    status: str = "READY_FOR_PROCESSING"
    fulfilment: str = "NEW"
    provider: str = "SELLER"
    revision: int = 1
    shipments: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class AllegroOrderSide(OrderSide):
    """Orders of one seller.

    ``inclusive``: a page of events begins with the one that was named. ``doubles``: events come twice. ``log_max``: how
    many events are kept; the place of an older one is not known any more. ``provider``: who ships what is sold next.
    """

    inclusive: bool = False
    doubles: bool = False
    log_max: int = 1_000_000
    provider: str = "SELLER"
    forms: dict[str, Form] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    spoiled: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._numbers = count(0x29738E61_7F2B_11EA_ABDE_0242AC130001)
        self._event_numbers = count(1_000_001)

    @abstractmethod
    def refused(self, request: web.Request, *, of: str = "public") -> web.Response | None:
        """What every request must get past."""

    def order_routes(self) -> list[web.RouteDef]:
        forms = "/order/checkout-forms"
        return [
            web.get("/order/event-stats", self._stats),
            web.get("/order/events", self._events),
            web.get(forms, self._list),
            web.get(f"{forms}/{{id}}", self._one),
            web.get(f"{forms}/{{id}}/shipments", self._shipments),
            web.post(f"{forms}/{{id}}/shipments", self._ship),
            web.put(f"{forms}/{{id}}/fulfillment", self._mark),
        ]

    # -- what happens

    def place(self, *lines: tuple[str, int], paid: bool = True) -> str:
        now = self.tick()
        made = [Line(self._new_id(), key, of) for key, of in lines]
        form = Form(
            self._new_id(), made, now, now, "READY_FOR_PROCESSING" if paid else "BOUGHT", provider=self.provider
        )
        self.forms[form.id] = form
        if self.provider == "SELLER":
            self.truth[form.id] = {each.id: Truth(each.offer, each.quantity) for each in made}
        for key, units in lines:
            self.sell(key, units)
        self._tell(form, "BOUGHT")
        if paid:
            self._tell(form, "READY_FOR_PROCESSING")
        return form.id

    def _new_id(self) -> str:
        return str(UUID(int=next(self._numbers)))

    def _tell(self, form: Form, what: str) -> None:
        event = {
            "id": str(next(self._event_numbers)),
            "type": what,
            "occurredAt": written(self.now_ms()),
            "order": {
                "checkoutForm": {"id": form.id, "revision": str(form.revision)},
                "lineItems": [
                    {"id": each.id, "offer": {"id": each.offer}, "quantity": each.quantity} for each in form.lines
                ],
            },
        }
        self.events += [event]
        if self.doubles:
            self.events += [{**event, "id": str(next(self._event_numbers))}]
        del self.events[: -self.log_max]

    def move(self, form: Form, what: str) -> None:
        form.revision += 1
        form.changed_ms = self.tick()
        self._tell(form, what)

    def pay(self, number: str) -> None:
        form = self.forms[number]
        form.status = "READY_FOR_PROCESSING"
        self.move(form, "READY_FOR_PROCESSING")

    def cancel(self, number: str, key: str, pieces: int) -> None:
        """Let a buyer cancel: the whole order, for Allegro knows no cancel of a part."""
        form = self.forms[number]
        assert len(form.lines) == 1
        assert pieces == self.truth[number][key].living
        self.cancel_whole(number)

    def cancel_whole(self, number: str) -> None:
        form = self.forms[number]
        for each in self.truth[number].values():
            each.cancelled += each.living
        form.status = "CANCELLED"
        self.move(form, "BUYER_CANCELLED")

    def take_out(self, number: str, key: str, pieces: int) -> None:
        """Let a buyer take pieces out of an order that is not paid yet: they were never ordered then."""
        form = self.forms[number]
        assert form.status == "BOUGHT"
        next(each for each in form.lines if each.id == key).quantity -= pieces
        self.truth[number][key].ordered -= pieces
        self.move(form, "BUYER_MODIFIED")

    def send_off(self, number: str) -> None:
        form = self.forms[number]
        for each in self.truth[number].values():
            each.shipped += each.living
        form.fulfilment = "SENT"
        self.move(form, "FULFILLMENT_STATUS_CHANGED")

    def add_parcel(self, form: Form, keys: Sequence[str], **fields: Any) -> dict[str, Any]:
        """Let lines leave in a parcel; neither time nor log tell of it."""
        parcel = {"id": self._new_id(), **fields, "lineItems": [{"id": key} for key in keys]}
        form.shipments.append(parcel)
        for key in keys:
            truth = self.truth[form.id][key]
            truth.shipped += truth.living
        return parcel

    def spoil(self, number: str) -> None:
        self.spoiled.add(number)

    def misbehave(self, chance: random.Random) -> None:
        self.inclusive = chance.random() < 0.5
        self.doubles = chance.random() < 0.5
        self.log_max = chance.choice([3, 10, 1_000_000])

    def act(self, chance: random.Random) -> str:
        some = [number for number, lines in self.truth.items() if any(each.living for each in lines.values())]
        if not some or chance.random() < 0.4:
            listings = chance.sample(sorted(self.shown), chance.randint(1, min(3, len(self.shown))))
            return self.place(*((listing, chance.randint(1, 3)) for listing in listings))
        number = chance.choice(some)
        form, whole = self.forms[number], not any(each.shipped for each in self.truth[number].values())
        what = chance.random()
        if what < 0.3 and whole:
            self.cancel_whole(number)
        elif what < 0.6:
            living = [key for key, each in self.truth[number].items() if each.living]
            self.add_parcel(form, living[: chance.randint(1, len(living))], carrierId="DPD", waybill="1")
        elif what < 0.7 and form.fulfilment == "NEW":
            form.fulfilment = "PROCESSING"
            self.move(form, "FULFILLMENT_STATUS_CHANGED")
        else:
            self.send_off(number)
        return number

    # -- what it sends: nothing

    def deliveries(self, number: str) -> Sequence[Delivery]:  # noqa: ARG002
        return []

    def signed(self, body: bytes) -> Delivery:
        raise NotImplementedError

    def forged(self, delivery: Delivery) -> Sequence[Delivery]:  # noqa: ARG002
        return []

    # -- reading

    async def _stats(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        latest = self.events[-1] if self.events else None
        return answered({"latestEvent": latest and {"id": latest["id"], "occurredAt": latest["occurredAt"]}})

    async def _events(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        limit, after = int(request.query.get("limit", "100")), request.query.get("from")
        if set(request.query) - {"from", "limit"} or not 1 <= limit <= EVENTS_MAX:
            return self.wrong(f"events by {dict(request.query)}")
        at = 0
        if after is not None:
            ids = [each["id"] for each in self.events]
            if after not in ids:
                return faulty(404, "EventNotFound", "no such event")
            at = ids.index(after) + (0 if self.inclusive else 1)
        return answered({"events": self.events[at : at + limit]})

    async def _list(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        query = request.query
        limit, offset = int(query.get("limit", "100")), int(query.get("offset", "0"))
        if set(query) - _LISTED or not 1 <= limit <= PAGE_MAX or offset < 0 or query.get("sort") != "updatedAt":
            return self.wrong(f"orders by {dict(query)}")
        since_ms = round(datetime.fromisoformat(query["updatedAt.gte"]).timestamp() * 1000)
        found = [each for each in self.forms.values() if each.changed_ms >= since_ms]
        found.sort(key=lambda each: (each.changed_ms, each.id))
        some = found[offset : offset + limit]
        return answered({"checkoutForms": [self._row(each) for each in some], "count": len(some)})

    async def _one(self, request: web.Request) -> web.Response:
        form = self.forms.get(request.match_info["id"])
        return self.refused(request) or (answered(self._row(form)) if form is not None else _nobody())

    async def _shipments(self, request: web.Request) -> web.Response:
        form = self.forms.get(request.match_info["id"])
        return self.refused(request) or (answered({"shipments": form.shipments}) if form is not None else _nobody())

    def wrong(self, what: str) -> web.Response:
        """Answer a request that breaks the contract."""
        self.complain(what)
        return faulty(400, "VALIDATION_ERROR", what)

    def _row(self, form: Form) -> dict[str, Any]:
        first, _, last = BUYER.partition(" ")
        place = {"street": STREET, "city": "Poznań", "zipCode": "60-166", "countryCode": "PL"}
        person = {"firstName": first, "lastName": last, "phoneNumber": PHONE}
        sent = {line["id"] for each in form.shipments for line in each["lineItems"]}
        all_sent = "ALL" if len(sent) == len(form.lines) else "SOME"
        return {
            "id": form.id,
            "revision": f"r{form.revision}",
            "status": form.status,
            "messageToSeller": None,
            "buyer": {"id": "1", "email": "masked@allegromail.pl", "login": "user", **person},
            "payment": {"id": self_id(form), "type": "ONLINE", "paidAmount": {"amount": "9.99", "currency": "PLN"}},
            "fulfillment": {
                "status": form.fulfilment,
                "shipmentSummary": {"lineItemsSent": all_sent if sent else "NONE"},
                "provider": {"id": form.provider},
            },
            "delivery": {
                "address": {**person, **place},
                "method": {"id": "1"},
                "pickupPoint": None,
                "time": {"dispatch": {"to": written(form.bought_ms + 86_400_000)}},
            },
            "invoice": {"required": False},
            "lineItems": "none" if form.id in self.spoiled else [_line(each, form) for each in form.lines],
            "summary": {"totalToPay": {"amount": "9.99", "currency": "PLN"}},
            "updatedAt": written(form.changed_ms),
        }

    # -- what the seller says

    async def _mark(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        form, said = self.forms.get(request.match_info["id"]), json.loads(await request.read())
        if form is None:
            return _nobody()
        if set(said) != {"status"} or said["status"] not in WORDS or set(request.query) - {"checkoutForm.revision"}:
            return self.wrong(f"marked with {said}")
        if request.query.get("checkoutForm.revision", f"r{form.revision}") != f"r{form.revision}":
            return faulty(409, "REVISION_CONFLICT", "the revision is old")
        if form.status != "READY_FOR_PROCESSING" or form.provider != "SELLER":
            return faulty(422, "INVALID_STATE", "the order is not to be processed")
        if not self.lying:
            form.fulfilment = said["status"]
            for each in self.truth[form.id].values():
                if form.fulfilment == "CANCELLED":
                    each.cancelled += each.living
            self.move(form, "FULFILLMENT_STATUS_CHANGED")
            self.taken(f"mark {form.id} as {form.fulfilment}")
        return web.Response(status=204)

    async def _ship(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        form, said = self.forms.get(request.match_info["id"]), json.loads(await request.read())
        if form is None:
            return _nobody()
        fault = _fault_of(said)
        if fault:
            return self.wrong(fault)
        keys = [each["id"] for each in said["lineItems"]]
        gone = {line["id"] for each in form.shipments for line in each["lineItems"]}
        is_other = bool(set(keys) - {each.id for each in form.lines} or gone & set(keys))
        if is_other or form.status != "READY_FOR_PROCESSING":
            return faulty(422, "INVALID_STATE", "the order is not to be processed, or such a line not to be sent")
        if not self.lying:
            told = {name: value for name, value in said.items() if name != "lineItems"}
            parcel = self.add_parcel(form, keys, **told)
            self.taken(f"ship {form.id} {' '.join(keys)}")
            return answered(parcel, 201)
        return answered({"id": "0"}, 201)


def _fault_of(said: dict[str, Any]) -> str:
    if set(said) - {"carrierId", "carrierName", "waybill", "lineItems"} or said.get("carrierId") not in CARRIERS:
        return f"a parcel of {sorted(said)}"
    if "carrierName" in said and (said["carrierId"] != "OTHER" or len(said["carrierName"]) > 30):
        return "a name of a carrier, where none belongs"
    lines = said.get("lineItems")
    if not 0 < len(said.get("waybill", "")) <= WAYBILL_MAX or not lines or any(set(each) != {"id"} for each in lines):
        return "no number, or no whole lines"
    return ""


def _line(line: Line, form: Form) -> dict[str, Any]:
    return {
        "id": line.id,
        "offer": {"id": line.offer, "name": "Kubek", "external": {"id": f"sku of {line.offer}"}, "productSet": None},
        "quantity": line.quantity,
        "price": {"amount": "9.99", "currency": "PLN"},
        "tax": {"rate": "23.00"},
        "boughtAt": written(form.bought_ms),
    }


def self_id(form: Form) -> str:
    return str(UUID(int=UUID(form.id).int ^ 1))


def written(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def answered(content: Any, status: int = 200) -> web.Response:
    return web.Response(
        body=json.dumps(content).encode(), status=status, content_type="application/vnd.allegro.public.v1+json"
    )


def faulty(status: int, code: str, words: str) -> web.Response:
    return web.json_response(
        {"errors": [{"code": code, "message": words, "userMessage": words, "path": None, "details": None}]},
        status=status,
    )


def _nobody() -> web.Response:
    return faulty(404, "NotFoundException", "there is no such order")
