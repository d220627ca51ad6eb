"""What has to be known of a Tryton database before anything can be told: its warehouses, its customer, its company."""

from typing import TypeVar

import msgspec

from adapters.contract.errors import ClosedError
from adapters.contract.http import Exchange
from adapters.tryton.wire import Database, Options, RefusedError

R = TypeVar("R")


class Warehouse(msgspec.Struct):
    """A warehouse: where its goods lie, and where they leave."""

    id: int
    storage: int = msgspec.field(name="storage_location")
    output: int = msgspec.field(name="output_location")


class Customer(msgspec.Struct):
    """The party that all is shipped to."""

    id: int
    addresses: list[int]
    location: int = msgspec.field(name="customer_location")


class _Company(msgspec.Struct):
    id: int
    currency: int


class Warehouses:
    """Reads each once: they do not change while a shop is open. A new adapter reads them anew."""

    def __init__(self, database: Database, options: Options) -> None:
        self._database = database
        self._options = options
        self._warehouses: dict[str, Warehouse] = {}
        self._customer: Customer | None = None
        self._currency = 0

    def of(self, location: str) -> Exchange[Warehouse]:
        """Return the warehouse of a location.

        Raises
        ------
        ClosedError
            There is none with this id.

        """
        if location not in self._warehouses:
            number = self._options.locations[location]
            fields = ["storage_location", "output_location"]
            self._warehouses[location] = yield from self._one("stock.location", number, fields, Warehouse)
        return self._warehouses[location]

    def customer(self) -> Exchange[Customer]:
        """Return the party that all is shipped to.

        Raises
        ------
        ClosedError
            There is none with this id, or it has no address.

        """
        if self._customer is None:
            number = self._options.customer_id
            found = yield from self._one("party.party", number, ["addresses", "customer_location"], Customer)
            if not found.addresses:
                raise ClosedError(f"the party {number} has no address to ship to; give it one in Tryton")
            self._customer = found
        return self._customer

    def currency(self) -> Exchange[int]:
        """Return the company's currency."""
        if not self._currency:
            number = self._options.company_id
            self._currency = (yield from self._one("company.company", number, ["currency"], _Company)).currency
        return self._currency

    def _one(self, model: str, number: int, fields: list[str], into: type[R]) -> Exchange[R]:
        arguments = [[["id", "=", number]], 0, 1, None, fields]
        try:
            found = yield from self._database.call(model, "search_read", arguments, list[into])  # type: ignore[valid-type]
        except RefusedError as error:
            raise ClosedError(str(error)) from None
        if not found:
            raise ClosedError(f"Tryton has no {model} with the id {number}")
        first: R = found[0]
        return first
