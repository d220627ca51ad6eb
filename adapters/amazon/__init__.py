"""Amazon: stock and prices of a seller's own offers, alone or in feeds, orders by their changes, and tokens."""

from collections.abc import Mapping
from typing import Final

from adapters.amazon.account import AmazonGrant, Options
from adapters.amazon.stock import Amazon
from adapters.contract.adapter import Kind

__all__ = ["ADAPTER", "Amazon", "AmazonGrant", "Options"]


def _build(options: Options, credentials: Mapping[str, str]) -> Amazon:
    return Amazon(options, credentials)


def _grant(options: Options, credentials: Mapping[str, str]) -> AmazonGrant:
    return AmazonGrant(options, credentials)


ADAPTER: Final = Kind(
    name="amazon",
    summary="A seller's account at one Amazon marketplace: stock and prices of own offers; orders",
    options=Options,
    credentials=("client_id", "client_secret"),
    build=_build,
    grant=_grant,
    sign_in_with=("refresh_token",),
)
