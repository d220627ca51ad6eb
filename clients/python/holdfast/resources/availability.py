"""What can still be reserved: of one SKU, of many, of all, near a place, by day; and tokens for web pages."""

from collections.abc import Sequence
from datetime import date

from holdfast.batches import LIST_MAX, Part, pages_in_order
from holdfast.binding import ModeT, Resource, operation
from holdfast.calls import Call, fields, name_in_path, read, read_by_post, sets
from holdfast.decisions import Plan
from holdfast.types import (
    AtpView,
    AvailabilityList,
    AvailabilityView,
    BrowserTokenView,
    NearbyView,
    PiecesAvailability,
    SnapshotPage,
)


class Availability(Resource[ModeT]):
    """What can still be reserved."""

    @operation
    def read(
        self,
        sku: str,
        *,
        channel: str | None = None,
        location: str | None = None,
        group: str | None = None,
        locations: bool | None = None,
        max_age_ms: int | None = None,
    ) -> Call[AvailabilityView]:
        """Read one SKU. ``GET /v1/availability/{sku}``.

        Raises ``NotFound`` (unknown_channel, unknown_sku) and ``Refused`` (answer_too_large).
        """
        return read(
            f"/v1/availability/{name_in_path(sku)}", AvailabilityView,
            channel=channel, location=location, group=group, locations=locations, max_age_ms=max_age_ms,
        )  # fmt: skip

    @operation
    def read_pieces(
        self,
        *,
        key: str | None = None,
        barcode: str | None = None,
        channel: str | None = None,
        location: str | None = None,
        group: str | None = None,
        max_age_ms: int | None = None,
    ) -> Call[PiecesAvailability]:
        """Read how many pieces there are of what a channel lists under a key, or a barcode stands for.

        ``GET /v1/availability``.

        Raises ``NotFound`` (unknown_channel, unknown_sku, unknown_barcode) and ``Refused`` (answer_too_large).
        """
        return read(
            "/v1/availability", PiecesAvailability,
            key=key, barcode=barcode, channel=channel, location=location, group=group, max_age_ms=max_age_ms,
        )  # fmt: skip

    @operation
    def read_many(
        self,
        skus: Sequence[str] = (),
        *,
        channel: str | None = None,
        location: str | None = None,
        group: str | None = None,
        locations: bool | None = None,
        keys: Sequence[str] = (),
        max_age_ms: int | None = None,
    ) -> Plan[AvailabilityList]:
        """Read many SKUs, in order; more than one request can have are split. ``POST /v1/availability/query``.

        ``keys``: what the channel lists under them, beside ``skus`` or in their place.

        Raises ``NotFound`` (unknown_channel) and ``Refused`` (answer_too_large).
        """
        common = fields(channel=channel, location=location, group=group, locations=locations, max_age_ms=max_age_ms)
        lists = [{"skus": part} for part in _parts(skus)] + [{"keys": part} for part in _parts(keys)]
        if len(skus) <= LIST_MAX and len(keys) <= LIST_MAX:
            lists = [fields(skus=skus or None, keys=keys or None)]
        calls = [read_by_post("/v1/availability/query", AvailabilityList, common | each) for each in lists]
        return _together(calls)

    @operation
    def snapshot(
        self, *, locations: bool | None = None, after: str | None = None, limit: int | None = None
    ) -> Call[SnapshotPage]:
        """Read a page of all SKUs; ``changes_after`` is where the stream goes on. ``GET /v1/snapshot``."""
        return read("/v1/snapshot", SnapshotPage, locations=locations, after=after, limit=limit)

    @operation
    def nearby(
        self,
        sku: str,
        *,
        lat: float,
        lon: float,
        group: str | None = None,
        limit: int | None = None,
        channel: str | None = None,
    ) -> Call[NearbyView]:
        """Read which locations have a SKU, the nearest first. ``GET /v1/availability/{sku}/nearby``.

        ``lat`` and ``lon`` are in degrees.

        Raises ``NotFound`` (unknown_channel, unknown_sku) and ``Refused`` (answer_too_large).
        """
        return read(
            f"/v1/availability/{name_in_path(sku)}/nearby", NearbyView,
            lat=lat, lon=lon, group=group, limit=limit, channel=channel,
        )  # fmt: skip

    @operation
    def by_day(
        self, sku: str, *, from_: date | None = None, to: date | None = None, location: str | None = None
    ) -> Call[AtpView]:
        """Read what can be promised by day, with what is expected. ``GET /v1/atp/{sku}``.

        Raises ``NotFound`` (unknown_sku).
        """
        return read(f"/v1/atp/{name_in_path(sku)}", AtpView, from_=from_, to=to, location=location)


class BrowserTokens(Resource[ModeT]):
    """What a web page has in place of a key."""

    @operation
    def create(
        self, *, ttl_s: int | None = None, channel: str | None = None, skus: Sequence[str] | None = None
    ) -> Call[BrowserTokenView]:
        """Create a token that reads availability and changes for some minutes. ``POST /v1/browser-tokens``.

        Raises ``NotFound`` (unknown_channel) and ``Refused`` (secret_key_missing).
        """
        return sets("POST", "/v1/browser-tokens", BrowserTokenView, fields(ttl_s=ttl_s, channel=channel, skus=skus))


def _parts(names: Sequence[str]) -> list[Sequence[str]]:
    return [names[at : at + LIST_MAX] for at in range(0, len(names), LIST_MAX)]


def _together(calls: list[Call[AvailabilityList]]) -> Plan[AvailabilityList]:
    pages = yield from pages_in_order([Part(call, 1) for call in calls])
    return AvailabilityList(
        availability=[each for page in pages for each in page.availability],
        unknown=list(dict.fromkeys(each for page in pages for each in page.unknown)),
        keys=[each for page in pages for each in page.keys],
        unknown_keys=list(dict.fromkeys(each for page in pages for each in page.unknown_keys)),
    )
