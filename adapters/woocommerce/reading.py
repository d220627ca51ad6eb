"""Reads the stock of a WooCommerce shop back: products in one request, variations of all products in another."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from adapters.contract.http import Exchange
from adapters.woocommerce.shop import Place, Shop, route, whole

_FIELDS: Final = "_fields=id,parent_id,manage_stock,stock_quantity,backorders"

Rows = dict[int, dict[str, Any]]


def read(shop: Shop, keys: Sequence[str], *, ends_backorders: bool) -> Exchange[dict[str, int]]:
    """Return ``stock_quantity`` by key; what does not manage its own stock has no number and is left out.

    So is what can be ordered at 0 where that is to be ended: it does not show what it was told, and is told again.
    The collection of products leaves variations out, also those that are asked for by their id. So what is missing
    there is looked for among the variations.
    """
    places = yield from shop.places_of(keys)
    rows = yield from _products(shop, {place.id for place in places.values() if not place.parent})
    missing = {key: place for key, place in places.items() if place.parent or place.id not in rows}
    if missing:
        rows |= yield from _variations(shop, missing)
    if ends_backorders:
        rows = {number: row for number, row in rows.items() if row.get("backorders", "no") == "no"}
    shown = {key: _quantity(rows.get(place.id), place) for key, place in places.items()}
    return {key: quantity for key, quantity in shown.items() if quantity is not None}


def _products(shop: Shop, ids: Iterable[int]) -> Exchange[Rows]:
    return _by_id((yield from shop.rows(_path(route(0), ids)))) if ids else {}


def _variations(shop: Shop, wanted: Mapping[str, Place]) -> Exchange[Rows]:
    found = yield from shop.rows_if_there(_path("/variations", {place.id for place in wanted.values()}))
    rows = _by_id(found or ())
    missing = [place for place in wanted.values() if place.id not in rows]
    rows |= _by_id((yield from _one_by_one(shop, missing)))
    for key, place in wanted.items():
        parent = whole(rows.get(place.id, {}).get("parent_id"))
        if parent and not place.parent:
            shop.keep(key, Place(parent, place.id))
    return rows


def _one_by_one(shop: Shop, wanted: Iterable[Place]) -> Exchange[list[dict[str, Any]]]:
    """Read variations that the collection of all of them leaves out, or that has none: product by product."""
    ids: dict[int, set[int]] = {}
    for place in wanted:
        parent = place.parent or (yield from shop.place_of(place.id)).parent
        ids.setdefault(parent, set()).add(place.id)
    rows = []
    for parent, some in ids.items():
        if parent:
            found = yield from shop.rows(_path(route(parent), some))
            rows += [{**row, "parent_id": parent} for row in found]
    return rows


def _path(collection: str, ids: Iterable[int]) -> str:
    return f"{collection}?include={','.join(map(str, sorted(ids)))}&{_FIELDS}"


def _by_id(rows: Iterable[dict[str, Any]]) -> Rows:
    return {row["id"]: row for row in rows if isinstance(row.get("id"), int)}


def _quantity(row: Mapping[str, Any] | None, place: Place) -> int | None:
    """Return the number of a row; None: there is none, or it is not this listing's."""
    # "parent" instead of true: the number is the parent's own.
    if row is None or row.get("manage_stock") is not True:
        return None
    is_elsewhere = place.parent and whole(row.get("parent_id")) != place.parent
    return None if is_elsewhere else whole(row.get("stock_quantity"))
