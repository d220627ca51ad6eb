"""Publishes stock and prices to a WooCommerce shop in batches by id, and reads stock back.

Contract: WooCommerce REST API v3, as documented by the channel. Errors of single items come inside an answer of 200.
Core has no rate limit and no idempotency; the shop's hosting is the limit, so ``requests_per_s`` is low by default.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from adapters.contract.adapter import Capabilities
from adapters.contract.errors import ChannelError, SpoiledError, UnavailableError, UnknownResultError
from adapters.contract.http import COMMANDS, ORDERS, READ, WRITE, Answer, Exchange, check_status, json_of
from adapters.contract.limits import TokenBucket
from adapters.contract.stock import Applied, Item, Outcome, Outcomes, Rejected, Retry, Unknown
from adapters.woocommerce.orders import WooCommerceOrders
from adapters.woocommerce.prices import other_price, price_fields
from adapters.woocommerce.reading import read
from adapters.woocommerce.shop import ITEMS_MAX, NOT_FOUND, OK, Located, refusal_of, unexpected, whole

_BAD_REQUEST: Final = 400
_TOO_LARGE: Final = 413
_IS_A_VARIATION: Final = "woocommerce_rest_invalid_product_id"


class WooCommerce(WooCommerceOrders):
    """The adapter of one shop."""

    @property
    def capabilities(self) -> Capabilities:
        """Results come item by item and at once. However many requests a push takes, one push runs at a time."""
        per_s, groups = self._options.requests_per_s, (WRITE, READ, ORDERS, COMMANDS)
        return Capabilities(
            items_max=self._options.items_max,
            read_items_max=ITEMS_MAX,
            takes_price=True,
            own_sale="lowers",
            limits=tuple(TokenBucket(per_s=per_s, burst=max(1.0, per_s), group=group) for group in groups),
            intake=self.intake(),
        )

    def push(self, items: Sequence[Item], now_s: float) -> Exchange[Outcomes]:  # noqa: ARG002  # nothing is signed
        """Send values, one request for plain products and one for each product with variations.

        An error in a later request becomes the outcome of its items, so that the outcomes of earlier ones are kept.
        """
        outcomes, located = yield from self._shop.locate(items)
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
        """Read ``stock_quantity``; a product that does not manage its own stock has no number and is left out."""
        return read(self._shop, keys, ends_backorders=self._options.backorders == "no")

    # -- writing

    def _update(self, group: Sequence[Located]) -> Exchange[Outcomes]:
        answer = yield self._shop.batch(group[0].place.parent, [self._element(each) for each in group])
        check_status(answer)
        if answer.status != OK:
            return self._whole_group(answer, group)
        outcomes: Outcomes = {}
        for each, row in _matched(answer, group):
            outcomes[each.item.key] = yield from self._outcome(each, row)
        return outcomes

    def _element(self, each: Located) -> dict[str, Any]:
        quantity = {"manage_stock": True, "stock_quantity": each.item.quantity}
        backorders = {} if self._options.backorders == "keep" else {"backorders": self._options.backorders}
        return {"id": each.place.id, **quantity, **backorders, **price_fields(each.item)}

    def _outcome(self, each: Located, row: Mapping[str, Any] | None) -> Exchange[Outcome]:
        if row is None:
            return Unknown("the shop's answer does not name this id")
        if "error" not in row:
            return self._echoed(each.item, row)
        refusal = refusal_of(row["error"])
        if refusal.code == _IS_A_VARIATION and (yield from self._shop.find_variation(each)):
            return Retry(refusal.code, refusal.reason)
        return self._refused(each, refusal)

    def _echoed(self, item: Item, row: Mapping[str, Any]) -> Outcome:
        """Return the outcome by what the shop answers that it shows now; what a row leaves out counts as applied."""
        if row.get("manage_stock", True) is False:
            return Rejected("stock_not_managed", "the shop answers that it does not manage the stock of this product")
        shows = row.get("stock_quantity", item.quantity)
        if whole(shows) != item.quantity:
            return Retry("other_quantity", f"the shop answers with stock_quantity {shows!r} to {item.quantity}")
        wanted = self._options.backorders
        if wanted != "keep" and row.get("backorders", wanted) != wanted:
            reason = f"the shop answers with backorders {row['backorders']!r}: it sells the product also at 0"
            return Rejected("other_backorders", reason)
        return other_price(item, row) or Applied()

    def _refused(self, each: Located, refusal: Rejected) -> Outcome:
        if "invalid" not in refusal.code:
            return Retry(refusal.code, refusal.reason)
        self._shop.forget(each.item.key)
        if each.cached:
            return Retry(refusal.code, f"{refusal.reason} (to be looked up again)")
        return refusal

    def _whole_group(self, answer: Answer, group: Sequence[Located]) -> Outcomes:
        refusal = refusal_of(json_of(answer))
        if answer.status == NOT_FOUND and group[0].place.parent and "invalid" in refusal.code:
            return {each.item.key: self._refused(each, refusal) for each in group}
        if answer.status in (_BAD_REQUEST, _TOO_LARGE):
            raise SpoiledError(refusal.code, refusal.reason)
        raise unexpected(answer)


def _by_parent(located: Iterable[Located]) -> list[list[Located]]:
    groups: dict[int, list[Located]] = {}
    for each in located:
        groups.setdefault(each.place.parent, []).append(each)
    return list(groups.values())


# -- answers


def _matched(answer: Answer, group: Sequence[Located]) -> Iterator[tuple[Located, Mapping[str, Any] | None]]:
    """Match each value to its row: the one at its position unless that has another id, else the one with its id."""
    body = json_of(answer)
    rows = body.get("update") if isinstance(body, dict) else None
    if not isinstance(rows, list):
        raise unexpected(answer)
    rows = [row if isinstance(row, dict) else {"id": None, "error": row} for row in rows]
    by_id = {row.get("id"): row for row in rows}
    for position, each in enumerate(group):
        row = rows[position] if position < len(rows) else None
        # Releases of the shop have answered null for the id of a refused element.
        if row is None or row.get("id") not in (each.place.id, None):
            row = by_id.get(each.place.id)
        yield each, row


def _cut_short(error: ChannelError, group: Sequence[Located], unsent: Iterable[Sequence[Located]]) -> Outcomes:
    """Return the outcomes of the items of a failed request, and of those that were not sent after it."""
    # At once: these are not to blame, and the next push finds what is wrong with the channel.
    later = Retry("not_sent", f"another request of this push failed: {error.reason}", after_s=0.0)
    failure: Outcome = later
    if isinstance(error, UnknownResultError):
        failure = Unknown(error.reason)
    elif isinstance(error, SpoiledError) and len(group) == 1:
        failure = Rejected(error.code, error.reason)
    elif isinstance(error, SpoiledError | UnavailableError):
        failure = Retry("unavailable", error.reason, error.after_s)
    outcomes: Outcomes = dict.fromkeys((each.item.key for each in group), failure)
    return outcomes | dict.fromkeys((each.item.key for other in unsent for each in other), later)
