"""A merchant's account at Hepsiburada: its options, its headers, and its limits."""

from base64 import b64encode
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from adapters.contract.http import COMMANDS, ORDERS, READ, WRITE
from adapters.contract.limits import Limit, TokenBucket, Window
from adapters.contract.orders import RefusalReason

LISTINGS: Final = {
    "prod": "https://listing-external.hepsiburada.com",
    "sit": "https://listing-external-sit.hepsiburada.com",
}
ORDERS_AT: Final = {"prod": "https://oms-external.hepsiburada.com", "sit": "https://oms-external-sit.hepsiburada.com"}
DAY_S: Final = 86_400.0
Meaning = Literal["unpaid", "open", "shipped", "delivered", "cancelled"]
"""What the status of a line means for its pieces."""


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach one merchant's account.

    ``integrator`` is the user name that Hepsiburada gave the integrator: the User-Agent. ``listings_url`` and
    ``orders_url`` replace the hosts of ``environment``. ``key_is`` says which SKU a listing's key is. ``items_max``:
    rows of one upload, which Hepsiburada documents as 4000 and a third party has seen limited to 1000. ``daily_items``:
    the account's daily quota of rows; 0: unknown. ``uploads_per_s``, ``reads_per_s`` and ``orders_per_s``: requests a
    second. ``skip_depot``: listings that Hepsiburada ships itself are looked up, and never told a number.
    ``busy_words`` identify the refusal of an upload because too many are waiting.

    ``carrier``: Hepsiburada's, which tells itself that a parcel left, or the merchant's "own". ``deci``: the volume of
    a parcel that is packed. ``refusal_reason_ids``: Hepsiburada's number of each reason; without it nothing can be
    refused for that reason. ``line_statuses``: what words for the status of a line mean.
    """

    merchant_id: Annotated[str, Meta(pattern="^[0-9a-fA-F-]{36}$")]
    integrator: Annotated[str, Meta(pattern="^[!-~]{1,100}$")]
    environment: Literal["prod", "sit"] = "prod"
    listings_url: str = ""
    orders_url: str = ""
    key_is: Literal["merchant_sku", "hepsiburada_sku"] = "merchant_sku"
    items_max: Annotated[int, Meta(ge=1, le=4000)] = 1000
    daily_items: Annotated[int, Meta(ge=0)] = 0
    uploads_per_s: Annotated[float, Meta(gt=0, le=100)] = 0.2
    reads_per_s: Annotated[float, Meta(gt=0, le=1000)] = 2.0
    orders_per_s: Annotated[float, Meta(gt=0, le=1000)] = 10.0
    read_back: bool = True
    skip_depot: bool = True
    busy_words: tuple[str, ...] = ("too many", "ongoing", "waiting")
    carrier: Literal["hepsiburada", "own"] = "hepsiburada"
    deci: Annotated[int, Meta(ge=1, le=10_000)] = 1
    refusal_reason_ids: dict[RefusalReason, int] = {}
    line_statuses: dict[str, Meaning] = {}


def headers(options: Options, service_key: str) -> dict[str, str]:
    """Return the headers of every request."""
    return {
        "Authorization": "Basic " + b64encode(f"{options.merchant_id}:{service_key}".encode()).decode(),
        "User-Agent": options.integrator,
        "Accept": "application/json",
    }


def listings_at(options: Options) -> str:
    """Return the root of the merchant's listings."""
    host = (options.listings_url or LISTINGS[options.environment]).rstrip("/")
    return f"{host}/listings/merchantid/{options.merchant_id}"


def orders_host(options: Options) -> str:
    """Return where orders are."""
    return (options.orders_url or ORDERS_AT[options.environment]).rstrip("/")


def limits(options: Options) -> tuple[Limit, ...]:
    """Return what the options allow."""
    rates = (
        (options.uploads_per_s, WRITE),
        (options.reads_per_s, READ),
        (options.orders_per_s, ORDERS),
        (options.orders_per_s, COMMANDS),
    )
    buckets = tuple(TokenBucket(per_s=per_s, burst=max(1.0, per_s), group=group) for per_s, group in rates)
    return (*buckets, Window(options.daily_items, DAY_S, WRITE, of="items")) if options.daily_items else buckets
