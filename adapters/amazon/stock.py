"""Publishes stock and prices of a seller's own offers to Amazon, one by one or many in a feed, and reads them back.

Contract: the published models of August 2026. Nothing of it was run against a real account. A patch is answered as
accepted, which is not yet live. Offers that Amazon ships itself are never told a number.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import quote

import msgspec

from adapters.amazon import feeds
from adapters.amazon.account import Options, checked, fault_of, limits
from adapters.amazon.orders import AmazonOrders
from adapters.contract.adapter import Capabilities
from adapters.contract.errors import ChannelError, UnavailableError, UnknownResultError
from adapters.contract.http import Answer, Exchange, Request, excerpt, json_as
from adapters.contract.stock import Applied, Item, Outcome, Outcomes, Rejected, Retry, StillPending, Ticket, Unknown

ITEMS_MAX: Final = 1_000
"""In one push; Amazon takes 25,000 messages in a feed."""
READ_ITEMS_MAX: Final = 500
"""Compared at once: each takes a request, at five a second."""
POLL_EVERY_S: Final = 15.0
TICKET_LIFE_S: Final = 6 * 3_600.0
"""How long a feed may take is not published. Unverified."""
SKU_MAX: Final = 40
OWN: Final = "DEFAULT"
FBA: Final = Rejected("fulfilled_by_amazon", "Amazon ships this offer itself; unlist it here")
NO_SKU: Final = Rejected("not_a_sku", f"a key is the seller's SKU, of {SKU_MAX} characters at most")
BESIDE: Final = Retry("not_sent", "another item is not to be sent", after_s=0.0)
LATER: Final = Retry("not_sent", "another SKU of the feed has its number by chance", after_s=60.0)
_CENT: Final = Decimal("0.01")
_OK: Final = 200
_NOT_FOUND: Final = 404
_BAD_REQUEST: Final = 400


class Availability(msgspec.Struct, rename="camel"):
    """What is shown, by who ships it."""

    fulfillment_channel_code: str = ""
    quantity: int | None = None


class ItemRow(msgspec.Struct, rename="camel"):
    """An offer as it is shown."""

    sku: str = ""
    fulfillment_availability: list[Availability] | None = None

    @property
    def is_fba(self) -> bool:
        """Whether Amazon ships it itself."""
        return any(each.fulfillment_channel_code.startswith("AMAZON") for each in self.fulfillment_availability or ())

    @property
    def shown(self) -> int | None:
        """The number of the seller's own stock."""
        own = (each.quantity for each in self.fulfillment_availability or () if each.fulfillment_channel_code == OWN)
        return next(own, None)


class Issue(msgspec.Struct):
    """What is wrong with a patch."""

    code: str | None = None
    message: str | None = None
    severity: str | None = None


class Submission(msgspec.Struct):
    """The answer to a patch."""

    status: str
    issues: list[Issue] | None = None


