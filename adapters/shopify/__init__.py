"""Shopify: stock and prices of one location of a shop through the GraphQL Admin API, and the shop's orders."""

from typing import Final

from adapters.contract.adapter import Kind
from adapters.shopify.account import Options
from adapters.shopify.stock import Shopify

__all__ = ["ADAPTER", "Options", "Shopify"]

ADAPTER: Final = Kind(
    name="shopify",
    summary="One location of a Shopify shop, by its GraphQL Admin API; orders",
    options=Options,
    credentials=("access_token",),
    optional_credentials=("webhook_secret",),
    build=lambda options, credentials: Shopify(
        options, credentials["access_token"], credentials.get("webhook_secret", "")
    ),
)
