"""eMAG in Romania, Bulgaria and Hungary: stock and prices of offers, orders, and what is said about them."""

from collections.abc import Mapping
from typing import Final

from adapters.contract.adapter import Kind
from adapters.emag.account import Options
from adapters.emag.stock import Emag

__all__ = ["ADAPTER", "Emag", "Options"]


def _build(options: Options, credentials: Mapping[str, str]) -> Emag:
    return Emag(options, credentials)


ADAPTER: Final = Kind(
    name="emag",
    summary="An eMAG seller account in one country: stock and prices of offers; orders",
    options=Options,
    credentials=("username", "password"),
    optional_credentials=("callback_secret",),
    build=_build,
)
