"""A WooCommerce shop's REST API: where a listing is in the shop, and how its collections are read."""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, NamedTuple
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Meta

from adapters.contract.errors import ChannelError, UnavailableError, UnknownResultError
from adapters.contract.http import COMMANDS, READ, Answer, Exchange, Request, check_status, excerpt, json_of
from adapters.contract.key_lookup import KeyLookup
from adapters.contract.stock import Item, Outcomes, Rejected

ITEMS_MAX: Final = 100
"""Of one batch, and rows of one page: documented by the channel. A shop can lower the first, never raise the second."""
SKUS_PER_LOOKUP: Final = 20
"""Of 128 bytes each, percent-encoded: common web servers refuse a request line of more than 8,000 characters."""

NOT_AN_ID: Final = Rejected("not_an_id", 'the key is neither an id like "123" nor product and variation like "120/125"')

OK, NOT_FOUND = 200, 404
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


Meaning = Literal["unpaid", "open", "closed", "cancelled", "none"]
"""What a status of an order means; "none": it is not an order yet, such as a draft."""


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of a WooCommerce channel.

    ``base_url`` is the shop's root. ``key_is``: what the listings' keys are: "id" for "123", or "120/125" for
    variation 125 of product 120; "sku" for the shop's own SKU, which is looked up once. ``backorders``: "no" ends that
    a product is sold at 0, "keep" leaves it as the shop has it. ``items_max`` is lowered where the shop has lowered its
    own limit. ``requests_per_s`` counts reading and writing apart, and orders apart from stock.

    ``variation_keys``: how the listings of variations are written where ``key_is`` "id". ``order_statuses``: what the
    statuses of plugins mean, and where the shop's own are to mean something else. ``completed_is_shipped``: orders are
    completed when they have left. ``bundles``: whether the "parts" of a bundle have its units, or the "whole".
    ``shipment_notes``: the buyer gets a note with the tracking of a shipment.
    """

    base_url: str
    key_is: Literal["id", "sku"] = "id"
    backorders: Literal["keep", "no"] = "keep"
    items_max: Annotated[int, Meta(ge=1, le=ITEMS_MAX)] = ITEMS_MAX
    requests_per_s: Annotated[float, Meta(gt=0, le=1_000)] = 4.0
    variation_keys: Literal["product/variation", "variation"] = "product/variation"
    order_statuses: dict[str, Meaning] = {}
    completed_is_shipped: bool = False
    bundles: Literal["parts", "whole"] = "parts"
    shipment_notes: bool = True

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
    """A value and where it goes. ``cached``: the place was looked up earlier and may have changed since."""

    item: Item
    place: Place
    cached: bool


class Shop:
    """One shop: its requests, and the places of listings that were looked up."""

    def __init__(self, options: Options, consumer_key: str, consumer_secret: str) -> None:
        self._key_is = options.key_is
        self._root = options.base_url.rstrip("/") + "/wp-json/wc/v3"
        token = b64encode(f"{consumer_key}:{consumer_secret}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}", "Accept": "application/json"}
        self._places: dict[str, Place] = {}
        self._similar: dict[Place, str] = {}  # SKUs that were found in another case

    def batch(self, parent: int, elements: Sequence[Mapping[str, Any]]) -> Request:
        """Return the request that updates products, or the variations of one."""
        headers = {**self._headers, "Content-Type": "application/json"}
        return Request("POST", f"{self._root}{route(parent)}/batch", headers, msgspec.json.encode({"update": elements}))

    def said(self, method: str, path: str, body: Mapping[str, Any]) -> Request:
        """Return the request that says something about an order."""
        headers = {**self._headers, "Content-Type": "application/json"}
        return Request(method, self._root + path, headers, msgspec.json.encode(body), group=COMMANDS)

    def forget(self, key: str) -> None:
        """Forget where a listing is, so that it is looked up again."""
        place = self._places.pop(key, None)
        if place is not None and self._similar.get(place) == key:
            del self._similar[place]

    def locate(self, items: Sequence[Item]) -> Exchange[tuple[Outcomes, list[Located]]]:
        """Return where each value goes, and the outcomes of those whose place is not found."""
        cached = self._places.keys() & {item.key for item in items}
        if self._key_is == "sku":
            refused = yield from self._look_up([item.key for item in items if item.key not in cached])
        else:
            refused = {}
        outcomes: Outcomes = {}
        located = []
        for item in items:
            place = self._place(item.key, item.attributes.get("parent_id", ""))
            if place is None:
                outcomes[item.key] = refused.get(item.key, NOT_AN_ID)
            else:
                located.append(Located(item, place, item.key in cached))
        return outcomes, located

    def _place(self, key: str, parent: str = "") -> Place | None:
        """Return where a listing is. A parent that stands beside the key is kept, since reading has only keys."""
        written, slash, number = key.rpartition("/")
        parent = written if slash else parent or "0"
        if self._key_is == "sku" or not (_is_number(parent) and _is_number(number)):
            return self._places.get(key)
        place = Place(int(parent), int(number))
        if place.parent and not slash:
            self._places[key] = place
        return place if place.parent else self._places.get(key, place)

    def places_of(self, keys: Sequence[str]) -> Exchange[dict[str, Place]]:
        """Return the places of those keys that have one."""
        if self._key_is == "sku":
            yield from self._look_up([key for key in keys if key not in self._places])
        places = {key: self._place(key) for key in keys}
        return {key: place for key, place in places.items() if place is not None}

    def _look_up(self, skus: Sequence[str]) -> Exchange[dict[str, Rejected]]:
        """Keep the places of SKUs; return why the others have none. The shop looks them up without regard to case."""
        rows: set[tuple[str, Place]] = set()
        for some in _lookups(skus):
            query = ",".join(quote(sku, safe="") for sku in some)
            for row in (yield from self.rows(f"/products?sku={query}&_fields=id,parent_id,sku,type")):
                rows.add((str(row.get("sku")), _place_of(row)))
        found = KeyLookup(skus).found((name, (name, place)) for name, place in sorted(rows))
        refused: dict[str, Rejected] = {}
        for sku in skus:
            there = found.get(sku, [])
            if len(there) == 1:
                refused |= self._keep(sku, *there[0])
            else:
                refused[sku] = _no_single_place(sku, [place for _, place in there])
        return refused

    def _keep(self, sku: str, name: str, place: Place) -> dict[str, Rejected]:
        """Keep the place of a SKU that the shop calls ``name``; where these differ, a listing of that name goes first.

        Return who was refused for it.
        """
        if name == sku:
            self._places[sku] = place
            other = self._similar.pop(place, "")
            return {other: _listed_as(other, name, sku)} if self._places.pop(other, None) else {}
        other = name if name in self._places else self._similar.setdefault(place, sku)
        if other != sku:
            return {sku: _listed_as(sku, name, other)}
        self._places[sku] = place
        return {}

    def find_variation(self, each: Located) -> Exchange[bool]:
        """Look up the parent of a variation for the next push; returns whether it is one, or may be."""
        try:
            place = yield from self.place_of(each.place.id)
        except ChannelError:
            return True
        if place.parent:
            self.keep(each.item.key, place)
        return bool(place.parent)

    def place_of(self, number: int) -> Exchange[Place]:
        """Return where an id is in the shop, which answers for products and variations alike."""
        answer = yield from self.get(f"/products/{number}?_fields=id,parent_id,type")
        return _place_of(json_of(answer))

    def keep(self, key: str, place: Place) -> None:
        """Keep where a listing is."""
        self._places[key] = place

    def rows(self, path: str) -> Exchange[list[dict[str, Any]]]:
        """Read a page of a collection; one that the shop does not know is empty."""
        return (yield from self.rows_if_there(path, "invalid")) or []

    def rows_if_there(self, path: str, gone: str = "") -> Exchange[list[dict[str, Any]] | None]:
        """Read a page of a collection; None: the shop answers 404 with a code that contains ``gone``."""
        answer = yield from self.get(f"{path}&per_page={ITEMS_MAX}")
        found = json_of(answer)
        if answer.status == NOT_FOUND and gone in refusal_of(found).code:
            return None
        if answer.status != OK or not isinstance(found, list):
            raise unexpected(answer)
        return [row for row in found if isinstance(row, dict)]

    def get(self, path: str, group: str = READ) -> Exchange[Answer]:
        """Read something, whatever the shop answers about it."""
        try:
            answer = yield Request("GET", self._root + path, self._headers, group=group)
        except UnknownResultError as error:
            # A read changes nothing, so the result is known: no value was sent.
            raise UnavailableError(f"no answer to a read: {error.reason}", error.after_s) from None
        check_status(answer)
        return answer


def route(parent: int) -> str:
    """Return the path of the products, or of the variations of one."""
    return f"/products/{parent}/variations" if parent else "/products"


def _lookups(skus: Sequence[str]) -> list[list[str]]:
    """Split SKUs into lists that fit a request. One with a comma goes alone: the shop also looks for the whole text."""
    plain = [sku for sku in skus if "," not in sku]
    lists = [plain[start : start + SKUS_PER_LOOKUP] for start in range(0, len(plain), SKUS_PER_LOOKUP)]
    return lists + [[sku] for sku in skus if "," in sku]


# -- answers


def refusal_of(error: Any) -> Rejected:
    """Return an error of the shop, as far as its code and message are there."""
    fields = error if isinstance(error, dict) else {}
    code, message = (str(fields.get(name) or "") for name in ("code", "message"))
    return Rejected(code or "unnamed", excerpt((message or str(error)).encode()))


def unexpected(answer: Answer) -> UnavailableError:
    """Return the error for an answer of another form."""
    return UnavailableError(f"HTTP {answer.status} with an answer of another form: {excerpt(answer.body)}")


def _place_of(row: Any) -> Place:
    fields = row if isinstance(row, dict) else {}
    parent = fields.get("parent_id") if fields.get("type") == "variation" else 0
    return Place(whole(parent) or 0, whole(fields.get("id")) or 0)


def _no_single_place(sku: str, places: Iterable[Place]) -> Rejected:
    ids = ", ".join(str(place.id) for place in sorted(places))
    if not ids:
        return Rejected("sku_not_found", f"the shop has nothing with the SKU {sku!r}")
    return Rejected("sku_not_unique", f"the shop has the SKU {sku!r} several times: {ids}; list it by id")


def _listed_as(sku: str, name: str, other: str) -> Rejected:
    reason = f"the shop has the SKU {sku!r} only as {name!r}, which is listed as {other!r}"
    return Rejected("sku_not_unique", reason)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def whole(value: Any) -> int | None:
    """Return a count, which some plugins turn into a float or a text; None: it is none."""
    if isinstance(value, str):
        return int(value) if _is_number(value.removeprefix("-")) else None
    if isinstance(value, int | float) and not isinstance(value, bool) and value == int(value):
        return int(value)
    return None
