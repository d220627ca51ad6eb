"""What all simulated channels share, under the name that the tests of this repository use."""

from adapters.testing.simulator import PAGE, Fault, Simulator

__all__ = ["PAGE", "Fault", "Simulator"]
