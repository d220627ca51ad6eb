"""Odoo, by its JSON-RPC: stock is read from products, and orders become sale orders there."""

from adapters.contract.adapter import Kind
from adapters.odoo.source import Odoo
from adapters.odoo.wire import Options

SOURCE = Kind(
    name="odoo",
    summary="Odoo as the owner of stock, by JSON-RPC",
    options=Options,
    credentials=("password",),
    build=Odoo,
)
"""The kind that the configuration file calls ``odoo``."""
