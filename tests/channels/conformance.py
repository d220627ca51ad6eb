"""The suite of every kind, under the name that the tests of this repository use."""

from adapters.testing.conformance import Conformance

__all__ = ["Conformance"]
