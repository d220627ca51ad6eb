"""Publishes stock and prices to n11 by stock code, accepted as a task, and reads the seller's products back."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NoReturn
from urllib.parse import urlencode

import msgspec

from adapters.contract.adapter import Capabilities
from adapters.contract.errors import SpoiledError, TicketLostError, UnavailableError, UnknownResultError
from adapters.contract.http import READ, WRITE, Answer, Exchange, Request, check_status, excerpt, json_as, json_of
from adapters.contract.key_lookup import KeyLookup
from adapters.contract.stock import Item, Outcomes, Rejected, Retry, StillPending, Ticket
from adapters.n11.account import Options, limits
from adapters.n11.orders import N11Orders
from adapters.n11.wire import Accepted, Page, Task, is_one_of, line_of, outcomes_of, pages_of, reason_of, too_long

ITEMS_MAX: Final = 1_000
"""In one task; documented by the channel."""
QUANTITY_MAX: Final = 999_999
"""Of one stock code; documented by the channel."""
READ_ITEMS_MAX: Final = 10_000
"""Compared at once: their products are read page by page, and each further call would read all pages again."""
PAGE_ITEMS_MAX: Final = 250
"""Products of one page; documented by the channel."""
POLL_EVERY_S: Final = 5.0
"""n11 publishes no limit and no usual time of its tasks, so this is a cautious guess. Unverified."""
TICKET_LIFE_S: Final = 3600.0
"""How long n11 keeps a task is not published. After an hour its values are sent again, so that a task that is stuck
does not block them for longer. Unverified."""
_REJECTED: Final = "reject"
_PROCESSED: Final = "processed"
_OK: Final = 200
_TOO_LARGE: Final = 413
_ABOUT_ITEMS: Final = (400, 422, _TOO_LARGE)
_NOT_FOUND: Final = 404
_NO_SUCH_TASK: Final = (400, _NOT_FOUND, 410)
"""Not documented; nothing but the task can be wrong in a poll. Unverified."""


class N11(N11Orders):
    """One seller's account; a listing's key is its stock code."""

    def __init__(self, options: Options, app_key: str, app_secret: str) -> None:
        super().__init__(options, app_key, app_secret)
        base = f"{options.base_url.rstrip('/')}/ms"
        self._push_url = f"{base}/product/tasks/price-stock-update"
        self._tasks_url = f"{base}/product/task-details/page-query"
        self._products_url = f"{base}/product-query"
        self._integrator = options.integrator
        self._capabilities = Capabilities(
            items_max=ITEMS_MAX,
            poll_every_s=POLL_EVERY_S,
            ticket_life_s=TICKET_LIFE_S,
            read_items_max=READ_ITEMS_MAX if options.read_back else 0,
            quantity_max=QUANTITY_MAX,
            takes_price=True,
            own_sale="lowers",
            limits=limits(options),
            intake=self.intake(),
        )

    @property
    def capabilities(self) -> Capabilities:
        """What n11 documents, at the rate that the options allow."""
        return self._capabilities

    def push(self, items: Sequence[Item], now_s: float) -> Exchange[Outcomes | Ticket]:  # noqa: ARG002  # unsigned
        """Send stock, and prices that n11 accepts; the task returns later the result of each.

        Where a listing has no valid pair of prices its stock goes alone: a price that stays as it was costs less than
        units sold twice.
        """
        rejected = too_long(items)
        if rejected:
            beside = Retry("not_sent", "another item's key is no stock code", after_s=0.0)
            return dict.fromkeys((item.key for item in items), beside) | rejected
        body = {"payload": {"integrator": self._integrator, "skus": [line_of(item) for item in items]}}
        answer = yield self._request(self._push_url, body, WRITE)
        check_status(answer)
        if answer.status != _OK:
            _raise_refused(answer)
        accepted = json_as(Accepted, answer)
        if is_one_of(accepted.status, _REJECTED):
            raise SpoiledError("rejected", reason_of(accepted.reasons))
        if accepted.id is None or not str(accepted.id).strip():
            raise UnknownResultError(f"accepted without the id of a task: {excerpt(answer.body)}")
        return Ticket(str(accepted.id).strip())

    def poll(self, ticket_id: str, keys: Sequence[str]) -> Exchange[Outcomes | StillPending]:
        """Poll a task, page by page once it has ended; items that it does not name are left out."""
        task = yield from self._page(ticket_id, 0)
        is_rejected = is_one_of(task.status, _REJECTED)
        if not is_rejected and not is_one_of(task.status, _PROCESSED):
            return StillPending()
        codes = KeyLookup(keys)
        named = outcomes_of(task, codes)
        for number in range(1, min(pages_of(task), ITEMS_MAX)):
            page = yield from self._page(ticket_id, number)
            named |= outcomes_of(page, codes)
        return _of_rejected(keys, named, reason_of(task.reasons)) if is_rejected else named

    def read(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:
        """Read what is shown: page by page, and code by code where less is missing than there are pages left."""
        if not self._capabilities.read_items_max:
            raise TypeError("reading back is switched off")
        return self._read(keys)

    def _read(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:
        codes, rows = KeyLookup(keys), list[tuple[str, int]]()
        missing, page, pages = dict.fromkeys(keys), 0, 2  # how many there are is in the first page
        while missing and page < pages:
            if len(missing) < pages - page:
                code, _ = missing.popitem()
                rows += _rows((yield from self._products(stockCode=code)))
                continue
            found = yield from self._products(page=page, size=PAGE_ITEMS_MAX)
            rows += _rows(found)
            for code, _ in _rows(found):
                missing.pop(codes.find(code) or "", None)
            is_last = len(found.content) < PAGE_ITEMS_MAX
            page, pages = page + 1, found.total_pages or page + (1 if is_last else 2)
        return {key: there[0] for key, there in codes.found(rows).items() if len(set(there)) == 1}

    def _products(self, **query: Any) -> Exchange[Page]:
        """Return a page of products; a stock code that n11 does not know has an empty one."""
        answer = yield Request("GET", f"{self._products_url}?{urlencode(query)}", self._headers, group=READ)
        if answer.status == _NOT_FOUND and query.keys() == {"stockCode"}:
            return Page([])
        check_status(answer)
        if answer.status != _OK:
            raise UnavailableError(f"HTTP {answer.status}: {excerpt(answer.body)}")
        return json_as(Page, answer)

    def _page(self, ticket_id: str, number: int) -> Exchange[Task]:
        task_id = int(ticket_id) if ticket_id.isascii() and ticket_id.isdigit() else ticket_id
        body = {"taskId": task_id, "pageable": {"page": number, "size": ITEMS_MAX}}
        answer = yield self._request(self._tasks_url, body, READ)
        if answer.status in _NO_SUCH_TASK:
            raise TicketLostError(f"HTTP {answer.status}: {excerpt(answer.body)}")
        check_status(answer)
        if answer.status != _OK:
            raise UnavailableError(f"HTTP {answer.status}: {excerpt(answer.body)}")
        task = json_as(Task, answer)
        if not task.status:
            raise TicketLostError(f"an answer without a task: {excerpt(answer.body)}")
        return task

    def _request(self, url: str, body: dict[str, Any], group: str) -> Request:
        return Request("POST", url, self._headers, msgspec.json.encode(body), group=group)


def _of_rejected(keys: Sequence[str], named: Outcomes, reason: str) -> Outcomes:
    """Return the outcomes of a task that was accepted and then refused whole: nothing of it was applied."""
    failed: Outcomes = {key: outcome for key, outcome in named.items() if isinstance(outcome, Rejected)}
    if not failed:
        raise SpoiledError("rejected", reason)
    return {key: failed.get(key, Retry("rejected", reason, after_s=0.0)) for key in keys}


def _raise_refused(answer: Answer) -> NoReturn:
    """Raise the reason why a push was refused whole."""
    if answer.status not in _ABOUT_ITEMS:
        raise UnavailableError(f"HTTP {answer.status}: {excerpt(answer.body)}")
    if answer.status != _TOO_LARGE:
        json_of(answer)  # a page in HTML comes from a proxy
    raise SpoiledError(f"http_{answer.status}", excerpt(answer.body))


def _rows(page: Page) -> Iterator[tuple[str, int]]:
    for product in page.content:
        if product.stock_code and product.quantity is not None:
            yield product.stock_code, product.quantity
