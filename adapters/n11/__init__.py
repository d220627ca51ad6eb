"""n11: stock and prices by stock code, accepted as a task that is polled until it is processed; and orders."""

from collections.abc import Mapping
from typing import Final

from adapters.contract.adapter import Kind
from adapters.n11.account import Options
from adapters.n11.stock import N11

__all__ = ["ADAPTER", "N11", "Options"]


def _build(options: Options, credentials: Mapping[str, str]) -> N11:
    return N11(options, credentials["app_key"], credentials["app_secret"])


ADAPTER: Final = Kind(
    name="n11",
    summary="An n11 seller account: stock and prices by stock code, in tasks; orders",
    options=Options,
    credentials=("app_key", "app_secret"),
    build=_build,
)
