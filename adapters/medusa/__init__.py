"""Medusa: stock and orders of a shop through the admin API."""

from typing import Final

from adapters.contract.adapter import Kind
from adapters.medusa.orders import Medusa
from adapters.medusa.shop import MedusaOptions

__all__ = ["ADAPTER", "Medusa", "MedusaOptions"]

ADAPTER: Final = Kind(
    name="medusa",
    summary="Medusa: stock and orders by the admin API",
    options=MedusaOptions,
    credentials=("secret_key",),
    build=Medusa,
)
