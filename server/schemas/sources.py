"""Sources over the wire: how each stands, what of it waits for a person, and what people decide."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from server.domain.channels import Circuit
from server.domain.sources import WAITING_PER_PAGE_MAX, Decision
from server.domain.sudden_changes import ListSuspicion, Suspicion
from server.schemas.common import Body, Location, Sku


class SourceView(msgspec.Struct, frozen=True):
    """How a source stands. ``known_at``: as of when its numbers are known, null: never.

    ``whole_at``: when everything was last read. ``places``: for how many it has numbers; ``waiting``: that are not
    believed and wait for a person. ``untold``: orders that it is yet to be told of, the oldest for ``untold_oldest_s``;
    ``refused``: that it does not take. ``not_counted``: numbers that the stock did not take. ``supplies``: receipts
    that it expects. ``unreadable``: some SKUs whose number is none. ``late``: its numbers are too old, and are taken
    for what its rules say. ``lead_time_days``: how long its units take until they can be shipped.
    """

    source: str
    kind: str
    publisher_missing: bool
    circuit: Circuit
    reason: str
    known_at: datetime | None
    whole_at: datetime | None
    places: int
    waiting: int
    untold: int
    untold_oldest_s: float
    refused: int
    not_counted: int
    supplies: int
    unreadable: list[str]
    late: bool
    lead_time_days: float


class SourceList(msgspec.Struct, frozen=True):
    """All configured sources."""

    sources: list[SourceView]


class WaitingQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many are shown at most."""

    limit: Annotated[int, Meta(ge=1, le=WAITING_PER_PAGE_MAX)] = 100


class WaitingNumberView(msgspec.Struct, frozen=True):
    """A number that is not believed: it stands at ``before``, and the source says ``after``.

    Without SKU and location the list as a whole waits, and the two are numbers of places.
    """

    sku: str | None
    location: str | None
    why: Suspicion | ListSuspicion
    before: int
    after: int
    since: datetime
    decision: Decision
    decided_by: str


class RefusedOrderView(msgspec.Struct, frozen=True):
    """An order that the source does not take, in its words."""

    reservation_id: str
    channel: str
    order: str
    reason: str


class WaitingList(msgspec.Struct, frozen=True):
    """What of a source waits for a person. ``complete`` false: there is more."""

    numbers: list[WaitingNumberView]
    orders: list[RefusedOrderView]
    complete: bool


class PlaceBody(Body, frozen=True):
    """A SKU at a location."""

    sku: Sku
    location: Location


class DecisionBody(Body, frozen=True):
    """What a person decides. Without ``places`` it is about all numbers that wait now, the whole list among them."""

    decision: Literal["confirmed", "refused"]
    places: Annotated[list[PlaceBody], Meta(min_length=1, max_length=WAITING_PER_PAGE_MAX)] | msgspec.UnsetType = (
        msgspec.UNSET
    )


class SourceAsked(msgspec.Struct, frozen=True):
    """What was asked for will be done. ``numbers``: about how many. ``publisher_missing``: nobody does it just now."""

    source: str
    numbers: int
    publisher_missing: bool
