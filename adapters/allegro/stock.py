"""Publishes stock and prices of offers to Allegro by commands, and reads the offers back.

Contract: the published specification of July 2026, and notes of third parties. Nothing of it was run against a real
account. A command is accepted at once and worked off later, offer by offer. No command takes zero: an offer without
units is ended. When there are units again, its number is set first, and then it is activated.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

import msgspec

from adapters.allegro.account import BETA, PUBLIC, Fault, Options, fault_of, limits
from adapters.allegro.orders import AllegroOrders
from adapters.contract.adapter import Capabilities
from adapters.contract.errors import (
    ChannelError,
    SpoiledError,
    TicketLostError,
    UnavailableError,
    UnknownResultError,
)
from adapters.contract.http import Exchange, Request, check_status, excerpt, json_as, json_of
from adapters.contract.stock import (
    Applied,
    Item,
    Outcomes,
    PriceRejected,
    Rejected,
    Retry,
    StillPending,
    Ticket,
)

ITEMS_MAX: Final = 25
"""Offers of one command that gives each its own number; documented by the channel."""
READ_ITEMS_MAX: Final = 10_000
"""Compared at once: each further call would read all pages again."""
PAGE: Final = 1_000
"""Offers of one page; documented by the channel."""
PAGES_MAX: Final = 1_000
POLL_EVERY_S: Final = 2.0
TICKET_LIFE_S: Final = 3_600.0
"""How long the result of a command is kept is not published. Unverified."""
BULK: Final = "/sale/offer-bulk-modification-commands"
PUBLICATION: Final = "/sale/offer-publication-commands"
OFFERS: Final = "/sale/offers"
SELLING: Final = frozenset({"ACTIVE", "ACTIVATING"})
ENDED: Final = "ENDED"
NOT_AN_OFFER: Final = Rejected("not_an_offer", "the key is not the number of an offer")
ASLEEP: Final = "the offer has ended, and activates is off"
_IDS: Final = UUID("6ad4c0c8-3f0a-4c0c-9d0f-6e5f4f3a2b11")
"""The namespace of the ids of our commands."""
_NONE: Final = "-"
_CENT: Final = Decimal("0.01")
_OK: Final = 200
_CONFLICT: Final = 409
_NOT_FOUND: Final = 404
_TAKEN: Final = (_OK, 201, 202, _CONFLICT)
"""409: the id was used, so an earlier try has arrived."""


class TaskCount(msgspec.Struct):
    """How far a command is."""

    total: int = 0
    success: int = 0
    failed: int = 0


class Summary(msgspec.Struct, rename="camel"):
    """The answer about a command."""

    task_count: TaskCount


class OfferId(msgspec.Struct):
    """An offer, by its number."""

    id: str


class Task(msgspec.Struct):
    """What became of one offer of a command."""

    offer: OfferId
    status: str
    message: str | None = None
    errors: list[Fault] | None = None

    @property
    def fault(self) -> str:
        """Why it failed; empty where it did not."""
        if self.status.upper() == "SUCCESS":
            return ""
        words = "; ".join(filter(None, (each.words for each in self.errors or ())))
        return words or self.message or "no reason was given"


class Tasks(msgspec.Struct):
    """A page of them."""

    tasks: list[Task]


class OfferStock(msgspec.Struct):
    """The number that an offer shows, or would show."""

    available: int | None = None


class Publication(msgspec.Struct):
    """Whether an offer can be bought."""

    status: str | None = None


class OfferRow(msgspec.Struct):
    """An offer as it is listed."""

    id: str
    stock: OfferStock | None = None
    publication: Publication | None = None

    @property
    def status(self) -> str:
        """Its status, in Allegro's word."""
        return (self.publication.status or "") if self.publication is not None else ""

    @property
    def shown(self) -> int | None:
        """How many pieces a buyer sees; None: it is not told."""
        if self.status not in SELLING:
            return 0 if self.status else None
        return self.stock.available if self.stock is not None else None


class Offers(msgspec.Struct):
    """A page of them."""

    offers: list[OfferRow]


class Commands(NamedTuple):
    """The ids of the commands of one push; empty where there is none: offers that end, numbers, prices."""

    end: str
    numbers: str
    prices: str

    @property
    def ticket(self) -> Ticket:
        """Write them as the id of a ticket."""
        return Ticket(" ".join(each or _NONE for each in self))


