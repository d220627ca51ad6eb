"""What simulated channels that sell have in common, under the name that the tests of this repository use."""

from adapters.testing.order_side import BUYER, PERSONAL, PHONE, STREET, OrderSide, Truth

__all__ = ["BUYER", "PERSONAL", "PHONE", "STREET", "OrderSide", "Truth"]
