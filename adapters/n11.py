"""n11: stock and prices by stock code, accepted as a task that is polled until it is processed."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final, NoReturn

import msgspec
from msgspec import Meta

from adapters.contract.adapter import Adapter, Capabilities, Kind
from adapters.contract.errors import SpoiledError, TicketLostError, UnavailableError, UnknownResultError
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
from adapters.contract.limits import TokenBucket
from adapters.contract.stock import Applied, Item, Outcome, Outcomes, Rejected, Retry, StillPending, Ticket

ITEMS_MAX: Final = 1_000
"""In one task; documented by the channel."""
POLL_EVERY_S: Final = 5.0
"""n11 publishes no limit and no usual time of its tasks, so this is a cautious guess. Unverified."""
TICKET_LIFE_S: Final = 3600.0
"""How long n11 keeps a task is not published. After an hour its values are sent again, so that a task that is stuck
does not block them for longer. Unverified."""
CURRENCIES: Final = {"": "TL", "TRY": "TL", "TL": "TL", "USD": "USD", "EUR": "EUR"}
"""The names that n11 has for currencies. A listing without a currency is in lira."""

_CENT: Final = Decimal("0.01")
_REJECTED: Final = "reject"
_PROCESSED: Final = "processed"
_SUCCEEDED: Final = "success"
_FAILED: Final = ("fail", "failed")
"""The second is from a third party; the result of an item with any other status is unknown."""
_OK: Final = 200
_TOO_LARGE: Final = 413
_ABOUT_ITEMS: Final = (400, 422, _TOO_LARGE)
_NO_SUCH_TASK: Final = (400, 404, 410)
"""Not documented; nothing but the task can be wrong in a poll. Unverified."""


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach one seller's account.

    ``integrator`` is the name that n11 requires in each task. ``requests_per_s``, of pushes and of polls each: n11
    publishes no limit of its tasks, so the default is a cautious guess.
    """

    base_url: Annotated[str, Meta(min_length=1)] = "https://api.n11.com"
    integrator: Annotated[str, Meta(min_length=1, max_length=100)] = "Holdfast"
    requests_per_s: Annotated[float, Meta(gt=0, le=1000)] = 1.0


class _Accepted(msgspec.Struct):
    """The answer to a push."""

    id: int | str | None = None
    status: str | None = None
    reasons: Any = None


class _Line(msgspec.Struct, rename="camel"):
    """The result of one item. It may have reasons although it succeeded."""

    item_code: str | None = None
    status: str | None = None
    reasons: Any = None


class _Lines(msgspec.Struct, rename="camel"):
    """One page of the results."""

    content: list[_Line] | None = None
    total_pages: int | None = None


class _Task(msgspec.Struct):
    """The answer to a poll."""

    status: str | None = None
    skus: _Lines | None = None
    reasons: Any = None


class N11(Adapter):
    """One seller's account; a listing's key is its stock code."""

    def __init__(self, options: Options, app_key: str, app_secret: str) -> None:
        base = f"{options.base_url.rstrip('/')}/ms/product"
        self._push_url = f"{base}/tasks/price-stock-update"
        self._tasks_url = f"{base}/task-details/page-query"
        self._integrator = options.integrator
        self._headers = {
            "appkey": app_key,
            "appsecret": app_secret,
            "Accept": "application/json",
            "Content-Type": "application/json",
        }
        per_s = options.requests_per_s
        self._capabilities = Capabilities(
            items_max=ITEMS_MAX,
            poll_every_s=POLL_EVERY_S,
            ticket_life_s=TICKET_LIFE_S,
            takes_price=True,
            own_sale="lowers",
            limits=tuple(TokenBucket(per_s=per_s, burst=max(1.0, per_s), group=group) for group in (WRITE, READ)),
        )

    @property
    def capabilities(self) -> Capabilities:
        """What n11 documents, at the rate that the options allow. It cannot be read back."""
        return self._capabilities

    def push(self, items: Sequence[Item], now_s: float) -> Exchange[Outcomes | Ticket]:  # noqa: ARG002  # unsigned
        """Send stock, and prices that n11 accepts; the task returns later the result of each.

        Where a listing has no valid pair of prices its stock goes alone: a price that stays as it was costs less than
        units sold twice.
        """
        body = {"payload": {"integrator": self._integrator, "skus": [_wire(item) for item in items]}}
        answer = yield self._request(self._push_url, body, WRITE)
        check_status(answer)
        if answer.status != _OK:
            _raise_refused(answer)
        accepted = json_as(_Accepted, answer)
        if _is(accepted.status, _REJECTED):
            raise SpoiledError("rejected", _reason(accepted.reasons))
        if accepted.id is None or not str(accepted.id).strip():
            raise UnknownResultError(f"accepted without the id of a task: {excerpt(answer.body)}")
        return Ticket(str(accepted.id).strip())

    def poll(self, ticket_id: str, keys: Sequence[str]) -> Exchange[Outcomes | StillPending]:
        """Poll a task, page by page once it has ended; items that it does not name are left out."""
        task = yield from self._page(ticket_id, 0)
        is_rejected = _is(task.status, _REJECTED)
        if not is_rejected and not _is(task.status, _PROCESSED):
            return StillPending()
        codes = _Codes(keys)
        named = codes.outcomes(task)
        for number in range(1, min(_pages(task), ITEMS_MAX)):
            page = yield from self._page(ticket_id, number)
            named |= codes.outcomes(page)
        return _of_rejected(keys, named, _reason(task.reasons)) if is_rejected else named

    def _page(self, ticket_id: str, number: int) -> Exchange[_Task]:
        task_id = int(ticket_id) if ticket_id.isascii() and ticket_id.isdigit() else ticket_id
        body = {"taskId": task_id, "pageable": {"page": number, "size": ITEMS_MAX}}
        answer = yield self._request(self._tasks_url, body, READ)
        if answer.status in _NO_SUCH_TASK:
            raise TicketLostError(f"HTTP {answer.status}: {excerpt(answer.body)}")
        check_status(answer)
        if answer.status != _OK:
            raise UnavailableError(f"HTTP {answer.status}: {excerpt(answer.body)}")
        task = json_as(_Task, answer)
        if not task.status:
            raise TicketLostError(f"an answer without a task: {excerpt(answer.body)}")
        return task

    def _request(self, url: str, body: dict[str, Any], group: str) -> Request:
        return Request("POST", url, self._headers, msgspec.json.encode(body), group=group)


