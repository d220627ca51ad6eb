"""How an adapter is driven, under the name that the tests of this repository use."""

from adapters.testing.driving import NOW_S, PATIENT_S, Driven

__all__ = ["NOW_S", "PATIENT_S", "Driven"]
