"""Oscar: stock, prices and orders of a django-oscar shop, by django-oscar-api and the shop's dashboard."""

from typing import Final

from adapters.contract.adapter import Kind
from adapters.oscar.orders import Oscar
from adapters.oscar.shop import OscarOptions

__all__ = ["ADAPTER", "Oscar", "OscarOptions"]

ADAPTER: Final = Kind(
    name="oscar",
    summary="A django-oscar shop, by django-oscar-api",
    options=OscarOptions,
    credentials=("username", "password"),
    build=Oscar,
)
