"""What Hepsiburada reads and answers about listings: rows of an upload, its verdict, and pages of listings."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal, NamedTuple

import msgspec

from adapters.contract.http import REASON_CHARACTERS_MAX
from adapters.contract.key_lookup import KeyLookup, folded
from adapters.contract.stock import Item

KeyIs = Literal["merchant_sku", "hepsiburada_sku"]
FIELD: Final[dict[KeyIs, str]] = {"merchant_sku": "merchantSku", "hepsiburada_sku": "hepsiburadaSku"}
_DONE: Final = frozenset({"done", "completed"})
_FAILED: Final = "failed"
_CENT: Final = Decimal("0.01")


class Upload(msgspec.Struct, rename="camel"):
    """The answer about an upload. Only what failed is listed."""

    status: str | None = None
    errors: list[dict[str, Any]] | None = None
    price_validations: list[dict[str, Any]] | None = None

    @property
    def is_failed(self) -> bool:
        """Whether it failed, in whole or in part."""
        return folded(self.status or "") == _FAILED

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come of it; the words for it vary."""
        return self.is_failed or folded(self.status or "") in _DONE


class Faults(NamedTuple):
    """What an upload says of its rows: the reasons by key, and whether all that it says is about a known key."""

    by_key: dict[str, str]
    are_all_known: bool


class Listing(msgspec.Struct, rename="camel"):
    """What is shown of one listing."""

    merchant_sku: str | None = None
    hepsiburada_sku: str | None = None
    available_stock: int | None = None
    is_fulfilled_by_hb: bool | None = msgspec.field(default=None, name="isFulfilledByHB")


class Page(msgspec.Struct):
    """One page of a merchant's listings."""

    listings: list[Listing]


def stock_row(item: Item, key_is: KeyIs) -> dict[str, Any]:
    """Return a quantity as Hepsiburada reads it."""
    return {FIELD[key_is]: item.key, "availableStock": item.quantity}


def price_row(item: Item, key_is: KeyIs) -> dict[str, Any] | None:
    """Return a price as Hepsiburada reads it; None: it has none that it could take, in whole cents."""
    try:
        price = Decimal(item.price or "")
        if price <= 0 or price != price.quantize(_CENT):
            return None
    except InvalidOperation:
        return None
    return {FIELD[key_is]: item.key, "price": msgspec.Raw(f"{price.quantize(_CENT):f}".encode())}


def faults_of(upload: Upload, keys: Sequence[str]) -> Faults:
    """Return why rows of an upload failed. Their SKUs come back in capitals."""
    known, found, are_all_known = KeyLookup(keys), dict[str, str](), True
    by_number = {each.get("elementNo"): _key_of(each, known) for each in upload.errors or ()}
    for each in (*(upload.errors or ()), *(upload.price_validations or ())):
        key = _key_of(each, known) or by_number.get(each.get("elementNo"))
        if key is None:
            are_all_known = False
        else:
            found[key] = "; ".join(filter(None, (found.get(key), _reason(each))))[:REASON_CHARACTERS_MAX]
    return Faults(found, are_all_known)


def _key_of(row: dict[str, Any], known: KeyLookup) -> str | None:
    for name in FIELD.values():
        key = known.find(row.get(name)) if row.get(name) else None
        if key is not None:
            return key
    return None


def _reason(row: dict[str, Any]) -> str:
    if "type" in row:
        return f"{row['type']}: from {row.get('minPrice')} to {row.get('maxPrice')}"
    reasons = row.get("errors")
    parts = reasons if isinstance(reasons, list) else [reasons]
    return "; ".join(str(part) for part in parts if part) or "no reason was given"
