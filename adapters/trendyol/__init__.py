"""Trendyol: stock and prices of a seller's account, by barcode, and its orders, claims and shipments."""

from collections.abc import Mapping
from typing import Final

from adapters.contract.adapter import Kind
from adapters.trendyol.account import Options
from adapters.trendyol.stock import Trendyol

__all__ = ["ADAPTER", "Options", "Trendyol"]


def _build(options: Options, credentials: Mapping[str, str]) -> Trendyol:
    return Trendyol(options, credentials)


ADAPTER: Final = Kind(
    name="trendyol",
    summary="A Trendyol seller account: stock and prices by barcode, in tickets; orders and claims",
    options=Options,
    credentials=("api_key", "api_secret"),
    optional_credentials=("notification_user", "notification_password", "notification_api_key"),
    build=_build,
)
