"""Publishes stock and prices to Trendyol by barcode, accepted under a ticket, and reads the approved products back."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote, urlencode

import msgspec

from adapters.contract.adapter import Capabilities
from adapters.contract.errors import TicketLostError, UnavailableError, UnknownResultError
from adapters.contract.http import (
    READ,
    REASON_CHARACTERS_MAX,
    WRITE,
    Answer,
    Exchange,
    Request,
    check_status,
    excerpt,
    json_as,
    json_of,
)
from adapters.contract.key_lookup import KeyLookup
from adapters.contract.stock import Applied, Item, Outcome, Outcomes, Rejected, Retry, StillPending, Ticket, Unknown
from adapters.trendyol.account import Options, host_of, limits
from adapters.trendyol.orders import TrendyolOrders
from adapters.trendyol.wire import OK, Batch, Line, Page, check_ok, field, line, raise_refused, refusal

ITEMS_MAX: Final = 1_000
"""In one push; documented by the channel."""
QUANTITY_MAX: Final = 20_000
"""Of one barcode; documented by the channel."""
READ_BARCODES_MAX: Final = 50
"""In one query, which keeps its URL below what web servers accept."""
READ_PAGE: Final = 100
"""The longest page of products; one query never fills it."""
IDENTICAL_BODY_WINDOW_S: Final = 15 * 60.0
"""A body identical to one of the last quarter of an hour is refused. Documented by the channel."""
TICKET_LIFE_S: Final = 4 * 3600.0
"""How long the channel keeps the results of a ticket. Documented by the channel."""
POLL_EVERY_S: Final = 3.0
"""Other clients poll every 3 to 5 s; polls count against the account's reads."""

_COMPLETED: Final = "completed"
_SUCCEEDED: Final = "success"
_FAILED: Final = ("failed", "failure")
"""The second is from a third party; any other status means that the item is not finished."""
_NO_SUCH_TICKET: Final = (400, 404, 410)
"""404 is documented; nothing but the ticket can be wrong in a poll. Unverified."""
_BAD_REQUEST: Final = 400
_SERVER_ERROR: Final = 500


class Trendyol(TrendyolOrders):
    """One seller's account; a listing's key is its barcode."""

    def __init__(self, options: Options, credentials: Mapping[str, str]) -> None:
        super().__init__(options, credentials)
        host, seller = host_of(options), options.seller_id
        self._push_url = f"{host}/integration/inventory/sellers/{seller}/products/price-and-inventory"
        self._tickets_url = f"{host}/integration/product/sellers/{seller}/products/batch-requests"
        self._read_url = f"{host}/integration/product/sellers/{seller}/products/approved/inventory-and-price"
        self._capabilities = Capabilities(
            items_max=ITEMS_MAX,
            requests_in_flight_max=4,
            poll_every_s=POLL_EVERY_S,
            ticket_life_s=TICKET_LIFE_S,
            identical_body_window_s=IDENTICAL_BODY_WINDOW_S,
            read_items_max=READ_BARCODES_MAX if options.read_back else 0,
            quantity_max=QUANTITY_MAX,
            takes_price=True,
            own_sale="lowers",
            limits=limits(options),
            intake=self.intake(),
        )

    @property
    def capabilities(self) -> Capabilities:
        """What the account's tier allows."""
        return self._capabilities

    def push(self, items: Sequence[Item], now_s: float) -> Exchange[Outcomes | Ticket]:  # noqa: ARG002  # unsigned
        """Send stock, and prices that Trendyol accepts; the ticket returns later the result of each.

        A price goes only with its list price, and only where that is not below it. Where a listing has another pair,
        its stock goes alone: a price that stays as it was costs less than units sold twice.
        """
        body = msgspec.json.encode({"items": [line(item) for item in items]})
        typed = {**self._headers, "Content-Type": "application/json"}
        answer = yield Request("POST", self._push_url, typed, body, group=WRITE)
        if self._is_refused_copy(answer):
            # It was sent these very values lately, and does not answer what their result was.
            return dict.fromkeys([item.key for item in items], Unknown(refusal(answer)[1]))
        check_status(answer)
        if answer.status != OK:
            raise_refused(answer)
        ticket = field(json_of(answer), "batchRequestId")
        if not ticket:
            raise UnknownResultError(f"accepted without a batchRequestId: {excerpt(answer.body)}")
        return Ticket(ticket)

    def poll(self, ticket_id: str, keys: Sequence[str]) -> Exchange[Outcomes | StillPending]:
        """Poll a ticket: it is done when it says so, or where it has no status, when every item is.

        Items that a finished one does not name are left out: their result is unknown.
        """
        answer = yield Request("GET", f"{self._tickets_url}/{quote(ticket_id, safe='')}", self._headers, group=READ)
        if answer.status in _NO_SUCH_TICKET:
            raise TicketLostError(f"HTTP {answer.status}: {excerpt(answer.body)}")
        check_ok(answer)
        batch = json_as(Batch, answer)
        lines = batch.items or []
        known = KeyLookup(keys)
        ended = [(known.find(each.request_item.get("barcode")), self._outcome(each)) for each in lines]
        settled = {key: outcome for key, outcome in ended if key is not None and outcome is not None}
        have_ended = bool(lines) and all(outcome is not None for _, outcome in ended)
        is_whole = len(lines) >= (batch.item_count or len(keys))
        if (batch.status or "").casefold() == _COMPLETED or (have_ended and is_whole):
            return settled
        if batch.status or not have_ended:
            return StillPending(settled)
        return StillPending(settled, frozenset(keys) - {key for key, _ in ended if key is not None})

    def read(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:
        """Read what is shown of approved products."""
        if not self._options.read_back:
            raise TypeError("reading back is switched off")
        return self._read(keys)

    def _read(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:
        query = urlencode({"barcodes": keys, "page": 0, "size": READ_PAGE}, doseq=True)
        answer = yield Request("GET", f"{self._read_url}?{query}", self._headers, group=READ)
        check_ok(answer)
        page = json_as(Page, answer)
        if (page.total_elements or 0) > len(keys):
            raise UnavailableError(f"{len(keys)} barcodes were requested, {page.total_elements} products answered")
        variants = [variant for product in page.content for variant in product.variants or []]
        rows = ((each.barcode or "", each.quantity) for each in variants if each.quantity is not None)
        return {key: shown[0] for key, shown in KeyLookup(keys).found(rows).items() if len(set(shown)) == 1}

    def _is_refused_copy(self, answer: Answer) -> bool:
        words = self._options.identical_body_words.casefold()
        is_refusal = _BAD_REQUEST <= answer.status < _SERVER_ERROR
        return is_refusal and any(words in text.casefold() for text in (refusal(answer)[1], excerpt(answer.body)))

    def _outcome(self, each: Line) -> Outcome | None:
        status = (each.status or "").casefold()
        if status == _SUCCEEDED:
            return Applied()
        if status not in _FAILED:
            return None
        reason = "; ".join(str(each) for each in each.failure_reasons or []) or "no reason was given"
        reason = reason[:REASON_CHARACTERS_MAX]
        is_passing = any(words.casefold() in reason.casefold() for words in self._options.passing_words)
        return Retry("failed_for_now", reason) if is_passing else Rejected("failed", reason)
