"""Push stock and prices to a WooCommerce shop: batches by id, with errors of single items inside an answer of 200.

Contract: WooCommerce REST API v3, as documented by the channel. Core has no rate limit and no idempotency; the shop's
own hosting is the limit, so ``requests_per_s`` is modest until somebody says otherwise.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, NamedTuple
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Meta

from adapters.contract.adapter import Adapter, Capabilities, Kind
from adapters.contract.errors import ChannelError, SpoiledError, UnavailableError, UnknownResultError
from adapters.contract.http import READ, WRITE, Answer, Exchange, Request, check_status, excerpt, json_of
from adapters.contract.limits import TokenBucket
from adapters.contract.stock import Applied, Item, Outcome, Outcomes, Rejected, Retry, Unknown

ITEMS_MAX: Final = 100
"""Of one batch, and rows of one page: documented by the channel. A shop can lower the first, never raise the second."""
SKUS_PER_LOOKUP: Final = 20
"""Of 128 bytes each, percent-encoded: common web servers refuse a request line of more than 8,000 characters."""

NOT_AN_ID: Final = Rejected("not_an_id", 'the key is neither an id like "123" nor product and variation like "120/125"')

_OK, _BAD_REQUEST, _NOT_FOUND, _TOO_LARGE = 200, 400, 404, 413
_IS_A_VARIATION: Final = "woocommerce_rest_invalid_product_id"
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands in the configuration of a WooCommerce channel.

    ``base_url`` is the shop's root. ``key_is`` says what the listings' keys are: "id" for "123", or "120/125" for
    variation 125 of product 120; "sku" for the shop's own SKU, which is looked up once. ``items_max`` is lowered where
    the shop has lowered its own limit. ``requests_per_s`` counts reading and writing apart.
    """

    base_url: str
    key_is: Literal["id", "sku"] = "id"
    items_max: Annotated[int, Meta(ge=1, le=ITEMS_MAX)] = ITEMS_MAX
    requests_per_s: Annotated[float, Meta(gt=0, le=1_000)] = 4.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise ValueError("base_url must begin with https://; the key and secret travel with every request")
        if parts.username or parts.query or parts.fragment or not parts.hostname:
            raise ValueError("base_url must be the shop's root, without user, query or fragment")


class Place(NamedTuple):
    """Where a listing is in the shop; ``parent`` 0: a product of its own."""

    parent: int
    id: int


class Located(NamedTuple):
    """A value and where it goes. ``remembered``: the place was looked up earlier and may have changed since."""

    item: Item
    place: Place
    remembered: bool


