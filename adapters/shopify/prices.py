"""Sets the prices of a Shopify shop's variants, product by product, and compares what the shop answers."""

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from adapters.contract.errors import ChannelError, SpoiledError, UnavailableError, UnknownResultError
from adapters.contract.http import Exchange
from adapters.contract.stock import Item, Outcome, Outcomes, PriceRejected, Retry, Unknown
from adapters.shopify.graphql import (
    MUTATION_POINTS,
    SET_PRICES,
    TOO_BIG,
    DeniedError,
    PricesAnswer,
    SchemaError,
    Session,
    UserError,
    Variant,
    gid,
    part,
    rows_of,
)

_BESIDE: Final = Retry("PRICE_NOT_APPLIED", "the price of another variant of the product was refused", after_s=0.0)


def set_prices(session: Session, items: Iterable[Item]) -> Exchange[Outcomes]:
    """Set prices; returns the outcomes of those only that were not applied."""
    outcomes: Outcomes = {}
    products = _by_product(items)
    for number, (product, priced) in enumerate(products.items()):
        try:
            outcomes |= yield from _set_prices_of(session, product, priced)
        except ChannelError as error:
            unsent = [item for group in list(products.values())[number + 1 :] for item in group]
            return outcomes | _cut_short(error, priced, unsent)
    return outcomes


def _set_prices_of(session: Session, product: str, items: Sequence[Item]) -> Exchange[Outcomes]:
    variables = {"productId": product, "variants": [_variant(item) for item in items]}
    try:
        answer = yield from session.ask(SET_PRICES, variables, MUTATION_POINTS)
    except SpoiledError as error:
        if len(items) == 1 and error.code not in TOO_BIG:
            return {items[0].key: PriceRejected(error.code, f"price: {error.reason}")}
        if len(items) == 1:
            raise
        middle = len(items) // 2
        first = yield from _set_prices_of(session, product, items[:middle])
        return first | (yield from _set_prices_of(session, product, items[middle:]))
    answered = part(answer, "data.productVariantsBulkUpdate", PricesAnswer)
    if answered.user_errors:
        return _verdict(items, answered.user_errors)
    return _compared(items, answered.product_variants or [])


# -- requests


def _by_product(items: Iterable[Item]) -> dict[str, list[Item]]:
    products: dict[str, list[Item]] = {}
    for item in items:
        product, variant = (item.attributes.get(name) for name in ("product_id", "variant_id"))
        if item.price is not None and product and variant:
            products.setdefault(gid("Product", product), []).append(item)
    return products


def _variant(item: Item) -> dict[str, Any]:
    variant = {"id": _variant_gid(item), "price": item.price}
    return variant if item.list_price is None else {**variant, "compareAtPrice": item.list_price}


def _variant_gid(item: Item) -> str:
    return gid("ProductVariant", item.attributes["variant_id"])


# -- answers


def _verdict(items: Sequence[Item], errors: Sequence[UserError]) -> Outcomes:
    rows = rows_of(errors, "variants")
    named = {row: PriceRejected(error.name, f"price: {error.message}") for row, error in rows.items()}
    # An error that names no variant is about the product, and so about all of them.
    rest = _BESIDE if named else PriceRejected(errors[0].name, f"price: {errors[0].message}")
    return {item.key: named.get(row, rest) for row, item in enumerate(items)}


def _compared(items: Sequence[Item], variants: Sequence[Variant]) -> Outcomes:
    """Reject the prices of which the shop answers that it has others; what it does not answer counts as applied."""
    shown = {variant.id: variant for variant in variants}
    outcomes: Outcomes = {}
    for item in items:
        variant = shown.get(_variant_gid(item), Variant(""))
        for name, sent, has in (
            ("price", item.price, variant.price),
            ("compareAtPrice", item.list_price, variant.compare_at_price),
        ):
            if sent is not None and has is not None and not _is_equal(sent, has):
                outcomes[item.key] = PriceRejected(
                    "OTHER_PRICE", f"price: the shop answers with {name} {has} to {sent}"
                )
    return outcomes


def _is_equal(sent: str, has: str) -> bool:
    try:
        return Decimal(sent) == Decimal(has)
    except InvalidOperation:
        return False


def _cut_short(error: ChannelError, failed: Iterable[Item], unsent: Sequence[Item]) -> Outcomes:
    if isinstance(error, SchemaError | DeniedError):
        # Of prices alone: the quantities were taken, and no later try of a price would be.
        refused = PriceRejected("PRICES_NOT_TAKEN", f"price: {error.reason}")
        return dict.fromkeys((item.key for item in (*failed, *unsent)), refused)
    # At once: these are not to blame, and the next push finds what is wrong with the channel.
    later = Retry("PRICE_NOT_SENT", f"price: {error.reason}", after_s=0.0)
    failure: Outcome = later
    if isinstance(error, UnknownResultError):
        failure = Unknown(later.reason)
    elif isinstance(error, SpoiledError | UnavailableError):
        failure = Retry(later.code, later.reason, error.after_s)
    outcomes: Outcomes = dict.fromkeys((item.key for item in failed), failure)
    return outcomes | dict.fromkeys((item.key for item in unsent), later)
