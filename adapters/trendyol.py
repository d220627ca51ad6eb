"""Trendyol: stock and prices by barcode, taken for later under a ticket, and read back from the approved products."""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final, Literal, NoReturn
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Meta

from adapters.contract.adapter import Adapter, Capabilities, Kind
from adapters.contract.errors import ClosedError, SpoiledError, TicketLostError, UnavailableError, UnknownResultError
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
from adapters.contract.limits import Limit, PerItem, Window
from adapters.contract.stock import Applied, Item, Outcome, Outcomes, Rejected, Retry, StillPending, Ticket, Unknown

HOSTS: Final = {"prod": "https://apigw.trendyol.com", "stage": "https://stageapigw.trendyol.com"}
"""The stage answers 503 to addresses that Trendyol has not let in."""
WRITES_PER_MIN: Final = {"50k": 350, "75k": 500, "150k": 1000, "500k": 1500, "unlimited": 2000}
"""Stock and price writes by listing tier, shared by the whole account; documented by the channel."""
ITEMS_MAX: Final = 1_000
QUANTITY_MAX: Final = 20_000
READ_BARCODES_MAX: Final = 50
READ_PAGE: Final = 100
"""The longest page of products; one question never fills it."""
PRICES_PER_MIN: Final = 30
"""Of one barcode; more fail as items. Documented by the channel."""
SHORT_WINDOW: Final = (50, 10.0)
"""Requests and seconds for one endpoint, from a page that disagrees with the tiers; the tighter is obeyed."""
IDENTICAL_BODY_WINDOW_S: Final = 15 * 60.0
TICKET_LIFE_S: Final = 4 * 3600.0
POLL_EVERY_S: Final = 3.0

