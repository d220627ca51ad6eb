"""Claims of Trendyol's buyers: returns as the channel tells them, one entry for each unit."""

from typing import Any, Final, Literal

import msgspec

from adapters.contract.orders import ReturnCase, ReturnLine, Unreadable
from adapters.trendyol.packages import Id, text

State = Literal["asked", "under_way", "arrived", "accepted", "refused", "closed"]

STATES: Final[dict[str, State]] = {
    "created": "asked",
    "waitinginaction": "arrived",
    "waitingfraudcheck": "arrived",
    "inanalysis": "arrived",
    "accepted": "accepted",
    "unresolved": "refused",
    "rejected": "refused",
    "cancelled": "closed",
}
"""Of one unit; a status that is not known counts as asked for."""
_OPEN_FIRST: Final[tuple[State, ...]] = ("arrived", "asked", "accepted", "refused", "closed")
"""A claim is what the first of these is that one of its units has: what waits for the seller is not overlooked."""
_TO_BE_ANSWERED: Final = "waitinginaction"
ANSWER_MS: Final = 48 * 3_600_000
"""What the seller has not answered by then is accepted by itself. Documented by the channel."""


class Named(msgspec.Struct):
    """A status, or a reason."""

    name: str | None = None
    code: str | None = None


class ClaimUnit(msgspec.Struct, rename="camel"):
    """One unit that is claimed."""

    id: Id
    claim_item_status: Named
    customer_claim_item_reason: Named | None = None

    @property
    def word(self) -> str:
        """Its status, as it is compared."""
        return (self.claim_item_status.name or "").strip().casefold()

    @property
    def state(self) -> State:
        """What its status means."""
        return STATES.get(self.word, "asked")


class ClaimLine(msgspec.Struct):
    """The line of the order that units are of."""

    id: Id
    barcode: str | None = None


class ClaimItem(msgspec.Struct, rename="camel"):
    """The claimed units of one line."""

    order_line: ClaimLine
    claim_items: list[ClaimUnit]


class ClaimRow(msgspec.Struct, rename="camel"):
    """A claim; the packages of a replacement have their names in lower case there."""

    id: Id
    order_number: Id
    items: list[ClaimItem]
    last_modified_date: int = 0
    claim_date: int = 0
    replacement: Any = msgspec.field(default=None, name="replacementOutboundpackageinfo")

    @property
    def changed_ms(self) -> int:
        """When it changed last."""
        return self.last_modified_date or self.claim_date


_decode: Final = msgspec.json.Decoder(ClaimRow).decode
_decode_any: Final = msgspec.json.Decoder(dict[str, Any]).decode


def cases_of(raw: list[msgspec.Raw]) -> tuple[list[ReturnCase], list[Unreadable]]:
    """Read the claims of a page one by one, in their order."""
    cases, unreadable = [], []
    for each in raw:
        try:
            cases.append(_case(_decode(each)))
        except msgspec.MsgspecError as error:
            order, case = _names_of(each)
            unreadable.append(Unreadable(key=order, case=case, reason=f"a claim: {error}"))
    return cases, unreadable


def _names_of(raw: msgspec.Raw) -> tuple[str, str]:
    """Return the number of the order, and the name of the claim, as far as they can be read."""
    try:
        fields = _decode_any(raw)
    except msgspec.MsgspecError:
        return "", ""
    return text(fields.get("orderNumber")), text(fields.get("id"))


def _case(row: ClaimRow) -> ReturnCase:
    units = [unit for item in row.items for unit in item.claim_items]
    states = {unit.state for unit in units}
    is_waiting = any(unit.word == _TO_BE_ANSWERED for unit in units)
    return ReturnCase(
        key=text(row.id),
        order_key=text(row.order_number),
        lines=tuple(line for item in row.items for line in _lines(item)),
        state=next((state for state in _OPEN_FIRST if state in states), "closed"),
        changed_ms=row.changed_ms,
        deadline_ms=row.changed_ms + ANSWER_MS if is_waiting else 0,
        replacement=bool(row.replacement),
    )


def _lines(item: ClaimItem) -> list[ReturnLine]:
    """Return the units of a line by the reason that their buyers gave; what a buyer withdrew is not among them."""
    by_reason: dict[str, list[str]] = {}
    for unit in item.claim_items:
        if unit.state != "closed":
            reason = unit.customer_claim_item_reason or Named()
            by_reason.setdefault(reason.code or reason.name or "", []).append(text(unit.id))
    line, listing = text(item.order_line.id), item.order_line.barcode or ""
    return [
        ReturnLine(line=line, listing=listing, quantity=len(units), units=tuple(units), reason=reason)
        for reason, units in by_reason.items()
    ]
