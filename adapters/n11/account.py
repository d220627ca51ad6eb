"""A seller's account at n11: its options, its headers, and its limits."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from adapters.contract.http import COMMANDS, ORDERS, READ, WRITE
from adapters.contract.limits import Limit, TokenBucket, Window


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach one seller's account.

    ``integrator`` is the name that n11 requires in each task. ``requests_per_s``, of pushes, of reads and of what is
    said about orders each, polls included: n11 publishes no limit of its tasks, so the default is a cautious guess.
    ``read_back`` False compares nothing with the channel.

    ``orders_per_min``: lists of packages and single orders that may be read in a minute. ``sender``: only packages of
    this sender are asked for; empty: of all, also those that n11 ships itself. ``hours_ahead``: how far the times of
    packages are ahead of UTC. ``single_order_by``: whether all packages of an order are asked for at once, or by each
    status. All three are unverified.
    """

    base_url: Annotated[str, Meta(min_length=1)] = "https://api.n11.com"
    integrator: Annotated[str, Meta(min_length=1, max_length=100)] = "Holdfast"
    requests_per_s: Annotated[float, Meta(gt=0, le=1000)] = 1.0
    read_back: bool = True
    orders_per_min: Annotated[int, Meta(ge=1, le=1000)] = 600
    sender: Literal["SELLER", ""] = "SELLER"
    hours_ahead: Literal[0, 3] = 0
    single_order_by: Literal["number", "status"] = "number"


MINUTE_S: Final = 60.0


def headers(app_key: str, app_secret: str) -> dict[str, str]:
    """Return the headers of every request."""
    return {
        "appkey": app_key,
        "appsecret": app_secret,
        "Accept": "application/json",
        "Content-Type": "application/json",
    }


def limits(options: Options) -> tuple[Limit, ...]:
    """Return what the options allow: of orders a part of the 1000 requests a minute that n11 documents."""
    per_s = options.requests_per_s
    buckets = (TokenBucket(per_s=per_s, burst=max(1.0, per_s), group=group) for group in (WRITE, READ, COMMANDS))
    return (*buckets, Window(options.orders_per_min, MINUTE_S, ORDERS))
