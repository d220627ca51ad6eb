"""What callers send about promises that exist and may be bound or exchanged: types that validate, and make OpenAPI."""

from typing import Literal

import msgspec

from server.api.bodies import Body, Location, OrderBody, Parts, Reference, ReserveBody, ReturnBody, SourcingBody


class CommitBody(Body, frozen=True):
    """Commit the named parts, or all. What is not named is released, or kept until its deadline.

    Open lines are taken from where ``sourcing`` says, if units are there, or from ``location`` and nowhere else.
    """

    lines: Parts | None = None
    remainder: Literal["release", "keep"] = "release"
    order_ref: Reference | None = None
    sourcing: SourcingBody | msgspec.UnsetType = msgspec.UNSET
    location: Location | msgspec.UnsetType = msgspec.UNSET


class FulfilBody(Body, frozen=True):
    """Ship the named parts of what is committed, or all; open lines from where ``sourcing`` or ``location`` says."""

    lines: Parts | None = None
    tracking: Reference | None = None
    carrier: Reference | None = None
    invoice_ref: Reference | None = None
    sourcing: SourcingBody | msgspec.UnsetType = msgspec.UNSET
    location: Location | msgspec.UnsetType = msgspec.UNSET


class ExchangeBody(Body, frozen=True):
    """What comes back, and what is promised instead: either a ``reservation`` or an ``order``."""

    return_: ReturnBody = msgspec.field(name="return")
    reservation: ReserveBody | msgspec.UnsetType = msgspec.UNSET
    order: OrderBody | msgspec.UnsetType = msgspec.UNSET
