"""Locations, and from which of them an order would be taken."""

from collections.abc import Sequence
from typing import Literal

from holdfast.binding import ModeT, Resource, operation
from holdfast.calls import Call, fields, name_in_path, read, read_by_post, sets
from holdfast.types import (
    ExplainView,
    LineBody,
    LocationDeleted,
    LocationList,
    LocationRenamed,
    LocationView,
    PositionBody,
    SourcingBody,
)


class Locations(Resource[ModeT]):
    """Warehouses and stores."""

    @operation
    def put(
        self,
        name: str,
        *,
        kind: Literal["store", "warehouse"] | None = None,
        position: PositionBody | None = None,
        priority: int | None = None,
        footfall: int | None = None,
        open_: bool | None = None,
        groups: Sequence[str] | None = None,
        allow_similar: bool | None = None,
    ) -> Call[LocationView]:
        """Register a location anew, open or closed. ``PUT /v1/locations/{name}``.

        Raises ``Refused`` (location_mirrored, similar_name).
        """
        body = fields(
            kind=kind, position=position, priority=priority, footfall=footfall, open_=open_, groups=groups,
            allow_similar=allow_similar,
        )  # fmt: skip
        return sets("PUT", _location(name), LocationView, body)

    @operation
    def read(self, name: str) -> Call[LocationView]:
        """Read a location. ``GET /v1/locations/{name}``.

        Raises ``NotFound`` (unknown_location).
        """
        return read(_location(name), LocationView)

    @operation
    def read_many(self, *, unregistered: bool | None = None) -> Call[LocationList]:
        """Read all locations. ``unregistered``: also those at which something lies. ``GET /v1/locations``."""
        return read("/v1/locations", LocationList, unregistered=unregistered)

    @operation
    def rename(
        self, name: str, to: str, *, allow_similar: bool | None = None, reason: str | None = None
    ) -> Call[LocationRenamed]:
        """Give a location another name; the old one still works. ``POST /v1/locations/{name}/rename``.

        Raises ``NotFound`` (unknown_location) and ``Refused`` (name_taken, name_cycle, renamed_before,
        rename_unfinished, too_many_names, names_unread, location_mirrored, similar_name).
        """
        body = fields(to=to, allow_similar=allow_similar, reason=reason)
        return sets("POST", f"{_location(name)}/rename", LocationRenamed, body)

    @operation
    def delete(self, name: str) -> Call[LocationDeleted]:
        """Delete a location at which nothing lies. ``DELETE /v1/locations/{name}``.

        After a lost answer it may say that the location is not known, which is then the expected answer.

        Raises ``NotFound`` (unknown_location) and ``Refused`` (location_in_use, rename_unfinished, location_mirrored).
        """
        return sets("DELETE", _location(name), LocationDeleted)


class Sourcing(Resource[ModeT]):
    """Where orders are taken from."""

    @operation
    def explain(
        self, *, lines: Sequence[LineBody], sourcing: SourcingBody | None = None, channel: str | None = None
    ) -> Call[ExplainView]:
        """Read from where an order would be taken, and why; nothing is held. ``POST /v1/sourcing/explain``.

        Raises ``NotFound`` (unknown_channel, unknown_barcode, unknown_sku) and ``Refused`` (sourcing_incomplete).
        """
        body = fields(lines=lines, sourcing=sourcing, channel=channel)
        return read_by_post("/v1/sourcing/explain", ExplainView, body)


def _location(name: str) -> str:
    return f"/v1/locations/{name_in_path(name)}"
