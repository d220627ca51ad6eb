"""What is on its way: transfers between locations, and what suppliers are to deliver."""

from collections.abc import Sequence
from datetime import date

from holdfast.binding import ModeT, Resource, operation
from holdfast.calls import Call, fields, id_in_path, keyed, read
from holdfast.types import (
    ArrivedBody,
    ExpectedReceiptList,
    ExpectedReceiptView,
    TransferLineBody,
    TransferPageView,
    TransferView,
)


class Transfers(Resource[ModeT]):
    """Units that leave one location and arrive at another."""

    @operation
    def ship(
        self,
        *,
        from_: str,
        to: str,
        lines: Sequence[TransferLineBody],
        transfer_id: str | None = None,
        reason: str | None = None,
        allow_similar: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Call[TransferView]:
        """Send units on their way. ``POST /v1/transfers``.

        Raises ``NotFound`` (unknown_barcode, unknown_sku) and ``Refused`` (exceeds_available, location_mirrored,
        similar_name, unregistered_location).
        """
        body = fields(
            from_=from_, to=to, lines=lines, transfer_id=transfer_id, reason=reason, allow_similar=allow_similar
        )
        return keyed("POST", "/v1/transfers", TransferView, body, key=idempotency_key)

    @operation
    def read(self, transfer_id: str) -> Call[TransferView]:
        """Read a transfer. ``GET /v1/transfers/{transfer_id}``.

        Raises ``NotFound`` (unknown_transfer).
        """
        return read(f"/v1/transfers/{id_in_path(transfer_id)}", TransferView)

    @operation
    def read_many(self, *, after: str | None = None, limit: int | None = None) -> Call[TransferPageView]:
        """Read a page of the transfers that are open. ``GET /v1/transfers``."""
        return read("/v1/transfers", TransferPageView, after=after, limit=limit)

    @operation
    def receive(
        self,
        transfer_id: str,
        *,
        lines: Sequence[ArrivedBody] | None = None,
        close: bool | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> Call[TransferView]:
        """Receive what has arrived: all, or the named lines. ``POST …/receive``.

        Raises ``NotFound`` (unknown_transfer) and ``Refused`` (transfer_closed, too_many_places, exceeds_remaining,
        out_of_range).
        """
        body = fields(lines=lines, close=close, reason=reason)
        return keyed(
            "POST", f"/v1/transfers/{id_in_path(transfer_id)}/receive", TransferView, body, key=idempotency_key
        )

    @operation
    def cancel(
        self, transfer_id: str, *, reason: str | None = None, idempotency_key: str | None = None
    ) -> Call[TransferView]:
        """Cancel a transfer of which nothing has arrived. ``POST …/cancel``.

        Raises ``NotFound`` (unknown_transfer) and ``Refused`` (transfer_closed, transfer_arrived, out_of_range).
        """
        body = fields(reason=reason)
        return keyed("POST", f"/v1/transfers/{id_in_path(transfer_id)}/cancel", TransferView, body, key=idempotency_key)


class Supply(Resource[ModeT]):
    """What suppliers are to deliver."""

    @operation
    def put(
        self,
        supply_id: str,
        *,
        quantity: int,
        expected_on: date,
        sku: str | None = None,
        location: str | None = None,
        reference: str | None = None,
        barcode: str | None = None,
        sscc: str | None = None,
        allow_similar: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Call[ExpectedReceiptView]:
        """Set what is expected, and when. ``PUT /v1/supply/{supply_id}``.

        Raises ``NotFound`` (unknown_barcode) and ``Refused`` (location_mirrored, too_many_receipts, similar_name,
        unregistered_location).
        """
        body = fields(
            sku=sku, quantity=quantity, expected_on=expected_on, location=location, reference=reference,
            barcode=barcode, sscc=sscc, allow_similar=allow_similar,
        )  # fmt: skip
        return keyed("PUT", f"/v1/supply/{id_in_path(supply_id)}", ExpectedReceiptView, body, key=idempotency_key)

    @operation
    def read(self, supply_id: str) -> Call[ExpectedReceiptView]:
        """Read an expected receipt. ``GET /v1/supply/{supply_id}``.

        Raises ``NotFound`` (unknown_supply).
        """
        return read(f"/v1/supply/{id_in_path(supply_id)}", ExpectedReceiptView)

    @operation
    def read_many(
        self,
        *,
        sku: str | None = None,
        location: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Call[ExpectedReceiptList]:
        """Read a page of what is to come. ``GET /v1/supply``."""
        return read("/v1/supply", ExpectedReceiptList, sku=sku, location=location, after=after, limit=limit)

    @operation
    def delete(self, supply_id: str, *, idempotency_key: str | None = None) -> Call[ExpectedReceiptView]:
        """Delete an expected receipt that will not come. ``DELETE /v1/supply/{supply_id}``.

        Raises ``NotFound`` (unknown_supply).
        """
        return keyed("DELETE", f"/v1/supply/{id_in_path(supply_id)}", ExpectedReceiptView, key=idempotency_key)
