"""Hepsiburada: stock and prices of a merchant's account by SKU, in uploads; its orders, and what is said about them."""

from collections.abc import Mapping
from typing import Final

from adapters.contract.adapter import Kind
from adapters.hepsiburada.account import Options
from adapters.hepsiburada.stock import Hepsiburada

__all__ = ["ADAPTER", "Hepsiburada", "Options"]


def _build(options: Options, credentials: Mapping[str, str]) -> Hepsiburada:
    return Hepsiburada(options, credentials)


ADAPTER: Final = Kind(
    name="hepsiburada",
    summary="A Hepsiburada merchant account: stock and prices by SKU, in uploads; orders",
    options=Options,
    credentials=("service_key",),
    optional_credentials=("notification_user", "notification_password"),
    build=_build,
)
