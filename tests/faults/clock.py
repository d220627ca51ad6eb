"""."""

from typing import Final

from tests.faults.registry import Fault

FAULTS: Final[tuple[Fault, ...]] = ()
