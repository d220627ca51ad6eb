"""Vendure: stock, prices and orders of a shop through the admin GraphQL API."""

from typing import Final

from adapters.contract.adapter import Kind
from adapters.vendure.graphql import VendureOptions
from adapters.vendure.orders import Vendure

__all__ = ["ADAPTER", "Vendure", "VendureOptions"]

ADAPTER: Final = Kind(
    name="vendure",
    summary="Vendure: stock, prices and orders by the admin API",
    options=VendureOptions,
    credentials=(),
    optional_credentials=("username", "password", "api_key", "token"),
    build=Vendure,
)
