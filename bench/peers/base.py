"""What the side-by-side bench asks of every peer, whatever it is built on."""

import secrets
import shutil
from typing import Any, Final, NamedTuple, Protocol

from bench.harness.load import PATH as RESERVATIONS
from bench.harness.load import Target
from bench.harness.stock import SPREAD_SKUS, sku

UNITS: Final = 500_000_000
"""Of each SKU under load: more than any run can sell."""
RACE_SKU, EXPIRY_SKU = SPREAD_SKUS, SPREAD_SKUS + 1
"""SKUs that the load never asks for: one runs out, the holds of the other expire."""


class MissingError(Exception):
    """A peer cannot be had on this machine; the message says what is missing and which command brings it."""


class Ask(NamedTuple):
    """One request for one unit, as a peer wants it."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]


class Recorded(NamedTuple):
    """What a peer itself has recorded: units that its reservations hold, and units missing from what is available."""

    reserved: int
    gone: int


class Peer(Protocol):
    """One running server that reserves stock."""

    url: str
    expires: bool
    """Whether a hold can be given a deadline at all."""

    @property
    def target(self) -> Target:
        """How it is put under load."""
        ...

    def ask(self, number: int, ttl_s: int) -> Ask:
        """Make a request for one unit of the SKU of this number."""
        ...

    def put(self, number: int, units: int) -> None:
        """Set the units of a SKU."""
        ...

    def available(self, number: int) -> int:
        """Read how many units of a SKU can still be reserved."""
        ...

    def recorded(self) -> Recorded:
        """Read what it has recorded of the SKUs under load."""
        ...

    def settle(self) -> None:
        """Wait until it is done with what the loader hung up on."""
        ...


def holdfast_like(number: int, ttl_s: int) -> Ask:
    """Ask as Holdfast is asked."""
    line = {"sku": sku(number), "quantity": 1}
    body = {"reservation_id": secrets.token_hex(8), "channel": "web", "ttl_s": ttl_s, "lines": [line]}
    return Ask(RESERVATIONS, body, {})


def needed(command: str, how: str) -> str:
    """Find a command.

    Raises
    ------
    MissingError
        There is none; ``how`` says how to get it.

    """
    if (found := shutil.which(command)) is None:
        raise MissingError(f"{command} is missing: {how}")
    return found
