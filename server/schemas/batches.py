"""Batches whose elements are read apart, because one of them breaks a rule."""

from typing import Annotated

import msgspec
from msgspec import Meta

from server.domain import limits
from server.schemas.common import Body
from server.schemas.reservations import ReserveBody


class ReservationsApart(Body, frozen=True):
    """The frame of :class:`~server.schemas.reservations.ReserveManyBody`, its elements unread."""

    reservations: Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=limits.RESERVATIONS_PER_BATCH_MAX)]


class FaultyReservation(msgspec.Struct, frozen=True):
    """An element that is no reservation: why, what was sent, and its id where that can be read."""

    error: msgspec.ValidationError
    sent: bytes
    reservation_id: str = ""


class ReadReservations(msgspec.Struct, frozen=True):
    """What was read of a batch with a faulty element."""

    reservations: list[ReserveBody | FaultyReservation]


class NamedReservation(msgspec.Struct, frozen=True):
    """The id of an element, whatever else it holds."""

    reservation_id: str = ""
