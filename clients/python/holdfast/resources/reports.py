"""What is short, what was sold, who changed what, and whether the server is well."""

from datetime import date, datetime
from typing import Literal

from holdfast.binding import ModeT, Resource, operation
from holdfast.calls import Call, read
from holdfast.types import (
    Health,
    HistoryPage,
    SalesReport,
    ShortageList,
    ShortagePreview,
    TodayView,
    UnlistedReport,
    VelocityReport,
)


class Shortages(Resource[ModeT]):
    """Where more is reserved than there is."""

    @operation
    def read_many(self, *, after: str | None = None, limit: int | None = None) -> Call[ShortageList]:
        """Read a page of what is short, and whom it hits. ``GET /v1/shortages``."""
        return read("/v1/shortages", ShortageList, after=after, limit=limit)

    @operation
    def preview(self, *, sku: str, location: str, fewer: int) -> Call[ShortagePreview]:
        """Read who would lack units if there were fewer. ``GET /v1/shortages/preview``.

        Raises ``NotFound`` (unknown_sku).
        """
        return read("/v1/shortages/preview", ShortagePreview, sku=sku, location=location, fewer=fewer)


class Reports(Resource[ModeT]):
    """Figures for people."""

    @operation
    def sales(
        self,
        *,
        from_: date | None = None,
        to: date | None = None,
        by: Literal["channel", "day", "location", "sku"] | None = None,
        sku: str | None = None,
        channel: str | None = None,
        location: str | None = None,
        order: Literal["best", "slowest"] | None = None,
        limit: int | None = None,
    ) -> Call[SalesReport]:
        """Read what was sold. ``GET /v1/reports/sales``.

        Raises ``NotFound`` (unknown_channel).
        """
        return read(
            "/v1/reports/sales", SalesReport, from_=from_, to=to, by=by, sku=sku, channel=channel, location=location,
            order=order, limit=limit,
        )  # fmt: skip

    @operation
    def velocity(
        self,
        *,
        sku: str | None = None,
        location: str | None = None,
        order: Literal["best", "cover", "slowest"] | None = None,
        limit: int | None = None,
    ) -> Call[VelocityReport]:
        """Read how fast things go, and how long they last. ``GET /v1/reports/velocity``.

        Raises ``NotFound`` (unknown_sku).
        """
        return read("/v1/reports/velocity", VelocityReport, sku=sku, location=location, order=order, limit=limit)

    @operation
    def unlisted(self, *, after: str | None = None, limit: int | None = None) -> Call[UnlistedReport]:
        """Read a page of what is in stock and on no channel. ``GET /v1/reports/unlisted``.

        Raises ``Refused`` (answer_too_large).
        """
        return read("/v1/reports/unlisted", UnlistedReport, after=after, limit=limit)

    @operation
    def today(
        self, *, within_s: int | None = None, days: int | None = None, limit: int | None = None
    ) -> Call[TodayView]:
        """Read what is due now. ``GET /v1/today``."""
        return read("/v1/today", TodayView, within_s=within_s, days=days, limit=limit)


class History(Resource[ModeT]):
    """Who changed what."""

    @operation
    def read_many(
        self,
        *,
        sku: str | None = None,
        order: str | None = None,
        location: str | None = None,
        channel: str | None = None,
        actor: str | None = None,
        key: str | None = None,
        from_: datetime | None = None,
        to: datetime | None = None,
        at: datetime | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Call[HistoryPage]:
        """Read a page of changes, the newest first. ``GET /v1/history``."""
        return read(
            "/v1/history", HistoryPage, sku=sku, order=order, location=location, channel=channel, actor=actor,
            key=key, from_=from_, to=to, at=at, after=after, limit=limit,
        )  # fmt: skip


class System(Resource[ModeT]):
    """Whether the server is well; these need no key."""

    @operation
    def alive(self) -> Call[Health]:
        """Ask whether the process lives. ``GET /livez``."""
        return read("/livez", Health)

    @operation
    def ready(self) -> Call[Health]:
        """Ask whether it can take work. ``GET /readyz``."""
        return read("/readyz", Health)