class Amazon(AmazonOrders):
    """One seller's account at one marketplace; a listing's key is the seller's SKU."""

    def __init__(self, options: Options, credentials: Mapping[str, str]) -> None:
        super().__init__(options, credentials)
        self._own: set[str] = set()
        """SKUs that were looked at, and that the seller ships."""
        self._capabilities = Capabilities(
            items_max=ITEMS_MAX,
            poll_every_s=POLL_EVERY_S,
            ticket_life_s=TICKET_LIFE_S,
            read_items_max=READ_ITEMS_MAX if options.read_back else 0,
            quantity_max=options.quantity_max,
            takes_price=True,
            own_sale="lowers",
            limits=limits(options),
            intake=self.intake(),
        )

    @property
    def capabilities(self) -> Capabilities:
        """What Amazon documents, and the options allow."""
        return self._capabilities

    # -- pushing

    def push(self, items: Sequence[Item], now_s: float) -> Exchange[Outcomes | Ticket]:  # noqa: ARG002  # unsigned
        """Patch few offers one by one; send many as a feed."""
        refused: Outcomes = {item.key: NO_SKU for item in items if not 0 < len(item.key) <= SKU_MAX}
        for item in items:
            if item.key not in refused and self._options.skip_fba and item.key not in self._own:
                row = yield from self._row(item.key)
                if row is not None and row.is_fba:
                    refused[item.key] = FBA
                elif row is not None:
                    self._own.add(item.key)
        sent = [item for item in items if item.key not in refused]
        if not sent:
            return refused
        if len(sent) < self._options.feed_from:
            return refused | (yield from self._patched(sent))
        numbered = {feeds.message_id(item.key): item for item in sent}
        late = {item.key for item in sent} - {item.key for item in numbered.values()}
        if refused or late:
            beside: Outcomes = {item.key: BESIDE for item in sent}
            return beside | dict.fromkeys(late, LATER) | refused
        messages = [self._message(number, item) for number, item in numbered.items()]
        return (yield from feeds.send(self._session, self._options, messages))

    def _patched(self, items: Sequence[Item]) -> Exchange[Outcomes]:
        outcomes: Outcomes = {}
        for number, item in enumerate(items):
            try:
                answer = yield self._patch(item)
                checked(answer)
                outcomes[item.key] = _outcome(answer)
            except ChannelError as error:
                if not number:
                    raise
                lost = isinstance(error, UnknownResultError)
                outcomes[item.key] = Unknown(error.reason) if lost else Retry("failed", error.reason, error.after_s)
                later = Retry("not_sent", "the one before it failed", error.after_s)
                return outcomes | {each.key: later for each in items[number + 1 :]}
        return outcomes

    def _patch(self, item: Item) -> Request:
        path = f"/listings/2021-08-01/items/{self._options.seller_id}/{quote(item.key, safe='')}"
        body = {"productType": self._options.product_type, "patches": self._patches(item)}
        return self._session.send("PATCH", f"{path}?marketplaceIds={self._options.marketplace_id}", body)

    def _message(self, number: int, item: Item) -> dict[str, Any]:
        return {
            "messageId": number,
            "sku": item.key,
            "operationType": "PATCH",
            "productType": self._options.product_type,
            "patches": self._patches(item),
        }

    def _patches(self, item: Item) -> list[dict[str, Any]]:
        number = {"fulfillment_channel_code": OWN, "quantity": item.quantity}
        patches = [{"op": "merge", "path": "/attributes/fulfillment_availability", "value": [number]}]
        price = _price(item.price)
        if price is not None:
            schedule = [{"schedule": [{"value_with_tax": msgspec.Raw(f"{price:f}".encode())}]}]
            offer = {
                "marketplace_id": self._options.marketplace_id,
                "currency": item.currency or self._options.currency,
                "our_price": schedule,
            }
            patches.append({"op": "merge", "path": "/attributes/purchasable_offer", "value": [offer]})
        return patches

    # -- the report of a feed

    def poll(self, ticket_id: str, keys: Sequence[str]) -> Exchange[Outcomes | StillPending]:
        """Ask what became of a feed."""
        return feeds.poll(self._session, ticket_id, keys)

    # -- reading

    def read(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:
        """Read what is shown, offer by offer; what Amazon ships itself is left out."""
        if not self._options.read_back:
            raise TypeError("reading back is switched off")
        return self._read(keys)

    def _read(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:
        shown = {}
        for key in keys:
            row = yield from self._row(key)
            if row is not None and not row.is_fba and row.shown is not None:
                shown[key] = row.shown
        return shown

    def _row(self, key: str) -> Exchange[ItemRow | None]:
        """Read an offer; None: Amazon does not know it."""
        path = f"/listings/2021-08-01/items/{self._options.seller_id}/{quote(key, safe='')}"
        query = {"marketplaceIds": self._options.marketplace_id, "includedData": "fulfillmentAvailability"}
        try:
            answer = yield self._session.get(path, query)
        except UnknownResultError as error:
            raise UnavailableError(f"no answer to a read: {error.reason}", error.after_s) from None
        if answer.status == _NOT_FOUND:
            return None
        checked(answer)
        if answer.status != _OK:
            raise UnavailableError(f"HTTP {answer.status}: {excerpt(answer.body)}")
        return json_as(ItemRow, answer)


def _outcome(answer: Answer) -> Outcome:
    if answer.status >= _BAD_REQUEST:
        return Rejected(*fault_of(answer))
    submission = json_as(Submission, answer)
    if submission.status.upper() == "ACCEPTED":
        return Applied()
    errors = [each for each in submission.issues or () if (each.severity or "ERROR").upper() == "ERROR"]
    words = "; ".join(filter(None, (each.message for each in errors)))
    return Rejected(next((each.code for each in errors if each.code), "invalid"), words or "no reason was given")


def _price(text: str | None) -> Decimal | None:
    """Read a price in whole cents."""
    try:
        price = Decimal(text or "")
        return price.quantize(_CENT) if price > 0 and price == price.quantize(_CENT) else None
    except InvalidOperation:
        return None
