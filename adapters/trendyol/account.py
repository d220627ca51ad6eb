"""A seller's account at Trendyol: its options, its headers, and the limits of its tier."""

from base64 import b64encode
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from adapters.contract.http import COMMANDS, ORDERS, READ, WRITE
from adapters.contract.limits import Limit, PerItem, Window

HOSTS: Final = {"prod": "https://apigw.trendyol.com", "stage": "https://stageapigw.trendyol.com"}
"""The stage answers 503 to addresses that Trendyol has not allowed."""
PER_MIN: Final = {
    "50k": (350, 1000),
    "75k": (500, 1000),
    "150k": (1000, 1000),
    "500k": (1500, 1000),
    "unlimited": (2000, 1000),
    "international-100k": (350, 1000),
    "international-350k": (500, 1250),
    "international-500k": (1000, 1500),
    "international-unlimited": (1500, 2000),
}
"""Stock and price writes, and reads, by listing tier, shared by the whole account; documented by the channel. Of reads
it documents 1000 to 2000 without the tiers of sellers in Türkiye, who begin with the least."""
PRICES_PER_MIN: Final = 30
"""Prices of one barcode; further ones fail as items. Documented by the channel."""
STREAM: Final = "orders_stream"
"""The group of the pages of changed packages: they have a limit of their own."""
STREAM_WINDOW: Final = (1, 5.0)
"""Requests and seconds of that stream. Documented by the channel."""
SHORT_WINDOW: Final = (50, 10.0)
"""Requests and seconds for one endpoint, from a page that disagrees with the tiers; the tighter is obeyed."""


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach one seller's account.

    ``integrator`` is part of the User-Agent that Trendyol requires. ``store_front_code`` is for international sellers.
    ``base_url`` replaces the host of ``environment``. ``tier`` is the account's listing tier, ``reads_per_min`` its
    limit of reads, polls included, where it is another than the tier's. ``obey_short_window`` False ignores
    the rule of 50 requests in 10 s for an endpoint, which the higher tiers contradict. ``read_back`` False compares
    nothing with the channel.

    ``orders_per_min``: single orders and pages of claims that may be read in a minute. ``carrier``: who carries the
    parcels: Trendyol's carrier, which tells itself that they left, or the seller's "own", whose tracking is told by
    number, for "international" sellers with the provider, or by "link". ``claim_issue_reason_id``: the number of the
    reason with which claims are refused; 0: none, and they cannot be.

    ``identical_body_words`` identify the refusal of a body that was sent before, as documented. ``passing_words`` in an
    item's failure mean that it is worth another try, as when a price changed too often; their wording is unverified.
    """

    seller_id: Annotated[int, Meta(ge=1)]
    environment: Literal["prod", "stage"] = "prod"
    base_url: str = ""
    integrator: Annotated[str, Meta(pattern="^[A-Za-z0-9]{1,30}$")] = "SelfIntegration"
    store_front_code: Annotated[str, Meta(pattern="^[A-Za-z]{0,8}$")] = ""
    tier: Literal[
        "50k",
        "75k",
        "150k",
        "500k",
        "unlimited",
        "international-100k",
        "international-350k",
        "international-500k",
        "international-unlimited",
    ] = "50k"
    reads_per_min: Annotated[int, Meta(ge=1, le=2000)] | None = None
    obey_short_window: bool = True
    read_back: bool = True
    orders_per_min: Annotated[int, Meta(ge=1, le=1000)] = 30
    carrier: Literal["trendyol", "own", "international", "link"] = "trendyol"
    claim_issue_reason_id: Annotated[int, Meta(ge=0)] = 0
    identical_body_words: Annotated[str, Meta(min_length=1)] = "aynı isteği"
    passing_words: tuple[str, ...] = ("dakika", "per minute", "daha sonra", "try again")


def host_of(options: Options) -> str:
    """Return where the account is reached."""
    return (options.base_url or HOSTS[options.environment]).rstrip("/")


def headers(options: Options, api_key: str, api_secret: str) -> dict[str, str]:
    """Return the headers of every request."""
    always = {
        "Authorization": "Basic " + b64encode(f"{api_key}:{api_secret}".encode()).decode(),
        "User-Agent": f"{options.seller_id} - {options.integrator}",
        "Accept": "application/json",
    }
    return {**always, "storeFrontCode": options.store_front_code} if options.store_front_code else always


def limits(options: Options) -> tuple[Limit, ...]:
    """Return the limits of the account's tier."""
    writes_per_min, reads_per_min = PER_MIN[options.tier]
    of_tier: tuple[Limit, ...] = (
        Window(writes_per_min, 60.0, WRITE),
        Window(options.reads_per_min or reads_per_min, 60.0, READ),
        PerItem(PRICES_PER_MIN, 60.0, priced=True),
        Window(*STREAM_WINDOW, STREAM),
        Window(options.orders_per_min, 60.0, ORDERS),
        Window(*SHORT_WINDOW, COMMANDS),
    )
    if not options.obey_short_window:
        return of_tier
    # Reads have two endpoints, and share what one of them may do.
    return (*of_tier, Window(*SHORT_WINDOW, WRITE), Window(*SHORT_WINDOW, READ))
