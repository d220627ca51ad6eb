"""WooCommerce: stock, prices and orders of a shop through its REST API v3."""

from collections.abc import Mapping
from typing import Final

from adapters.contract.adapter import Kind
from adapters.woocommerce.shop import Options
from adapters.woocommerce.stock import WooCommerce

__all__ = ["ADAPTER", "Options", "WooCommerce"]


def _build(options: Options, credentials: Mapping[str, str]) -> WooCommerce:
    return WooCommerce(options, credentials)


ADAPTER: Final = Kind(
    name="woocommerce",
    summary="A WooCommerce shop, by its REST API v3",
    options=Options,
    credentials=("consumer_key", "consumer_secret"),
    optional_credentials=("webhook_secret",),
    build=_build,
)
