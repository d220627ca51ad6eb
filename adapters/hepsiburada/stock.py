"""Publishes stock and prices to Hepsiburada by SKU in uploads, and reads the merchant's listings back.

Contract: the published description of listings, and notes of third parties. Nothing of it was run against a real
account. An upload is accepted at once and worked off later; its verdict lists what failed, and nothing else.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from adapters.contract.adapter import Capabilities
from adapters.contract.errors import (
    ChannelError,
    SpoiledError,
    ThrottledError,
    TicketLostError,
    UnavailableError,
    UnknownResultError,
)
from adapters.contract.http import READ, WRITE, Answer, Exchange, Request, check_status, excerpt, json_as, json_of
from adapters.contract.key_lookup import KeyLookup, folded
from adapters.contract.stock import (
    Applied,
    Item,
    Outcome,
    Outcomes,
    PriceRejected,
    Rejected,
    Retry,
    StillPending,
    Ticket,
)
from adapters.contract.warehouse import HeldUnits, Warehouse, WarehousePage
from adapters.hepsiburada.account import Options, headers, limits, listings_at
from adapters.hepsiburada.orders import HepsiburadaOrders
from adapters.hepsiburada.wire import Faults, Listing, Page, Upload, faults_of, price_row, stock_row

UPLOADS_MAX: Final = 5
"""Uploads that may wait at once; documented by the channel. A push takes one, or two where it has prices."""
READ_ITEMS_MAX: Final = 10_000
"""Compared at once: each further call would read all pages again."""
LISTINGS_PAGE: Final = 100
LISTINGS_PAGES_MAX: Final = 10_000
POLL_EVERY_S: Final = 5.0
TICKET_LIFE_S: Final = 3600.0
"""How long the verdict of an upload is kept is not published. Unverified."""
BUSY_S: Final = 10.0
"""Hepsiburada's own advice: a larger upload every ten seconds."""
_STOCK, _PRICE = "stock-uploads", "price-uploads"
_OK: Final = 200
_CREATED: Final = 201
_ACCEPTED: Final = 202
_TAKEN: Final = (_OK, _CREATED, _ACCEPTED)
_TOO_LARGE: Final = 413
_ABOUT_ITEMS: Final = (400, 422, _TOO_LARGE)
_NO_SUCH_UPLOAD: Final = (400, 404)
DEPOT: Final = Rejected("fulfilled_by_hepsiburada", "Hepsiburada ships this listing from its own depot; unlist it here")


