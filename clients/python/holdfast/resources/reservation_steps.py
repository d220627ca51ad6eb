"""What happens to a reservation: extend, commit, release, cancel, ship, return, exchange, change and move."""

from collections.abc import Sequence
from typing import Literal

from holdfast.binding import ModeT, Resource, operation
from holdfast.calls import Call, fields, id_in_path, keyed, read
from holdfast.types import (
    ChangeLineBody,
    ExchangeView,
    OrderBody,
    OrderShortageList,
    PartBody,
    RelocateLineBody,
    ReservationView,
    ReserveBody,
    ReturnBody,
    ReturnPartBody,
    SourcingBody,
)

OnShortage = Literal["accept", "reject"]


class ReservationSteps(Resource[ModeT]):
    """The steps of a reservation."""

    @operation
    def extend(self, reservation_id: str, *, ttl_s: int, idempotency_key: str | None = None) -> Call[ReservationView]:
        """Hold for ``ttl_s`` seconds from now, if that is longer. ``POST …/extend``.

        Raises ``NotFound`` (unknown_reservation), ``DoneBefore`` (already_committed, already_released) and ``Refused``
        (expired, not_held, exceeds_remaining).
        """
        return _step(reservation_id, "extend", idempotency_key, ttl_s=ttl_s)

    @operation
    def commit(
        self,
        reservation_id: str,
        *,
        lines: Sequence[PartBody] | None = None,
        remainder: Literal["keep", "release"] | None = None,
        order_ref: str | None = None,
        sourcing: SourcingBody | None = None,
        location: str | None = None,
        idempotency_key: str | None = None,
    ) -> Call[ReservationView]:
        """Turn a hold into an order: whole, or the named parts. ``POST …/commit``.

        Raises ``OutOfStock``, ``NotFound`` (unknown_reservation, unknown_barcode, unknown_sku), ``DoneBefore``
        (already_committed, already_released, order_known) and ``Refused`` (expired, not_held, not_open,
        location_closed, exceeds_remaining, too_many_lines).
        """
        return _step(
            reservation_id, "commit", idempotency_key,
            lines=lines, remainder=remainder, order_ref=order_ref, sourcing=sourcing, location=location,
        )  # fmt: skip

    @operation
    def release(
        self,
        reservation_id: str,
        *,
        lines: Sequence[PartBody] | None = None,
        on_unknown: Literal["refuse", "remember"] | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> Call[ReservationView]:
        """Let go of what is held: all, or the named parts. ``POST …/release``.

        Raises ``NotFound`` (unknown_reservation, unknown_barcode), ``DoneBefore`` (already_committed, already_released)
        and ``Refused`` (expired, not_held, too_many_remembered, exceeds_remaining).
        """
        return _step(reservation_id, "release", idempotency_key, lines=lines, on_unknown=on_unknown, reason=reason)

    @operation
    def cancel(
        self,
        reservation_id: str,
        *,
        lines: Sequence[PartBody] | None = None,
        reason: str | None = None,
        on_unknown: Literal["refuse", "remember"] | None = None,
        idempotency_key: str | None = None,
    ) -> Call[ReservationView]:
        """Cancel what is ordered and not shipped: all, or the named parts. ``POST …/cancel``.

        Raises ``NotFound`` (unknown_reservation, unknown_barcode) and ``Refused`` (not_committed, too_many_remembered,
        exceeds_remaining).
        """
        return _step(reservation_id, "cancel", idempotency_key, lines=lines, reason=reason, on_unknown=on_unknown)

    @operation
    def fulfil(
        self,
        reservation_id: str,
        *,
        lines: Sequence[PartBody] | None = None,
        tracking: str | None = None,
        carrier: str | None = None,
        invoice_ref: str | None = None,
        sourcing: SourcingBody | None = None,
        location: str | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> Call[ReservationView]:
        """Ship what is ordered: all, or the named parts. ``POST …/fulfil``.

        Raises ``OutOfStock``, ``NotFound`` (unknown_reservation, unknown_barcode, unknown_sku) and ``Refused``
        (not_committed, line_unmapped, not_open, location_closed, exceeds_remaining, too_many_lines).
        """
        return _step(
            reservation_id, "fulfil", idempotency_key,
            lines=lines, tracking=tracking, carrier=carrier, invoice_ref=invoice_ref, sourcing=sourcing,
            location=location, reason=reason,
        )  # fmt: skip

    @operation
    def return_units(
        self,
        reservation_id: str,
        *,
        lines: Sequence[ReturnPartBody],
        reason: str | None = None,
        allow_similar: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Call[ReservationView]:
        """Return shipped units, each part with what becomes of it. ``POST …/return``.

        Raises ``NotFound`` (unknown_reservation, unknown_barcode) and ``Refused`` (not_fulfilled, location_mirrored,
        too_many_places, exceeds_remaining, out_of_range, similar_name, unregistered_location).
        """
        return _step(reservation_id, "return", idempotency_key, lines=lines, reason=reason, allow_similar=allow_similar)

    @operation
    def exchange(
        self,
        reservation_id: str,
        *,
        return_: ReturnBody,
        reservation: ReserveBody | None = None,
        order: OrderBody | None = None,
        idempotency_key: str | None = None,
    ) -> Call[ExchangeView]:
        """Take units back and reserve or order others in their place, in one step. ``POST …/exchange``.

        Raises ``OutOfStock``, ``NotFound`` (unknown_reservation, unknown_barcode, unknown_sku) and ``Refused``
        (not_fulfilled, quota_exceeded, location_mirrored, location_closed, too_many_splits, too_many_places,
        exceeds_remaining, out_of_range, similar_name, unregistered_location, too_many_lines, sourcing_incomplete).
        """
        body = fields(return_=return_, reservation=reservation, order=order)
        return keyed("POST", f"{reservation_path(reservation_id)}/exchange", ExchangeView, body, key=idempotency_key)

    @operation
    def change_lines(
        self,
        reservation_id: str,
        *,
        lines: Sequence[ChangeLineBody],
        ttl_s: int | None = None,
        on_shortage: OnShortage | None = None,
        idempotency_key: str | None = None,
    ) -> Call[ReservationView]:
        """Change quantities without letting go of what there is, or say what an unknown line is. ``POST …/lines``.

        Raises ``OutOfStock``, ``NotFound`` (unknown_reservation, unknown_barcode, unknown_sku), ``DoneBefore``
        (already_committed, already_released) and ``Refused`` (expired, quota_exceeded, not_held, not_committed,
        below_shipped, nothing_left, line_mapped, line_unmapped, too_many_splits, location_closed, named_twice,
        exceeds_remaining, too_many_lines, sourcing_incomplete, out_of_range).
        """
        return _step(reservation_id, "lines", idempotency_key, lines=lines, ttl_s=ttl_s, on_shortage=on_shortage)

    @operation
    def move(
        self,
        reservation_id: str,
        *,
        lines: Sequence[RelocateLineBody],
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> Call[ReservationView]:
        """Take what is reserved from other locations. ``POST …/move``.

        Raises ``OutOfStock``, ``NotFound`` (unknown_reservation, unknown_sku) and ``Refused`` (expired, not_held,
        location_closed, exceeds_remaining, too_many_lines).
        """
        return _step(reservation_id, "move", idempotency_key, lines=lines, reason=reason)

    @operation
    def shortages(self, reservation_id: str) -> Call[OrderShortageList]:
        """Read what a reservation lacks, and where else it is. ``GET …/shortages``.

        Raises ``NotFound`` (unknown_reservation).
        """
        return read(f"{reservation_path(reservation_id)}/shortages", OrderShortageList)


def reservation_path(reservation_id: str) -> str:
    """Return the path of a reservation."""
    return f"/v1/reservations/{id_in_path(reservation_id)}"


def _step(reservation_id: str, step: str, key: str | None, **given: object) -> Call[ReservationView]:
    return keyed("POST", f"{reservation_path(reservation_id)}/{step}", ReservationView, fields(**given), key=key)
