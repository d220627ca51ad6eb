"""The made-up marketplace as a kind of channel."""
# ruff: noqa: INP001  # found by its path, in no package

from collections.abc import Mapping

import msgspec

from adapters.contract.adapter import Kind
from tests.channels.orders_simulator import PlainOrders


class Options(msgspec.Struct, forbid_unknown_fields=True):
    """Where it is, and what its intake is like."""

    url: str
    pulls: bool = True
    hears: bool = True
    authentic_by: str = "hmac"
    pull_every_s: float = 0.2
    own_sale: str = "lowers"


def _build(options: Options, credentials: Mapping[str, str]) -> PlainOrders:
    intake = {
        "pulls": options.pulls,
        "hears": options.hears,
        "authentic_by": options.authentic_by,
        "pull_every_s": options.pull_every_s,
    }
    return PlainOrders(options.url, intake=intake, secret=credentials["secret"], own_sale=options.own_sale)


ADAPTER = Kind("market", "A made-up marketplace", Options, ("secret",), _build)
