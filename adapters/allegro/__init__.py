"""Allegro: stock and prices of offers by commands, orders by its event log, and tokens that rotate."""

from collections.abc import Mapping
from typing import Final

from adapters.allegro.account import AllegroGrant, Options
from adapters.allegro.stock import Allegro
from adapters.contract.adapter import Kind

__all__ = ["ADAPTER", "Allegro", "AllegroGrant", "Options"]


def _build(options: Options, credentials: Mapping[str, str]) -> Allegro:
    return Allegro(options, credentials)


def _grant(options: Options, credentials: Mapping[str, str]) -> AllegroGrant:
    return AllegroGrant(options, credentials)


ADAPTER: Final = Kind(
    name="allegro",
    summary="An Allegro seller account: stock and prices of offers; orders",
    options=Options,
    credentials=("client_id", "client_secret"),
    build=_build,
    grant=_grant,
    sign_in_with=("code", "refresh_token"),
)
