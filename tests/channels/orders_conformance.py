"""The suite of every kind with orders, under the name that the tests of this repository use."""

from adapters.testing.orders_conformance import LATER_S, OrdersConformance
from adapters.testing.seller import START_MS, Seller

__all__ = ["LATER_S", "START_MS", "OrdersConformance", "Seller"]