class Allegro(AllegroOrders):
    """One seller's account; a listing's key is the number of its offer."""

    def __init__(self, options: Options, credentials: Mapping[str, str]) -> None:
        super().__init__(options, credentials)
        self._capabilities = Capabilities(
            items_max=ITEMS_MAX,
            poll_every_s=POLL_EVERY_S,
            ticket_life_s=TICKET_LIFE_S,
            read_items_max=READ_ITEMS_MAX if options.read_back else 0,
            quantity_max=options.quantity_max,
            takes_price=True,
            own_sale="lowers",
            limits=limits(options),
            intake=self.intake(),
        )

    @property
    def capabilities(self) -> Capabilities:
        """What Allegro documents, at the rate that the options allow."""
        return self._capabilities

    # -- pushing

    def push(self, items: Sequence[Item], now_s: float) -> Exchange[Outcomes | Ticket]:  # noqa: ARG002  # unsigned
        """End the offers without units, then set numbers and prices; each of the three is one command."""
        refused: Outcomes = {item.key: NOT_AN_OFFER for item in items if not _is_offer(item.key)}
        if refused:
            beside = Retry("not_sent", "another item's key is no offer", after_s=0.0)
            return dict.fromkeys((item.key for item in items), beside) | refused
        ending = [item for item in items if not item.quantity]
        numbers = [item for item in items if item.quantity]
        prices = [row for row in map(self._price_row, items) if row is not None]
        commands = Commands(
            _id("end", ending) if ending else "",
            _id("numbers", numbers) if numbers else "",
            _id("prices", items) if prices else "",
        )
        requests = []
        if ending:
            requests.append(self._publish(commands.end, "END", [item.key for item in ending]))
        if numbers:
            requests.append(self._modify(commands.numbers, [_number_row(item) for item in numbers]))
        if prices:
            requests.append(self._modify(commands.prices, prices))
        for number, request in enumerate(requests):
            try:
                yield from _accepted(request)
            except SpoiledError:
                raise
            except ChannelError as error:
                if number:  # what was sent before is on its way, and is not asked about: everything is sent again
                    raise UnknownResultError(f"only a part was sent: {error.reason}", error.after_s) from None
                raise
        return commands.ticket

    def _publish(self, command: str, action: str, keys: Sequence[str]) -> Request:
        offers = [{"type": "CONTAINS_OFFERS", "offers": [{"id": key} for key in keys]}]
        body = {"publication": {"action": action}, "offerCriteria": offers}
        return self._session.send("PUT", f"{PUBLICATION}/{command}", body)

    def _modify(self, command: str, rows: Sequence[dict[str, Any]]) -> Request:
        return self._session.send("POST", BULK, {"commandId": command, "modifications": rows}, of=BETA)

    def _price_row(self, item: Item) -> dict[str, Any] | None:
        price = _price(item.price)
        if price is None:
            return None
        value = {"amount": f"{price:f}", "currency": item.currency or self._options.currency}
        return {"offerId": item.key, "prices": {self._options.marketplace: {"changeType": "FIXED", "value": value}}}

    # -- the results

    def poll(self, ticket_id: str, keys: Sequence[str]) -> Exchange[Outcomes | StillPending]:
        """Ask what became of each offer; those that have ended and have units again are activated here."""
        commands = _commands(ticket_id)
        ended = yield from self._faults(PUBLICATION, commands.end)
        numbers = yield from self._faults(BULK, commands.numbers)
        prices = yield from self._faults(BULK, commands.prices)
        if ended is None or numbers is None or prices is None:
            return StillPending()
        not_ended = [key for key, fault in ended.items() if fault]
        set_now = [key for key, fault in numbers.items() if not fault]
        offers = yield from self._offers_of([*not_ended, *set_now])
        asleep = [key for key in numbers if key in offers and offers[key].status == ENDED]
        awake: dict[str, str] | None = dict.fromkeys(asleep, ASLEEP)
        if asleep and self._options.activates:
            awake = yield from self._activated(commands.numbers, asleep)
        if awake is None:
            return StillPending()
        outcomes: Outcomes = {}
        for key, fault in ended.items():
            is_gone = key in offers and offers[key].status not in SELLING
            outcomes[key] = Rejected("not_ended", fault) if fault and not is_gone else Applied()
        for key, fault in numbers.items():
            words = fault or awake.get(key, "")
            outcomes[key] = Rejected("failed", words) if words else Applied()
        for key, fault in prices.items():
            if fault and isinstance(outcomes.get(key), Applied):
                outcomes[key] = PriceRejected("failed", fault)
        return {key: outcomes[key] for key in keys if key in outcomes}

    def _activated(self, numbers_id: str, keys: Sequence[str]) -> Exchange[dict[str, str] | None]:
        """Activate offers, once for each push; return why some were not; None: it is not done yet."""
        command = str(uuid5(_IDS, f"activate {numbers_id} {' '.join(keys)}"))
        yield from _accepted(self._publish(command, "ACTIVATE", keys))
        return (yield from self._faults(PUBLICATION, command))

    def _faults(self, path: str, command: str) -> Exchange[dict[str, str] | None]:
        """Return why offers of a command failed, empty for those that did not; None: it has not finished."""
        if not command:
            return {}
        of = BETA if path == BULK else PUBLIC
        answer = yield self._session.get(f"{path}/{command}", of=of)
        if answer.status == _NOT_FOUND:
            raise TicketLostError(f"HTTP {answer.status}: {excerpt(answer.body)}")
        check_status(answer)
        if answer.status != _OK:
            raise UnavailableError(f"HTTP {answer.status}: {excerpt(answer.body)}")
        count = json_as(Summary, answer).task_count
        if not count.total or count.success + count.failed < count.total:
            return None
        answer = yield self._session.get(f"{path}/{command}/tasks", {"limit": PAGE}, of=of)
        check_status(answer)
        if answer.status != _OK:
            raise UnavailableError(f"HTTP {answer.status}: {excerpt(answer.body)}")
        return {task.offer.id: task.fault for task in json_as(Tasks, answer).tasks}

    # -- reading

    def read(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:
        """Read what is shown, page by page until all is found; an offer that has ended shows nothing."""
        if not self._options.read_back:
            raise TypeError("reading back is switched off")
        return self._read(keys)

    def _read(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:
        missing, shown = set(keys), dict[str, int]()
        for number in range(PAGES_MAX):
            rows = yield from self._page({"limit": PAGE, "offset": number * PAGE})
            for row in rows:
                if row.id in missing and row.shown is not None:
                    missing.discard(row.id)
                    shown[row.id] = row.shown
            if len(rows) < PAGE or not missing:
                break
        return shown

    def _offers_of(self, keys: Sequence[str]) -> Exchange[dict[str, OfferRow]]:
        if not keys:
            return {}
        rows = yield from self._page({"offer.id": list(keys), "limit": PAGE})
        return {row.id: row for row in rows}

    def _page(self, query: Mapping[str, Any]) -> Exchange[list[OfferRow]]:
        answer = yield self._session.get(OFFERS, query)
        check_status(answer)
        if answer.status != _OK:
            raise UnavailableError(f"HTTP {answer.status}: {excerpt(answer.body)}")
        return json_as(Offers, answer).offers


def _accepted(request: Request) -> Exchange[None]:
    """Send a command. Raises SpoiledError where it is refused as a whole."""
    answer = yield request
    check_status(answer)
    if answer.status in _TAKEN:
        json_of(answer)  # a page in HTML comes from a proxy
        return
    raise SpoiledError(*fault_of(answer))


def _commands(ticket_id: str) -> Commands:
    parts = ticket_id.split(" ")
    if len(parts) != len(Commands._fields):
        raise TicketLostError("this is no ticket of this kind")
    return Commands(*("" if part == _NONE else part for part in parts))


def _id(what: str, items: Sequence[Item]) -> str:
    """Return the id of a command: the same while the result of a try is unknown, another after a definite answer."""
    content = [
        (item.key, item.quantity, item.price, item.previous, item.version, item.changed_ms, item.attempt)
        for item in items
    ]
    return str(uuid5(_IDS, msgspec.json.encode([what, content]).decode()))


def _number_row(item: Item) -> dict[str, Any]:
    return {"offerId": item.key, "stock": {"changeType": "FIXED", "value": item.quantity}}


def _is_offer(key: str) -> bool:
    return key.isascii() and key.isdecimal() and str(int(key)) == key


def _price(text: str | None) -> Decimal | None:
    """Read a price that Allegro can take: more than nothing, in whole cents."""
    try:
        price = Decimal(text or "")
        return price.quantize(_CENT) if price > 0 and price == price.quantize(_CENT) else None
    except InvalidOperation:
        return None
