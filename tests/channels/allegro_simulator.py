"""A simulated Allegro: commands that are worked off late, no zero, offers that end, and tokens that rotate."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from tests.channels.allegro_order_side import AllegroOrderSide, answered, faulty
from tests.channels.token_side import TokenSide

PUBLIC: Final = "application/vnd.allegro.public.v1+json"
BETA: Final = "application/vnd.allegro.beta.v1+json"
ACCESS: Final = "made-up-access-token"
OFFERS_MAX: Final = 25
PAGE_MAX: Final = 1_000
QUANTITY_MAX: Final = 99_999
UNKNOWN: Final = "This offer does not exist."


class WireNumber(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    change_type: Literal["FIXED"]
    value: Annotated[int, Meta(ge=1)]


class WireMoney(msgspec.Struct, forbid_unknown_fields=True):
    amount: str
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")]


class WirePrice(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    change_type: Literal["FIXED"]
    value: WireMoney


class WireModification(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """One of the two, never both."""

    offer_id: str
    stock: WireNumber | UnsetType = UNSET
    prices: dict[str, WirePrice] | UnsetType = UNSET


class WireBulk(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    command_id: str
    modifications: Annotated[list[WireModification], Meta(min_length=1, max_length=OFFERS_MAX)]


class WireId(msgspec.Struct, forbid_unknown_fields=True):
    id: str


class WireCriterion(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["CONTAINS_OFFERS"]
    offers: Annotated[list[WireId], Meta(min_length=1, max_length=1_000)]


class WireAction(msgspec.Struct, forbid_unknown_fields=True):
    action: Literal["ACTIVATE", "END"]


class WirePublication(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    publication: WireAction
    offer_criteria: Annotated[list[WireCriterion], Meta(min_length=1, max_length=1)]


@dataclass
class Command:
    """A command, and what became of its offers; None: it waits."""

    content: WireBulk | WirePublication
    is_lie: bool
    polls: int = 0
    faults: dict[str, str] | None = None


@dataclass
class AllegroSimulator(AllegroOrderSide, TokenSide):
    """One seller's account.

    A command takes effect when it is asked about for the ``polls_until_done``-th time, or at once where that is 0.
    ``refusals`` are offers whose changes fail, and why; ``price_refusals`` those of their prices alone. ``sleeps``:
    offers that cannot be activated, and why. ``waiting`` are numbers of offers that have ended.
    """

    polls_until_done: int = 0
    refusals: dict[str, str] = field(default_factory=dict)
    price_refusals: dict[str, str] = field(default_factory=dict)
    sleeps: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    commands: dict[str, Command] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.access, self.given = self.access or ACCESS, self.given or [ACCESS, "made-up-refresh-token"]

    def routes(self) -> list[web.RouteDef]:
        bulk, publication = "/sale/offer-bulk-modification-commands", "/sale/offer-publication-commands"
        return [
            web.post(bulk, self._modify),
            web.get(f"{bulk}/{{id}}", self._bulk_summary),
            web.get(f"{bulk}/{{id}}/tasks", self._bulk_tasks),
            web.put(f"{publication}/{{id}}", self._publish),
            web.get(f"{publication}/{{id}}", self._summary),
            web.get(f"{publication}/{{id}}/tasks", self._tasks),
            web.get("/sale/offers", self._offers),
            *self.token_routes("/auth/oauth/token"),
            *self.order_routes(),
        ]

    def _next_fault(self, path: str) -> Any:
        """Say of what is told about an order that it is: reading and telling share their paths."""
        said = path.startswith("/order/") and self.received[-1].method != "GET"
        return super()._next_fault(f"{path}/said" if said else path)

    def refused(self, request: web.Request, *, of: str = "public") -> web.Response | None:
        if not self.let_in(request):
            return web.json_response({"error": "invalid_token", "error_description": "expired"}, status=401)
        wanted = {"public": PUBLIC, "beta": BETA}[of]
        has_body = request.method in {"POST", "PUT"}
        if request.headers.get("Accept") != wanted or (has_body and request.headers.get("Content-Type") != wanted):
            self.complain(f"{request.path}: {request.headers.get('Accept')} {request.headers.get('Content-Type')}")
            return faulty(406, "NotAcceptableException", "another media type")
        return None

    # -- commands

    async def _modify(self, request: web.Request) -> web.Response:
        refused = self.refused(request, of="beta")
        if refused is not None:
            return refused
        try:
            content = msgspec.json.decode(await request.read(), type=WireBulk)
        except msgspec.MsgspecError as error:
            return self.wrong(str(error))
        fault = _fault_of(content)
        return self.wrong(fault) if fault else self._take(content.command_id, content)

    async def _publish(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        try:
            content = msgspec.json.decode(await request.read(), type=WirePublication)
        except msgspec.MsgspecError as error:
            return self.wrong(str(error))
        return self._take(request.match_info["id"], content)

    def _take(self, command_id: str, content: WireBulk | WirePublication) -> web.Response:
        if str(UUID(command_id)) != command_id:
            return self.wrong(f"{command_id} is no UUID")
        known = self.commands.get(command_id)
        if known is not None:
            if known.content != content:
                self.complain("one id for two commands")
            return faulty(409, "COMMAND_ALREADY_EXISTS", "the id was used")
        command = self.commands[command_id] = Command(content, self.lying)
        if not self.polls_until_done:
            self._process(command)
        return answered({"id": command_id, "createdAt": "2026-11-30T00:00:00Z"}, 201)

    def _process(self, command: Command) -> None:
        content = command.content
        if isinstance(content, WirePublication):
            keys = [each.id for each in content.offer_criteria[0].offers]
            act = self._activate if content.publication.action == "ACTIVATE" else self._end
            command.faults = {key: "" if command.is_lie else self._known(key) or act(key) for key in keys}
            return
        command.faults = {}
        for each in content.modifications:
            fault = self._known(each.offer_id) or self.refusals.get(each.offer_id, "")
            if not fault and not command.is_lie:
                fault = self._change(each)
            command.faults[each.offer_id] = fault

    def _known(self, key: str) -> str:
        return "" if key in self.shown else UNKNOWN

    def _change(self, change: WireModification) -> str:
        key = change.offer_id
        if not isinstance(change.prices, UnsetType):
            fault = self.price_refusals.get(key, "")
            if not fault:
                self.prices[key] = change.prices["allegro-pl"].value.amount
            return fault
        if isinstance(change.stock, UnsetType) or change.stock.value > QUANTITY_MAX:
            return "Too many pieces"
        if self.shown[key]:
            self.show(key, change.stock.value)
        else:
            self.waiting[key] = change.stock.value
        return ""

    def _activate(self, key: str) -> str:
        if key in self.sleeps:
            return self.sleeps[key]
        if self.shown[key]:
            return "The offer is active"
        if not self.waiting.get(key):
            return "The offer has no pieces"
        self.show(key, self.waiting.pop(key))
        return ""

    def _end(self, key: str) -> str:
        fault = self.refusals.get(key, "")
        if fault:
            return fault
        if not self.shown[key]:
            self.waiting.pop(key, None)
            return "The offer has ended"
        self.show(key, 0)
        return ""

    # -- asking

    async def _bulk_summary(self, request: web.Request) -> web.Response:
        return self._summed(request, "beta")

    async def _summary(self, request: web.Request) -> web.Response:
        return self._summed(request, "public")

    async def _bulk_tasks(self, request: web.Request) -> web.Response:
        return self._listed(request, "beta")

    async def _tasks(self, request: web.Request) -> web.Response:
        return self._listed(request, "public")

    def _summed(self, request: web.Request, of: str) -> web.Response:
        command = self.commands.get(request.match_info["id"])
        refused = self.refused(request, of=of)
        if refused is not None or command is None:
            return refused or faulty(404, "NotFoundException", "there is no such command")
        command.polls += 1
        if command.faults is None and command.polls >= self.polls_until_done:
            self._process(command)
        faults = command.faults
        failed = sum(map(bool, (faults or {}).values()))
        total = len(faults) if faults is not None else 1
        count = {"total": total, "success": total - failed if faults is not None else 0, "failed": failed}
        return answered({"id": request.match_info["id"], "taskCount": count})

    def _listed(self, request: web.Request, of: str) -> web.Response:
        command = self.commands.get(request.match_info["id"])
        refused = self.refused(request, of=of)
        if refused is not None or command is None:
            return refused or faulty(404, "NotFoundException", "there is no such command")
        if set(request.query) - {"limit", "offset"} or not 1 <= int(request.query.get("limit", "100")) <= PAGE_MAX:
            return self.wrong(f"tasks by {dict(request.query)}")
        tasks = [_task(key, fault) for key, fault in (command.faults or {}).items()]
        return answered({"tasks": tasks[::-1]})

    # -- reading

    async def _offers(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        query = request.query
        limit, offset = int(query.get("limit", "20")), int(query.get("offset", "0"))
        if set(query) - {"offer.id", "limit", "offset"} or not 1 <= limit <= PAGE_MAX or offset < 0:
            return self.wrong(f"offers by {dict(query)}")
        asked = query.getall("offer.id", None)
        keys = [each for each in self.shown if asked is None or each in asked]
        rows = [self._offer(each) for each in keys[offset : offset + limit]]
        return answered({"offers": rows, "count": len(rows), "totalCount": len(keys)})

    def _offer(self, key: str) -> dict[str, Any]:
        shown = self.shown[key]
        stock = {"available": shown or self.waiting.get(key, 0), "sold": 0}
        return {"id": key, "stock": stock, "publication": {"status": "ACTIVE" if shown else "ENDED"}}


def _fault_of(content: WireBulk) -> str:
    named = [(each.offer_id, each.stock is UNSET) for each in content.modifications]
    if len(set(named)) < len(named):
        return "an offer twice"
    for each in content.modifications:
        if (each.stock is UNSET) == (each.prices is UNSET):
            return "Enter exactly one element: 'stock' or 'prices'."
        for price in (each.prices or {}).values() if not isinstance(each.prices, UnsetType) else ():
            amount = Decimal(price.value.amount)
            if amount <= 0 or amount != amount.quantize(Decimal("0.01")):
                return f"a price of {amount}"
    return ""


def _task(key: str, fault: str) -> dict[str, Any]:
    errors = [{"code": "FAILED", "message": "failed", "userMessage": fault}] if fault else []
    return {"offer": {"id": key}, "field": "stock", "status": "FAIL" if fault else "SUCCESS", "errors": errors}
