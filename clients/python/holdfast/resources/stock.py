"""Stock: what lies where and why, counts and movements, allocations, backorders and barcodes."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Literal

from holdfast.batches import LIST_MAX, keyed_parts, pages_in_order, results_in_order, set_parts
from holdfast.binding import ModeT, Resource, operation
from holdfast.calls import Call, fields, keyed, name_in_path, new_key, query_of, read, sets
from holdfast.decisions import Plan
from holdfast.types import (
    AdjustMovement,
    AllocatedView,
    BackorderPage,
    BackorderSetView,
    BarcodeBody,
    BarcodeRemoved,
    BarcodesPut,
    BarcodeView,
    CountMovement,
    MovedView,
    MovementResult,
    MovementResults,
    MoveMovement,
    ParcelView,
    ReceiveMovement,
    SkuBarcodes,
    SkuOnChannels,
    StockView,
)

Movement = ReceiveMovement | AdjustMovement | CountMovement | MoveMovement


class Stock(Resource[ModeT]):
    """What lies where."""

    @operation
    def read(self, sku: str, *, location: str | None = None) -> Call[StockView]:
        """Read every bucket of a SKU, who has it, and why the number is what it is. ``GET /v1/stock/{sku}``.

        Raises ``NotFound`` (unknown_sku) and ``Refused`` (answer_too_large).
        """
        return read(f"/v1/stock/{name_in_path(sku)}", StockView, location=location)

    @operation
    def on_channels(self, sku: str) -> Call[SkuOnChannels]:
        """Read what each channel shows of a SKU, and why. ``GET /v1/stock/{sku}/channels``."""
        return read(f"/v1/stock/{name_in_path(sku)}/channels", SkuOnChannels)

    @operation
    def count(
        self,
        sku: str,
        location: str = "main",
        *,
        on_hand: int,
        baseline_seq: int | None = None,
        safety: int | None = None,
        reason: str | None = None,
        counted_at: datetime | None = None,
        allow_similar: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Call[MovedView]:
        """Record a count. ``PUT /v1/stock/{sku}/{location}``.

        Raises ``Refused`` (baseline_expired, counted_since, location_mirrored, ahead_of_clock, too_many_places,
        out_of_range, similar_name, unregistered_location).
        """
        body = fields(
            on_hand=on_hand, baseline_seq=baseline_seq, safety=safety, reason=reason, counted_at=counted_at,
            allow_similar=allow_similar,
        )  # fmt: skip
        return keyed("PUT", _at(sku, location), MovedView, body, key=idempotency_key)

    @operation
    def move_many(
        self, movements: Sequence[Movement], *, idempotency_key: str | None = None
    ) -> Plan[list[MovementResult]]:
        """Receive, adjust, count and move: one result for each, in order. ``POST /v1/stock/movements``.

        More than one request can have are split. A refusal is a result here, and no exception.

        Raises
        ------
        BatchInterrupted
            Some are done; call it again with the key that it has.

        """
        key = new_key() if idempotency_key is None else idempotency_key
        parts = keyed_parts("/v1/stock/movements", MovementResults, "movements", movements, LIST_MAX, key)
        return results_in_order(parts, lambda page: page.results, key, self._policy)


class Allocations(Resource[ModeT]):
    """Units of a channel's own, and caps on what a channel may take."""

    @operation
    def put(
        self,
        sku: str,
        location: str,
        channel: str,
        *,
        units: int,
        kind: Literal["cap", "own"] | None = None,
        reason: str | None = None,
        new: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Call[AllocatedView]:
        """Set the allocation of a channel. ``PUT /v1/stock/{sku}/{location}/allocations/{channel}``.

        Raises ``NotFound`` (unknown_channel, unknown_sku) and ``Refused`` (location_mirrored, exceeds_available,
        too_many_allocations).
        """
        body = fields(units=units, kind=kind, reason=reason, new=new)
        return keyed("PUT", _allocation(sku, location, channel), AllocatedView, body, key=idempotency_key)

    @operation
    def delete(
        self,
        sku: str,
        location: str,
        channel: str,
        *,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> Call[AllocatedView]:
        """Delete the allocation of a channel. ``DELETE /v1/stock/{sku}/{location}/allocations/{channel}``.

        Raises ``NotFound`` (unknown_sku) and ``Refused`` (location_mirrored).
        """
        path = _allocation(sku, location, channel) + query_of({"reason": reason})
        return keyed("DELETE", path, AllocatedView, key=idempotency_key)

    @operation
    def move(
        self,
        *,
        sku: str,
        from_channel: str,
        to_channel: str,
        units: int,
        location: str | None = None,
        reason: str | None = None,
        new: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Call[AllocatedView]:
        """Move units of one channel's allocation to another's. ``POST /v1/allocations/move``.

        Raises ``NotFound`` (unknown_channel, unknown_allocation, unknown_sku) and ``Refused`` (location_mirrored,
        allocation_differs, too_many_allocations, exceeds_remaining, out_of_range).
        """
        body = fields(
            sku=sku, from_channel=from_channel, to_channel=to_channel, units=units, location=location, reason=reason,
            new=new,
        )  # fmt: skip
        return keyed("POST", "/v1/allocations/move", AllocatedView, body, key=idempotency_key)


class Backorders(Resource[ModeT]):
    """What may be sold before it is there, and which lines wait for it."""

    @operation
    def put(
        self,
        sku: str,
        location: str = "main",
        *,
        mode: Literal["backorder", "preorder"],
        limit: int,
        promise_on: date | None = None,
        allow_similar: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Call[BackorderSetView]:
        """Set how many units may be sold before they are there. ``PUT /v1/stock/{sku}/{location}/backorder``.

        Raises ``NotFound`` (unknown_sku) and ``Refused`` (location_mirrored, too_many_places, similar_name,
        unregistered_location).
        """
        body = fields(mode=mode, limit=limit, promise_on=promise_on, allow_similar=allow_similar)
        return keyed("PUT", f"{_at(sku, location)}/backorder", BackorderSetView, body, key=idempotency_key)

    @operation
    def read_many(
        self,
        *,
        sku: str | None = None,
        location: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Call[BackorderPage]:
        """Read a page of the lines that wait. ``GET /v1/backorders``."""
        return read("/v1/backorders", BackorderPage, sku=sku, location=location, after=after, limit=limit)


class Barcodes(Resource[ModeT]):
    """What a scanner reads, and what it stands for."""

    @operation
    def put(self, barcodes: Sequence[BarcodeBody], *, reason: str | None = None) -> Plan[BarcodesPut]:
        """Set what barcodes stand for; more than one request can have are split. ``PUT /v1/barcodes``."""
        return _barcodes(barcodes, fields(reason=reason))

    @operation
    def read(self, barcode: str) -> Call[BarcodeView]:
        """Read what a barcode or a GS1 label stands for. ``GET /v1/barcodes/{barcode}``.

        Raises ``NotFound`` (unknown_barcode).
        """
        return read(f"/v1/barcodes/{name_in_path(barcode)}", BarcodeView)

    @operation
    def delete(self, barcode: str, *, reason: str | None = None) -> Call[BarcodeRemoved]:
        """Delete a barcode. ``DELETE /v1/barcodes/{barcode}``.

        After a lost answer it may say that the barcode is not registered, which is then the expected answer.

        Raises ``NotFound`` (unknown_barcode).
        """
        return sets("DELETE", f"/v1/barcodes/{name_in_path(barcode)}{query_of({'reason': reason})}", BarcodeRemoved)

    @operation
    def read_many(self, sku: str, *, after: str | None = None, limit: int | None = None) -> Call[SkuBarcodes]:
        """Read a page of the barcodes of a SKU. ``GET /v1/skus/{sku}/barcodes``."""
        return read(f"/v1/skus/{name_in_path(sku)}/barcodes", SkuBarcodes, after=after, limit=limit)

    @operation
    def read_parcel(self, sscc: str) -> Call[ParcelView]:
        """Read what was announced for a parcel. ``GET /v1/parcels/{sscc}``.

        Raises ``NotFound`` (unknown_parcel).
        """
        return read(f"/v1/parcels/{name_in_path(sscc)}", ParcelView)


def _barcodes(barcodes: Sequence[BarcodeBody], more: dict[str, object]) -> Plan[BarcodesPut]:
    parts = set_parts("/v1/barcodes", BarcodesPut, "barcodes", barcodes, more)
    pages = yield from pages_in_order(parts)
    return BarcodesPut(barcodes=sum(page.barcodes for page in pages))


def _at(sku: str, location: str) -> str:
    return f"/v1/stock/{name_in_path(sku)}/{name_in_path(location)}"


def _allocation(sku: str, location: str, channel: str) -> str:
    return f"{_at(sku, location)}/allocations/{name_in_path(channel)}"
