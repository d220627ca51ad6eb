"""Acme against a simulation of it: the suites that every kind has to pass, for stock and for orders."""

from collections.abc import Mapping
from typing import Any, ClassVar

from acme_simulator import SECRET, TOKEN, AcmeSimulator
from adapters.testing.conformance import Conformance
from adapters.testing.driving import Driving
from adapters.testing.orders_conformance import OrdersConformance
from holdfast_acme import ADAPTER
from holdfast_acme.orders import PAGE


class OfAcme(Driving[AcmeSimulator]):
    """What both suites need to know."""

    kind = ADAPTER
    credentials: ClassVar[Mapping[str, str]] = {"token": TOKEN}
    unknown_words = "no such article"

    def make_simulator(self) -> AcmeSimulator:
        return AcmeSimulator()

    def options_for(self, simulator: AcmeSimulator) -> dict[str, Any]:
        return {"base_url": simulator.url}


class TestAcme(OfAcme, Conformance[AcmeSimulator]):
    pass


class TestAcmeOrders(OfAcme, OrdersConformance[AcmeSimulator]):
    heard_with: ClassVar[Mapping[str, str]] = {"webhook_secret": SECRET}
    page_size = PAGE
    orders_path = "/orders"
    command_path = "/orders/"