class Hepsiburada(HepsiburadaOrders):
    """One merchant's account; keeps which of its listings Hepsiburada ships itself."""

    def __init__(self, options: Options, credentials: Mapping[str, str]) -> None:
        super().__init__(options, credentials)
        self._listings_url = listings_at(options)
        self._typed = {**headers(options, credentials["service_key"]), "Content-Type": "application/json"}
        self._in_depot: frozenset[str] | None = None if options.skip_depot else frozenset()
        self._capabilities = Capabilities(
            items_max=options.items_max,
            jobs_pending_max=UPLOADS_MAX // 2,
            poll_every_s=POLL_EVERY_S,
            ticket_life_s=TICKET_LIFE_S,
            read_items_max=READ_ITEMS_MAX if options.read_back else 0,
            takes_price=True,
            own_sale="lowers",
            limits=limits(options),
            intake=self.intake(),
            warehouse=Warehouse(),
        )

    @property
    def capabilities(self) -> Capabilities:
        """What the options allow."""
        return self._capabilities

    # -- pushing

    def push(self, items: Sequence[Item], now_s: float) -> Exchange[Outcomes | Ticket]:  # noqa: ARG002  # unsigned
        """Upload quantities, and then prices; the ticket names both uploads."""
        if self._in_depot is None:
            yield from self._listings(())
        refused: Outcomes = {item.key: DEPOT for item in items if folded(item.key) in (self._in_depot or ())}
        if refused:
            beside = Retry("not_sent", "another item is of Hepsiburada's own depot", after_s=0.0)
            return dict.fromkeys((item.key for item in items), beside) | refused
        key_is = self._options.key_is
        ticket = yield from self._upload(_STOCK, [stock_row(item, key_is) for item in items])
        prices = [row for row in (price_row(item, key_is) for item in items) if row is not None]
        if not prices:
            return Ticket(ticket)
        try:
            return Ticket(f"{ticket} {yield from self._upload(_PRICE, prices)}")
        except ChannelError as error:
            # Quantities are on their way, and their result is not asked for: everything is sent again.
            raise UnknownResultError(f"without its prices: {error.reason}", error.after_s) from None

    def _upload(self, what: str, rows: Sequence[dict[str, Any]]) -> Exchange[str]:
        body = msgspec.json.encode(rows)
        answer = yield Request("POST", f"{self._listings_url}/{what}", self._typed, body, group=WRITE)
        check_status(answer)
        words = excerpt(answer.body)
        if answer.status not in _TAKEN and any(word in words.casefold() for word in self._options.busy_words):
            raise ThrottledError(f"HTTP {answer.status}: {words}", _named_s(answer))
        if answer.status in _ABOUT_ITEMS:
            raise SpoiledError(f"http_{answer.status}", words)
        if answer.status not in _TAKEN:
            raise UnavailableError(f"HTTP {answer.status}: {words}")
        content = json_of(answer)
        found = (content.get("id") or content.get("Id")) if isinstance(content, dict) else None
        if not isinstance(found, str) or not found.strip() or " " in found.strip():
            raise UnknownResultError(f"accepted without the id of an upload: {words}")
        return found.strip()

    # -- the verdict

    def poll(self, ticket_id: str, keys: Sequence[str]) -> Exchange[Outcomes | StillPending]:
        """Ask for the verdicts; what they do not name was applied. A price may fail where its quantity did not."""
        stock_id, _, price_id = ticket_id.partition(" ")
        stock = yield from self._verdict(_STOCK, stock_id)
        if not stock.has_ended:
            return StillPending()
        prices = (yield from self._verdict(_PRICE, price_id)) if price_id else Upload(status="done")
        if not prices.has_ended:
            return StillPending()
        found = _checked(stock, keys), _checked(prices, keys)
        return _outcomes(keys, *found, failed=(stock.is_failed, prices.is_failed))

    def _verdict(self, what: str, upload_id: str) -> Exchange[Upload]:
        url = f"{self._listings_url}/{what}/id/{quote(upload_id, safe='')}"
        answer = yield Request("GET", url, self._typed, group=READ)
        if answer.status in _NO_SUCH_UPLOAD:
            raise TicketLostError(f"HTTP {answer.status}: {excerpt(answer.body)}")
        check_status(answer)
        if answer.status != _OK:
            raise UnavailableError(f"HTTP {answer.status}: {excerpt(answer.body)}")
        return json_as(Upload, answer)

    # -- reading

    def read(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:
        """Read what is shown, page by page; what Hepsiburada ships itself is left out."""
        if not self._options.read_back:
            raise TypeError("reading back is switched off")
        return self._listings(keys)

    def _listings(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:
        """Read all listings: what is shown of some, and which ones Hepsiburada ships itself."""
        known, shown, in_depot = KeyLookup(keys), list[tuple[str, int]](), set[str]()
        for number in range(LISTINGS_PAGES_MAX):
            rows = yield from self._page(number * LISTINGS_PAGE)
            for row in rows:
                key = self._key_of(row)
                if row.is_fulfilled_by_hb:
                    in_depot.add(folded(key))
                elif row.available_stock is not None:
                    shown.append((key, row.available_stock))
            if len(rows) < LISTINGS_PAGE:
                break
        if self._options.skip_depot:
            self._in_depot = frozenset(in_depot)
        return {key: there[0] for key, there in known.found(shown).items() if len(set(there)) == 1}

    def pull_warehouse(self, cursor: str) -> Exchange[WarehousePage]:
        """Read a page of all listings; those that Hepsiburada ships itself say what it holds."""
        offset = int(cursor or 0)
        rows = yield from self._page(offset)
        held = [row for row in rows if row.is_fulfilled_by_hb and self._key_of(row)]
        units = tuple(
            HeldUnits(self._key_of(row), row.available_stock, row.merchant_sku or "")
            for row in held
            if row.available_stock is not None and row.available_stock >= 0
        )
        return WarehousePage(
            units, str(offset + LISTINGS_PAGE), len(rows) >= LISTINGS_PAGE, unreadable=len(held) - len(units)
        )

    def _page(self, offset: int) -> Exchange[list[Listing]]:
        query = urlencode({"offset": offset, "limit": LISTINGS_PAGE})
        try:
            answer = yield Request("GET", f"{self._listings_url}?{query}", self._typed, group=READ)
        except UnknownResultError as error:
            # A read changes nothing, so the result is known: no value was sent.
            raise UnavailableError(f"no answer to a read: {error.reason}", error.after_s) from None
        check_status(answer)
        if answer.status != _OK:
            raise UnavailableError(f"HTTP {answer.status}: {excerpt(answer.body)}")
        return json_as(Page, answer).listings

    def _key_of(self, row: Listing) -> str:
        return (row.merchant_sku if self._options.key_is == "merchant_sku" else row.hepsiburada_sku) or ""


def _named_s(answer: Answer) -> float:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else BUSY_S


def _checked(upload: Upload, keys: Sequence[str]) -> Faults:
    """Return what an upload says of its rows. Raises SpoiledError where it failed and names none."""
    faults = faults_of(upload, keys)
    if upload.is_failed and not faults.by_key:
        raise SpoiledError("failed", "the upload failed, and no row of it is named")
    return faults


def _outcomes(keys: Sequence[str], stock: Faults, prices: Faults, *, failed: tuple[bool, bool]) -> Outcomes:
    """Return the outcome of each key. Where a verdict is about a row that nobody knows, it may be any other one.

    ``failed``: whether the upload of the quantities failed, and that of the prices. Such a one has applied nothing.
    """
    outcomes: Outcomes = {}
    for key in keys:
        outcome: Outcome | None = Applied() if stock.are_all_known and prices.are_all_known else None
        if any(failed):
            outcome = Retry("failed", "another row of the upload failed, and with it all of them", after_s=0.0)
        if key in stock.by_key:
            outcome = Rejected("failed", stock.by_key[key])
        elif key in prices.by_key and not failed[0]:
            outcome = PriceRejected("failed", prices.by_key[key])
        if outcome is not None:
            outcomes[key] = outcome
    return outcomes
