"""Sourcing over the wire: how locations are chosen, and why one was."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from server.domain import sourcing
from server.schemas.common import Body, Channel, Group, Lines, PositionBody


class SourcingBody(Body, frozen=True):
    """Choose where to take the lines that name no location; each strategy breaks the ties of those before it.

    ``position``: where it is to be delivered, which ``nearest`` needs. ``splits_max``: locations beyond the first.
    ``split_lines``: units of one line may come from several of them, where no location has all. ``binding`` late: those
    lines stay open, and commit or fulfil can say where they are to be taken from.
    """

    strategy: (
        sourcing.Strategy | Annotated[list[sourcing.Strategy], Meta(min_length=1, max_length=sourcing.STRATEGIES_MAX)]
    )
    group: Group | None = None
    position: PositionBody | None = None
    splits_max: Annotated[int, Meta(ge=0, le=sourcing.SPLITS_MAX)] = sourcing.SPLITS_DEFAULT
    split_lines: bool | msgspec.UnsetType = msgspec.UNSET
    binding: Literal["early", "late"] | msgspec.UnsetType = msgspec.UNSET


class ExplainBody(Body, frozen=True):
    """An order as it would be sent, of which only the choice of locations is wanted; for a ``channel`` or anybody.

    Without ``sourcing``, lines that name no location come from where the units are.
    """

    lines: Lines
    sourcing: SourcingBody | msgspec.UnsetType = msgspec.UNSET
    channel: Channel | None = None


class ExplainedPart(msgspec.Struct, frozen=True):
    """So many units of a line from one location."""

    location: str
    quantity: int


class ExplainedLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a line would be taken from: the location that it names, or the chosen one; empty: there is none.

    ``parts`` are there where it would be split; ``location`` is the first one's.
    """

    line: int
    sku: str
    quantity: int
    location: str
    parts: list[ExplainedPart] = []


class Lack(msgspec.Struct, frozen=True):
    """What a location has too little of."""

    sku: str
    wanted: int
    available: int


class ExplainedCandidate(msgspec.Struct, frozen=True):
    """A location that was looked at. ``stock``: units available there of all SKUs that are wanted."""

    location: str
    chosen: bool
    why: str
    distance_km: float | None
    footfall: int
    priority: int
    stock: int
    lacks: list[Lack]


WhyPassedOver = Literal["closed", "not_in_group", "not_known_there", "no_units", "beyond_limit", "not_for_channel"]


class PassedOver(msgspec.Struct, frozen=True):
    """A location that was not looked at. ``beyond_limit``: so many others come before it.

    ``not_for_channel``: the channel's ``locations`` do not name it.
    """

    location: str
    why: WhyPassedOver


class ExplainView(msgspec.Struct, frozen=True):
    """How an order would be sourced now; ``candidates`` in their order."""

    outcome: sourcing.ChoiceOutcome
    lines: list[ExplainedLine]
    candidates: list[ExplainedCandidate]
    passed_over: list[PassedOver]
    as_of: datetime