_SUCCEEDED: Final = "success"
_FAILED: Final = ("failed", "failure")
"""The second is a third party's; anything else is not yet an end."""
_TOO_LARGE: Final = 413
_ABOUT_ITEMS: Final = (400, 422, _TOO_LARGE)
_NO_SUCH_TICKET: Final = (400, 404, 410)
"""404 is documented; a question that holds nothing but a ticket can be wrong in nothing else. Unverified."""
_OK: Final = 200
_BAD_REQUEST: Final = 400
_SERVER_ERROR: Final = 500
_STORE_FRONT: Final = "invalid.storefrontcode"


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach one seller's account.

    ``integrator`` stands in the User-Agent that Trendyol demands. ``store_front_code`` is for international sellers.
    ``base_url`` replaces the host of ``environment``. ``tier`` is the account's listing tier, ``reads_per_min`` what it
    may ask, polls included: 1000 to 2000, the lowest where nobody has said more. ``obey_short_window`` False ignores
    the rule of 50 requests in 10 s for an endpoint, which the higher tiers contradict. ``read_back`` False compares
    nothing with the channel.

    ``identical_body_words`` tell the refusal of a body that was sent before, as documented. ``passing_words`` in an
    item's failure mean that it is worth another try, as when a price changed too often; their wording is unverified.
    """

    seller_id: Annotated[int, Meta(ge=1)]
    environment: Literal["prod", "stage"] = "prod"
    base_url: str = ""
    integrator: Annotated[str, Meta(pattern="^[A-Za-z0-9]{1,30}$")] = "SelfIntegration"
    store_front_code: Annotated[str, Meta(pattern="^[A-Za-z]{0,8}$")] = ""
    tier: Literal["50k", "75k", "150k", "500k", "unlimited"] = "50k"
    reads_per_min: Annotated[int, Meta(ge=1, le=2000)] = 1000
    obey_short_window: bool = True
    read_back: bool = True
    identical_body_words: Annotated[str, Meta(min_length=1)] = "aynı isteği"
    passing_words: tuple[str, ...] = ("dakika", "per minute", "daha sonra", "try again")


class _Line(msgspec.Struct, rename="camel"):
    """What became of one item; the channel gives null where it has nothing to say."""

    request_item: dict[str, Any]
    status: str | None = None
    failure_reasons: list[Any] | None = None


class _Batch(msgspec.Struct, rename="camel"):
    """The answer about a ticket. Batches of stock and prices have no status of their own."""

    items: list[_Line] | None = None
    item_count: int | None = None


class _Variant(msgspec.Struct):
    barcode: str | None = None
    quantity: int | None = None


class _Product(msgspec.Struct):
    variants: list[_Variant] | None = None


class _Page(msgspec.Struct, rename="camel"):
    content: list[_Product]
    total_elements: int | None = None


class Trendyol(Adapter):
    """One seller's account; a listing's key is its barcode."""

    def __init__(self, options: Options, api_key: str, api_secret: str) -> None:
        host = (options.base_url or HOSTS[options.environment]).rstrip("/")
        seller = options.seller_id
        self._options = options
        self._push_url = f"{host}/integration/inventory/sellers/{seller}/products/price-and-inventory"
        self._tickets_url = f"{host}/integration/product/sellers/{seller}/products/batch-requests"
        self._read_url = f"{host}/integration/product/sellers/{seller}/products/approved/inventory-and-price"
        self._headers = _headers(options, api_key, api_secret)
        self._capabilities = Capabilities(
            items_max=ITEMS_MAX,
            requests_in_flight_max=4,
            poll_every_s=POLL_EVERY_S,
            ticket_life_s=TICKET_LIFE_S,
            identical_body_window_s=IDENTICAL_BODY_WINDOW_S,
            read_items_max=READ_BARCODES_MAX if options.read_back else 0,
            quantity_max=QUANTITY_MAX,
            takes_price=True,
            limits=_limits(options),
        )

    @property
    def capabilities(self) -> Capabilities:
        """What the account's tier allows."""
        return self._capabilities

    def push(self, items: Sequence[Item], now_s: float) -> Exchange[Outcomes | Ticket]:  # noqa: ARG002  # unsigned
        """Send stock, and prices that Trendyol can take; the ticket tells later what became of each.

        A price goes only with its list price, and only where that is not below it. Where a listing has another pair,
        its stock goes alone: a price that stays as it was costs less than units sold twice.
        """
        body = msgspec.json.encode({"items": [_wire(item) for item in items]})
        headers = {**self._headers, "Content-Type": "application/json"}
        answer = yield Request("POST", self._push_url, headers, body, group=WRITE)
        if self._is_refused_copy(answer):
            # It has had these very values lately. What became of them then is not said.
            return dict.fromkeys([item.key for item in items], Unknown(_told(answer)[1]))
        check_status(answer)
        if answer.status != _OK:
            _raise_refused(answer)
        ticket = _field(json_of(answer), "batchRequestId")
        if not ticket:
            raise UnknownResultError(f"taken without a batchRequestId: {excerpt(answer.body)}")
        return Ticket(ticket)

    def poll(self, ticket_id: str, keys: Sequence[str]) -> Exchange[Outcomes | StillPending]:
        """Ask about a ticket: it is done when every item is, for the batch itself has no status."""
        answer = yield Request("GET", f"{self._tickets_url}/{quote(ticket_id, safe='')}", self._headers, group=READ)
        if answer.status in _NO_SUCH_TICKET:
            raise TicketLostError(f"HTTP {answer.status}: {excerpt(answer.body)}")
        _check_ok(answer)
        batch = json_as(_Batch, answer)
        lines = batch.items or []
        known = _Barcodes(keys)
        ended = [(known.find(line.request_item.get("barcode")), self._outcome(line)) for line in lines]
        settled = {key: outcome for key, outcome in ended if key is not None and outcome is not None}
        is_ended = all(outcome is not None for _, outcome in ended)
        is_whole = len(lines) >= (batch.item_count or len(keys))
        return settled if is_ended and is_whole else StillPending(settled)

    def read(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:
        """Read what is shown of approved products. That barcodes are told apart by a comma is unverified."""
        if not self._options.read_back:
            raise TypeError("reading back is switched off")
        return self._read(keys)

    def _read(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:
        query = urlencode({"barcodes": ",".join(keys), "page": 0, "size": READ_PAGE})
        answer = yield Request("GET", f"{self._read_url}?{query}", self._headers, group=READ)
        _check_ok(answer)
        page = json_as(_Page, answer)
        if (page.total_elements or 0) > len(keys):
            raise UnavailableError(f"{len(keys)} barcodes were asked for, {page.total_elements} products answered")
        known = _Barcodes(keys)
        variants = [variant for product in page.content for variant in product.variants or []]
        found = ((known.find(variant.barcode), variant.quantity) for variant in variants)
        return {key: quantity for key, quantity in found if key is not None and quantity is not None}

    def _is_refused_copy(self, answer: Answer) -> bool:
        words = self._options.identical_body_words.casefold()
        is_refusal = _BAD_REQUEST <= answer.status < _SERVER_ERROR
        return is_refusal and any(words in text.casefold() for text in (_told(answer)[1], excerpt(answer.body)))

    def _outcome(self, line: _Line) -> Outcome | None:
        status = (line.status or "").casefold()
        if status == _SUCCEEDED:
            return Applied()
        if status not in _FAILED:
            return None
        reason = "; ".join(str(each) for each in line.failure_reasons or []) or "no reason was given"
        reason = reason[:REASON_CHARACTERS_MAX]
        is_passing = any(words.casefold() in reason.casefold() for words in self._options.passing_words)
        return Retry("failed_for_now", reason) if is_passing else Rejected("failed", reason)


class _Barcodes:
    """Finds the key of a barcode as the channel writes it: as it was sent, or in another case."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = frozenset(keys)
        self._folded: dict[str, str] = {}
        for key in self._keys:
            folded = _folded(key)
            # Two keys that differ in nothing else cannot be told apart by it.
            self._folded[folded] = "" if folded in self._folded else key

    def find(self, barcode: Any) -> str | None:
        text = str(barcode)
        return text if text in self._keys else self._folded.get(_folded(text)) or None


def _folded(barcode: str) -> str:
    return barcode.strip().casefold()


def _headers(options: Options, api_key: str, api_secret: str) -> dict[str, str]:
    headers = {
        "Authorization": "Basic " + b64encode(f"{api_key}:{api_secret}".encode()).decode(),
        "User-Agent": f"{options.seller_id} - {options.integrator}",
        "Accept": "application/json",
    }
    return {**headers, "storeFrontCode": options.store_front_code} if options.store_front_code else headers


def _limits(options: Options) -> tuple[Limit, ...]:
    limits: tuple[Limit, ...] = (
        Window(WRITES_PER_MIN[options.tier], 60.0, WRITE),
        Window(options.reads_per_min, 60.0, READ),
        PerItem(PRICES_PER_MIN, 60.0, priced=True),
    )
    if not options.obey_short_window:
        return limits
    # Reads have two endpoints, and share what one of them may do.
    return (*limits, Window(*SHORT_WINDOW, WRITE), Window(*SHORT_WINDOW, READ))


def _wire(item: Item) -> dict[str, Any]:
    """Write an item as Trendyol reads it; a price keeps the digits that it was given."""
    line: dict[str, Any] = {"barcode": item.key, "quantity": item.quantity}
    price, list_price = _price(item.price), _price(item.list_price)
    if price is not None and list_price is not None and list_price >= price:
        line |= {"salePrice": _number(price), "listPrice": _number(list_price)}
    return line


def _price(text: str | None) -> Decimal | None:
    try:
        price = Decimal(text or "")
    except InvalidOperation:
        return None
    return price if price.is_finite() and price >= 0 else None


def _number(price: Decimal) -> msgspec.Raw:
    return msgspec.Raw(f"{price:f}".encode())


def _check_ok(answer: Answer) -> None:
    check_status(answer)
    if answer.status != _OK:
        raise UnavailableError(f"HTTP {answer.status}: {excerpt(answer.body)}")


def _raise_refused(answer: Answer) -> NoReturn:
    """Tell why a push was refused whole."""
    if answer.status not in _ABOUT_ITEMS:
        raise UnavailableError(f"HTTP {answer.status}: {excerpt(answer.body)}")
    if answer.status != _TOO_LARGE:
        json_of(answer)  # a page in HTML is the word of something on the way
    code, reason = _told(answer)
    if code.casefold() == _STORE_FRONT:
        raise ClosedError(f"{code}: {reason}; look at the channel's store_front_code")
    raise SpoiledError(code, reason)


def _told(answer: Answer) -> tuple[str, str]:
    """Read a refusal's code and words, or what there is of them.

    The documented form is ``{"errors": [{key, message, errorCode}]}``.
    """
    try:
        body = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = None
    errors = body.get("errors") if isinstance(body, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    code = _field(first, "key") or _field(first, "errorCode") or f"http_{answer.status}"
    return code, excerpt(_field(first, "message").encode() or answer.body)


def _field(value: Any, name: str) -> str:
    """Read a text or number of an object; empty where there is none."""
    found = value.get(name) if isinstance(value, dict) else None
    return str(found) if isinstance(found, str | int) else ""


def _build(options: Options, credentials: Mapping[str, str]) -> Trendyol:
    return Trendyol(options, credentials["api_key"], credentials["api_secret"])


ADAPTER: Final = Kind(
    name="trendyol",
    summary="A Trendyol seller account: stock and prices by barcode, in tickets",
    options=Options,
    credentials=("api_key", "api_secret"),
    build=_build,
)