class _Codes:
    """Finds the key of a stock code as n11 writes it: as it was sent, or in another case."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = frozenset(keys)
        self._folded: dict[str, str] = {}
        for key in self._keys:
            # Two keys that differ in nothing but case cannot be distinguished without it.
            self._folded[_folded(key)] = "" if _folded(key) in self._folded else key

    def outcomes(self, page: _Task) -> Outcomes:
        lines = (page.skus.content if page.skus else None) or []
        named = ((self._find(line.item_code or ""), _outcome(line)) for line in lines)
        return {key: outcome for key, outcome in named if key and outcome is not None}

    def _find(self, code: str) -> str:
        return code if code in self._keys else self._folded.get(_folded(code), "")


def _outcome(line: _Line) -> Outcome | None:
    if _is(line.status, _SUCCEEDED):
        return Applied()
    return Rejected("failed", _reason(line.reasons)) if _is(line.status, *_FAILED) else None


def _of_rejected(keys: Sequence[str], named: Outcomes, reason: str) -> Outcomes:
    """Return the outcomes of a task that was accepted and then refused whole: nothing of it was applied."""
    failed: Outcomes = {key: outcome for key, outcome in named.items() if isinstance(outcome, Rejected)}
    if not failed:
        raise SpoiledError("rejected", reason)
    return {key: failed.get(key, Retry("rejected", reason, after_s=0.0)) for key in keys}


def _pages(task: _Task) -> int:
    return (task.skus.total_pages if task.skus else None) or 1


def _wire(item: Item) -> dict[str, Any]:
    line: dict[str, Any] = {"stockCode": item.key, "quantity": item.quantity}
    price, list_price = _price(item.price), _price(item.list_price)
    currency = CURRENCIES.get((item.currency or "").upper())
    if price is not None and list_price is not None and list_price >= price and currency:
        line |= {"listPrice": _number(list_price), "salePrice": _number(price), "currencyType": currency}
    return line


def _price(text: str | None) -> Decimal | None:
    """Read a price that n11 can take: more than nothing, in whole cents."""
    try:
        price = Decimal(text or "")
        return price.quantize(_CENT) if price > 0 and price == price.quantize(_CENT) else None
    except InvalidOperation:
        return None


def _number(price: Decimal) -> msgspec.Raw:
    return msgspec.Raw(f"{price:f}".encode())


def _raise_refused(answer: Answer) -> NoReturn:
    """Raise the reason why a push was refused whole."""
    if answer.status not in _ABOUT_ITEMS:
        raise UnavailableError(f"HTTP {answer.status}: {excerpt(answer.body)}")
    if answer.status != _TOO_LARGE:
        json_of(answer)  # a page in HTML comes from a proxy
    raise SpoiledError(f"http_{answer.status}", excerpt(answer.body))


def _reason(reasons: Any) -> str:
    """Return reasons on one line: a list of texts as documented, or whatever else is there."""
    parts = reasons if isinstance(reasons, list) else [reasons]
    text = "; ".join(str(part) for part in parts if part)
    return text[:REASON_CHARACTERS_MAX] or "no reason was given"


def _is(status: str | None, *words: str) -> bool:
    """Compare a status without regard to case, which varies."""
    return _folded(status or "") in words


def _folded(text: str) -> str:
    return text.strip().casefold()


def _build(options: Options, credentials: Mapping[str, str]) -> N11:
    return N11(options, credentials["app_key"], credentials["app_secret"])


ADAPTER: Final = Kind(
    name="n11",
    summary="An n11 seller account: stock and prices by stock code, in tasks",
    options=Options,
    credentials=("app_key", "app_secret"),
    build=_build,
)
