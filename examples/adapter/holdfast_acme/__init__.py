"""Acme: stock and orders of an account, as a kind of channel for Holdfast."""

from typing import Final

from adapters.contract.adapter import Kind
from holdfast_acme.orders import Acme
from holdfast_acme.stock import AcmeOptions

__all__ = ["ADAPTER", "Acme", "AcmeOptions"]

ADAPTER: Final = Kind(
    name="acme",
    summary="Acme: stock and orders of an account",
    options=AcmeOptions,
    credentials=("token",),
    optional_credentials=("webhook_secret",),
    build=Acme,
    contract=1,  # the number that this package was written for, and not the name CONTRACT, which would be always right
)
