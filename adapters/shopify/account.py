"""A Shopify shop's options."""

from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

FIRST_VERSION: Final = "2026-04"
"""Earlier versions compare under other names and require no idempotency key."""
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of a Shopify channel.

    ``shop`` is the name that ends in .myshopify.com; ``location_id`` the location of the stock, as number or gid.
    ``points_per_s`` depends on the shop's plan. ``items_max``: the channel's general limit of a list, unverified for
    this one. ``base_url`` replaces the shop's address, for a proxy.

    ``keys_are``: the form of the keys of listings, in which orders name them. ``other_locations``: what is sold from
    another location of the shop is only "recorded", or it is "ours" and takes stock. ``reads_buyers`` False leaves out
    who has bought, for an app that may not know. ``notifies_buyers``: the shop writes to the buyer about shipments and
    cancels. ``refunds_refused``: an order that is refused whole is paid back.
    """

    shop: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]*\.myshopify\.com$")]
    location_id: Annotated[str, Meta(pattern=r"^(gid://shopify/Location/)?[0-9]+$")]
    api_version: Annotated[str, Meta(pattern=r"^20[0-9]{2}-(01|04|07|10)$")] = "2026-07"
    points_per_s: Literal[100, 200, 1000, 2000] = 100
    items_max: Annotated[int, Meta(ge=1, le=250)] = 250
    base_url: str = ""
    keys_are: Literal["number", "gid"] = "number"
    other_locations: Literal["recorded", "ours"] = "recorded"
    reads_buyers: bool = True
    notifies_buyers: bool = True
    refunds_refused: bool = False

    def __post_init__(self) -> None:
        if self.api_version < FIRST_VERSION:
            raise ValueError(f"api_version must be {FIRST_VERSION} or later: before it, quantities were set otherwise")
        parts = urlsplit(self.base_url or f"https://{self.shop}")
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise ValueError("base_url must begin with https://; the access token travels with every request")