class WooCommerce(Adapter):
    """One shop. Keeps the places that it looked up."""

    def __init__(self, options: Options, consumer_key: str, consumer_secret: str) -> None:
        self._options = options
        self._root = options.base_url.rstrip("/") + "/wp-json/wc/v3"
        token = b64encode(f"{consumer_key}:{consumer_secret}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}", "Accept": "application/json"}
        self._places: dict[str, Place] = {}

    @property
    def capabilities(self) -> Capabilities:
        """Answers item by item and at once; whatever a push is spread over, it stays one push at a time."""
        per_s = self._options.requests_per_s
        return Capabilities(
            items_max=self._options.items_max,
            read_items_max=ITEMS_MAX,
            takes_price=True,
            limits=tuple(TokenBucket(per_s=per_s, burst=max(1.0, per_s), group=group) for group in (WRITE, READ)),
        )

    def push(self, items: Sequence[Item], now_s: float) -> Exchange[Outcomes]:  # noqa: ARG002  # nothing is signed
        """Send values, one request for plain products and one for each product with variations.

        An error in a later request is told for its items, so that what is known of the earlier ones is kept.
        """
        outcomes, located = yield from self._locate(items)
        answered = False
        groups = _by_parent(located)
        for number, group in enumerate(groups):
            try:
                outcomes |= yield from self._update(group)
            except ChannelError as error:
                if not answered:
                    raise
                return outcomes | _cut_short(error, group, groups[number + 1 :])
            answered = True
        return outcomes

    def read(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:
        """Read ``stock_quantity``; what does not manage its own stock shows no number and is left out."""
        places = yield from self._places_of(keys)
        shown: dict[str, int] = {}
        for parent in dict.fromkeys(place.parent for place in places.values()):
            wanted = {key: place.id for key, place in places.items() if place.parent == parent}
            found = yield from self._list(parent, sorted(set(wanted.values())))
            shown |= {key: found[number] for key, number in wanted.items() if number in found}
        return shown

    # -- writing

    def _update(self, group: Sequence[Located]) -> Exchange[Outcomes]:
        body = {"update": [_element(each.item, each.place) for each in group]}
        answer = yield Request(
            "POST",
            f"{self._root}{_route(group[0].place.parent)}/batch",
            {**self._headers, "Content-Type": "application/json"},
            msgspec.json.encode(body),
        )
        check_status(answer)
        if answer.status != _OK:
            return self._whole_group(answer, group)
        outcomes: Outcomes = {}
        for each, row in _matched(answer, group):
            outcomes[each.item.key] = yield from self._outcome(each, row)
        return outcomes

    def _outcome(self, each: Located, row: Mapping[str, Any] | None) -> Exchange[Outcome]:
        if row is None:
            return Unknown("the shop's answer does not name this id")
        if "error" not in row:
            return _echoed(each.item, row)
        refusal = _refusal(row["error"])
        if refusal.code == _IS_A_VARIATION and (yield from self._find_variation(each)):
            return Retry(refusal.code, refusal.reason)
        return self._refused(each, refusal)

    def _refused(self, each: Located, refusal: Rejected) -> Outcome:
        if "invalid" not in refusal.code:
            return Retry(refusal.code, refusal.reason)
        self._places.pop(each.item.key, None)
        if each.remembered:
            return Retry(refusal.code, f"{refusal.reason} (to be looked up again)")
        return refusal

    def _whole_group(self, answer: Answer, group: Sequence[Located]) -> Outcomes:
        refusal = _refusal(json_of(answer))
        if answer.status == _NOT_FOUND and group[0].place.parent and "invalid" in refusal.code:
            return {each.item.key: self._refused(each, refusal) for each in group}
        if answer.status in (_BAD_REQUEST, _TOO_LARGE):
            raise SpoiledError(refusal.code, refusal.reason)
        raise _unexpected(answer)

    # -- finding

    def _locate(self, items: Sequence[Item]) -> Exchange[tuple[Outcomes, list[Located]]]:
        """Find where each value goes; those that go nowhere get their outcome at once."""
        remembered = self._places.keys() & {item.key for item in items}
        if self._options.key_is == "sku":
            refused = yield from self._look_up([item.key for item in items if item.key not in remembered])
        else:
            refused = {}
        outcomes: Outcomes = {}
        located = []
        for item in items:
            place = self._place(item.key, item.attributes.get("parent_id", ""))
            if place is None:
                outcomes[item.key] = refused.get(item.key, NOT_AN_ID)
            else:
                located.append(Located(item, place, item.key in remembered))
        return outcomes, located

    def _place(self, key: str, parent: str = "") -> Place | None:
        """Tell where a listing is. A parent that stands beside the key is kept: reading gets nothing but keys."""
        written, slash, number = key.rpartition("/")
        parent = written if slash else parent or "0"
        if self._options.key_is == "sku" or not (_is_number(parent) and _is_number(number)):
            return self._places.get(key)
        place = Place(int(parent), int(number))
        if place.parent and not slash:
            self._places[key] = place
        return place if place.parent else self._places.get(key, place)

    def _places_of(self, keys: Sequence[str]) -> Exchange[dict[str, Place]]:
        if self._options.key_is == "sku":
            yield from self._look_up([key for key in keys if key not in self._places])
        places = {key: self._place(key) for key in keys}
        return {key: place for key, place in places.items() if place is not None}

    def _look_up(self, skus: Sequence[str]) -> Exchange[dict[str, Rejected]]:
        """Remember the places of SKUs; tell why the others have none."""
        refused = {}
        for some in _lookups(skus):
            found: dict[str, set[Place]] = {}
            query = ",".join(quote(sku, safe="") for sku in some)
            for row in (yield from self._rows(f"/products?sku={query}&_fields=id,parent_id,sku,type")):
                found.setdefault(str(row.get("sku")), set()).add(_place_of(row))
            for sku in some:
                places = found.get(sku, set())
                if len(places) == 1:
                    self._places[sku] = places.pop()
                else:
                    refused[sku] = _no_single_place(sku, places)
        return refused

    def _find_variation(self, each: Located) -> Exchange[bool]:
        """Ask for the parent of a variation, for the next push. Read from the channel's source, not documented."""
        try:
            answer = yield from self._get(f"/products/{each.place.id}?_fields=id,parent_id,type")
            place = _place_of(json_of(answer))
        except ChannelError:
            return True
        if place.parent:
            self._places[each.item.key] = place
        return bool(place.parent)

    # -- reading

    def _list(self, parent: int, numbers: Sequence[int]) -> Exchange[dict[int, int]]:
        include = ",".join(map(str, numbers))
        rows = yield from self._rows(f"{_route(parent)}?include={include}&_fields=id,manage_stock,stock_quantity")
        # "parent" instead of true: the number that is told is the parent's own.
        managed = [row for row in rows if row.get("manage_stock") is True]
        shown = {row["id"]: _whole(row.get("stock_quantity")) for row in managed if isinstance(row.get("id"), int)}
        return {number: quantity for number, quantity in shown.items() if quantity is not None}

    def _rows(self, path: str) -> Exchange[list[dict[str, Any]]]:
        """Read a collection; one that the shop does not know is empty."""
        answer = yield from self._get(f"{path}&per_page={ITEMS_MAX}")
        found = json_of(answer)
        if answer.status == _NOT_FOUND and "invalid" in _refusal(found).code:
            return []
        if answer.status != _OK or not isinstance(found, list):
            raise _unexpected(answer)
        return [row for row in found if isinstance(row, dict)]

    def _get(self, path: str) -> Exchange[Answer]:
        try:
            answer = yield Request("GET", self._root + path, self._headers, group=READ)
        except UnknownResultError as error:
            # A question changes nothing, so that its fate is known: no value was sent.
            raise UnavailableError(f"no answer to a question: {error.reason}", error.after_s) from None
        check_status(answer)
        return answer


# -- requests


def _route(parent: int) -> str:
    return f"/products/{parent}/variations" if parent else "/products"


def _element(item: Item, place: Place) -> dict[str, Any]:
    return {"id": place.id, "manage_stock": True, "stock_quantity": item.quantity, **_prices(item)}


def _prices(item: Item) -> dict[str, str]:
    """Tell the price that buyers pay; without a list price above it, an earlier sale ends ("" ends it there)."""
    if item.price is None:
        return {} if item.list_price is None else {"regular_price": item.list_price}
    if item.list_price is None or item.list_price == item.price:
        return {"regular_price": item.price, "sale_price": ""}
    return {"regular_price": item.list_price, "sale_price": item.price}


def _by_parent(located: Iterable[Located]) -> list[list[Located]]:
    groups: dict[int, list[Located]] = {}
    for each in located:
        groups.setdefault(each.place.parent, []).append(each)
    return list(groups.values())


def _lookups(skus: Sequence[str]) -> list[list[str]]:
    """Split SKUs into lists that fit a request. One with a comma goes alone: the shop also tries the whole text."""
    plain = [sku for sku in skus if "," not in sku]
    lists = [plain[start : start + SKUS_PER_LOOKUP] for start in range(0, len(plain), SKUS_PER_LOOKUP)]
    return lists + [[sku] for sku in skus if "," in sku]


# -- answers


def _matched(answer: Answer, group: Sequence[Located]) -> Iterator[tuple[Located, Mapping[str, Any] | None]]:
    """Give each value its row: the one at its position unless that names another id, else the one with its id."""
    body = json_of(answer)
    rows = body.get("update") if isinstance(body, dict) else None
    if not isinstance(rows, list):
        raise _unexpected(answer)
    rows = [row if isinstance(row, dict) else {"id": None, "error": row} for row in rows]
    by_id = {row.get("id"): row for row in rows}
    for position, each in enumerate(group):
        row = rows[position] if position < len(rows) else None
        # Releases of the shop have answered null for the id of a refused element.
        if row is None or row.get("id") not in (each.place.id, None):
            row = by_id.get(each.place.id)
        yield each, row


def _echoed(item: Item, row: Mapping[str, Any]) -> Outcome:
    """Read what the shop says that it shows now; a row that says nothing of it is taken as a yes."""
    if row.get("manage_stock", True) is False:
        return Rejected("stock_not_managed", "the shop answers that it does not manage the stock of this product")
    told = row.get("stock_quantity", item.quantity)
    if _whole(told) != item.quantity:
        return Retry("other_quantity", f"the shop answers with stock_quantity {told!r} to {item.quantity}")
    return Applied()


def _refusal(error: Any) -> Rejected:
    fields = error if isinstance(error, dict) else {}
    code, message = (str(fields.get(name) or "") for name in ("code", "message"))
    return Rejected(code or "unnamed", excerpt((message or str(error)).encode()))


def _cut_short(error: ChannelError, group: Sequence[Located], unsent: Iterable[Sequence[Located]]) -> Outcomes:
    """Tell an error of one request for its own items, and for those whose turn did not come."""
    # At once: nothing speaks against these, and what is wrong with the channel is told as such by the next push.
    later = Retry("not_sent", f"another request of this push failed: {error.reason}", after_s=0.0)
    told: Outcome = later
    if isinstance(error, UnknownResultError):
        told = Unknown(error.reason)
    elif isinstance(error, SpoiledError) and len(group) == 1:
        told = Rejected(error.code, error.reason)
    elif isinstance(error, SpoiledError | UnavailableError):
        told = Retry("unavailable", error.reason, error.after_s)
    outcomes: Outcomes = dict.fromkeys((each.item.key for each in group), told)
    return outcomes | dict.fromkeys((each.item.key for other in unsent for each in other), later)


def _unexpected(answer: Answer) -> UnavailableError:
    return UnavailableError(f"HTTP {answer.status} with an answer that means nothing here: {excerpt(answer.body)}")


def _place_of(row: Any) -> Place:
    fields = row if isinstance(row, dict) else {}
    parent = fields.get("parent_id") if fields.get("type") == "variation" else 0
    return Place(_whole(parent) or 0, _whole(fields.get("id")) or 0)


def _no_single_place(sku: str, places: Iterable[Place]) -> Rejected:
    ids = ", ".join(str(place.id) for place in sorted(places))
    if not ids:
        return Rejected("sku_not_found", f"the shop has nothing with the SKU {sku!r}")
    return Rejected("sku_not_unique", f"the shop has the SKU {sku!r} several times: {ids}; list it by id")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _whole(value: Any) -> int | None:
    """Read a count that plugins have been seen to turn into a float or a text."""
    if isinstance(value, str):
        return int(value) if _is_number(value.removeprefix("-")) else None
    if isinstance(value, int | float) and not isinstance(value, bool) and value == int(value):
        return int(value)
    return None


def _build(options: Options, credentials: Mapping[str, str]) -> WooCommerce:
    return WooCommerce(options, credentials["consumer_key"], credentials["consumer_secret"])


ADAPTER: Final = Kind(
    name="woocommerce",
    summary="A WooCommerce shop, by its REST API v3",
    options=Options,
    credentials=("consumer_key", "consumer_secret"),
    build=_build,
)
