"""What is to be run."""

from dataclasses import dataclass

from tests.rigs.rolling_upgrade.releases import Release


@dataclass(frozen=True)
class Plan:
    """``seconds``: under load, beside what starting and stopping takes. ``rate``: requests per second, of all callers.

    ``notice``: a server leaves the rotation before it is stopped; else the balancer has to find out.
    """

    old: Release
    new: Release
    seconds: float
    seed: int
    rate: float
    callers: int
    roll_back: bool = True
    notice: bool = True
