"""Tryton, by its JSON-RPC: stock is read from products, and orders become customer shipments there."""

from adapters.contract.adapter import Kind
from adapters.tryton.source import Tryton
from adapters.tryton.wire import Options

SOURCE = Kind(
    name="tryton",
    summary="Tryton as the owner of stock, by JSON-RPC",
    options=Options,
    credentials=("password",),
    build=Tryton,
)
"""The kind that the configuration file calls ``tryton``."""
