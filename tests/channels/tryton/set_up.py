"""Runs in Tryton's own environment: a company, a customer, and goods with units of each in the warehouse.

python set_up.py URI CONFIG SKU:UNITS …    prints the ids that the tests need, as JSON
"""

import datetime as dt
import json
import sys
from decimal import Decimal
from typing import Any

from proteus import Model, config
from trytond.modules.company.tests.tools import create_company, get_company


def main(uri: str, file: str, *goods: str) -> None:
    config.set_trytond(database=uri, config_file=file)
    create_company()
    company = get_company()
    party = Model.get("party.party")(name="Holdfast")
    party.addresses.new()
    party.save()
    locations = Model.get("stock.location")
    [warehouse] = locations.find([("type", "=", "warehouse")])
    [supplier] = locations.find([("type", "=", "supplier")])
    [unit] = Model.get("product.uom").find([("name", "=", "Unit")])
    arrive = [_arrival(_product(sku, unit), float(units), supplier, warehouse, company) for sku, units in _split(goods)]
    for move in arrive:
        move.save()
    Model.get("stock.move").click(arrive, "do")
    json.dump(
        {
            "company": company.id,
            "currency": company.currency.id,
            "customer": party.id,
            "warehouse": warehouse.id,
            "storage": warehouse.storage_location.id,
            "input": warehouse.input_location.id,
            "supplier": supplier.id,
        },
        sys.stdout,
    )


def _split(goods: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(sku, units) for sku, _, units in (each.rpartition(":") for each in goods)]


def _product(sku: str, unit: Any) -> Any:
    template = Model.get("product.template")()
    template.name, template.type, template.default_uom = sku, "goods", unit
    template.list_price = Decimal(10)
    [product] = template.products
    product.suffix_code = sku
    template.save()
    return template.products[0]


def _arrival(product: Any, units: float, supplier: Any, warehouse: Any, company: Any) -> Any:
    move = Model.get("stock.move")()
    move.product, move.quantity = product, units
    move.from_location, move.to_location = supplier, warehouse.storage_location
    move.unit_price, move.currency = Decimal(1), company.currency
    move.planned_date = dt.date.today()  # noqa: DTZ011  # Tryton's days have no zone
    return move


if __name__ == "__main__":
    main(*sys.argv[1:])
