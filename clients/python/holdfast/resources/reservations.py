"""Reservations and orders: hold units, take orders, and read both."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from holdfast.batches import RESERVATIONS_MAX, keyed_parts, results_in_order
from holdfast.binding import ModeT, operation
from holdfast.calls import Call, Repeat, encoded, fields, keyed, new_key, read, read_by_post
from holdfast.decisions import Plan
from holdfast.resources.reservation_steps import OnShortage, ReservationSteps, reservation_path
from holdfast.types import (
    LineBody,
    ReservationPage,
    ReservationResult,
    ReservationResults,
    ReservationView,
    ReserveBody,
    SourcingBody,
)

ReservePolicy = Literal["all_or_nothing", "backorder", "partial"]
State = Literal["backordered", "cancelled", "committed", "expired", "fulfilled", "held", "released"]


class Reservations(ReservationSteps[ModeT]):
    """Holds, and the orders that they become."""

    @operation
    def reserve(
        self,
        *,
        channel: str,
        lines: Sequence[LineBody],
        reservation_id: str | None = None,
        ttl_s: int | None = None,
        policy: ReservePolicy | None = None,
        order_ref: str | None = None,
        customer_ref: str | None = None,
        flags: Sequence[str] | None = None,
        sourcing: SourcingBody | None = None,
        idempotency_key: str | None = None,
    ) -> Call[ReservationView]:
        """Hold units for ``ttl_s`` seconds: for every line, or for none. ``POST /v1/reservations``.

        A ``reservation_id`` of your own makes it one hold however often it is called, also from another process.

        Raises ``OutOfStock``, whose ``lines`` have what is available, ``NotFound`` (unknown_channel, unknown_barcode,
        unknown_sku), ``DoneBefore`` (order_known) and ``Refused`` (quota_exceeded, location_closed, too_many_splits,
        too_many_lines, sourcing_incomplete).
        """
        body = fields(
            channel=channel, lines=lines, reservation_id=reservation_id, ttl_s=ttl_s, policy=policy,
            order_ref=order_ref, customer_ref=customer_ref, flags=flags, sourcing=sourcing,
        )  # fmt: skip
        return _new("/v1/reservations", body, reservation_id, idempotency_key)

    @operation
    def order(
        self,
        *,
        channel: str,
        lines: Sequence[LineBody],
        reservation_id: str | None = None,
        on_shortage: OnShortage | None = None,
        policy: ReservePolicy | None = None,
        order_ref: str | None = None,
        customer_ref: str | None = None,
        flags: Sequence[str] | None = None,
        sourcing: SourcingBody | None = None,
        idempotency_key: str | None = None,
    ) -> Call[ReservationView]:
        """Take an order: reserve and commit at once. ``POST /v1/orders``.

        ``on_shortage="accept"``: a marketplace has sold it already, so what is missing is recorded as a shortage.

        Raises ``OutOfStock``, ``NotFound`` (unknown_channel, unknown_barcode, unknown_sku), ``DoneBefore``
        (order_known) and ``Refused`` (location_closed, too_many_splits, too_many_lines, sourcing_incomplete,
        out_of_range).
        """
        body = fields(
            channel=channel, lines=lines, reservation_id=reservation_id, on_shortage=on_shortage, policy=policy,
            order_ref=order_ref, customer_ref=customer_ref, flags=flags, sourcing=sourcing,
        )  # fmt: skip
        return _new("/v1/orders", body, reservation_id, idempotency_key)

    @operation
    def reserve_many(
        self, reservations: Sequence[ReserveBody], *, idempotency_key: str | None = None
    ) -> Plan[list[ReservationResult]]:
        """Hold many, each on its own: one result for each, in order. ``POST /v1/reservations/batch``.

        More than one request can have are split. A refusal is a result here, and no exception.

        Raises
        ------
        BatchInterrupted
            Some are done; call it again with the key that it has.

        """
        key = new_key() if idempotency_key is None else idempotency_key
        path = "/v1/reservations/batch"
        parts = keyed_parts(path, ReservationResults, "reservations", reservations, RESERVATIONS_MAX, key)
        return results_in_order(parts, lambda page: page.results, key, self._policy)

    @operation
    def read(self, reservation_id: str) -> Call[ReservationView]:
        """Read a reservation. ``GET /v1/reservations/{reservation_id}``.

        Raises ``NotFound`` (unknown_reservation).
        """
        return read(reservation_path(reservation_id), ReservationView)

    @operation
    def look_up(self, reservation_id: str) -> Call[ReservationView]:
        """Read a reservation by the id in the body, whatever is in it. ``POST /v1/reservations/lookup``.

        Raises ``NotFound`` (unknown_reservation).
        """
        return read_by_post("/v1/reservations/lookup", ReservationView, {"reservation_id": reservation_id})

    @operation
    def read_many(
        self,
        *,
        state: State | None = None,
        channel: str | None = None,
        sku: str | None = None,
        unmapped: bool | None = None,
        order_ref: str | None = None,
        customer_ref: str | None = None,
        from_: datetime | None = None,
        to: datetime | None = None,
        sort: Literal["-created", "created"] | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Call[ReservationPage]:
        """Read a page of the reservations that match. ``GET /v1/reservations``."""
        return read(
            "/v1/reservations", ReservationPage, state=state, channel=channel, sku=sku, unmapped=unmapped,
            order_ref=order_ref, customer_ref=customer_ref, from_=from_, to=to, sort=sort, after=after, limit=limit,
        )  # fmt: skip


def _new(
    path: str, body: dict[str, object], reservation_id: str | None, idempotency_key: str | None
) -> Call[ReservationView]:
    """Build a new reservation: its own id is its key; without one the header is, and decides the id."""
    if reservation_id is None:
        return keyed("POST", path, ReservationView, body, key=idempotency_key)
    find_out = f"call it again with reservation_id={reservation_id!r} and all else as it was, or read that reservation"
    return Call("POST", path, ReservationView, Repeat.HAS_KEY, encoded(body), key=reservation_id, find_out=find_out)
