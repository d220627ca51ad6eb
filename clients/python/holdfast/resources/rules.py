"""Rules: when to order, how much to keep back, and by which time zone days are told."""

from collections.abc import Sequence
from typing import Literal

from holdfast.batches import pages_in_order, set_parts
from holdfast.binding import ModeT, Resource, operation
from holdfast.calls import Call, read, sets
from holdfast.decisions import Plan
from holdfast.types import (
    EventList,
    ProposalList,
    RuleBody,
    RuleList,
    RulesPut,
    SafetyRuleBody,
    SafetyRuleList,
    SafetyRulesPut,
    TimeZoneView,
)


class Replenishment(Resource[ModeT]):
    """When to order what, and the events of stock that crossed a line."""

    @operation
    def set_rules(self, rules: Sequence[RuleBody]) -> Plan[RulesPut]:
        """Set rules by which to order and to raise alerts. ``PUT /v1/replenishment/rules``."""
        return _replenishment(rules)

    @operation
    def read_rules(self) -> Call[RuleList]:
        """Read the rules. ``GET /v1/replenishment/rules``."""
        return read("/v1/replenishment/rules", RuleList)

    @operation
    def read_proposals(
        self,
        *,
        sku: str | None = None,
        location: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Call[ProposalList]:
        """Read a page of what to order now. ``GET /v1/replenishment``."""
        return read("/v1/replenishment", ProposalList, sku=sku, location=location, after=after, limit=limit)

    @operation
    def events(
        self,
        *,
        after: str | None = None,
        limit: int | None = None,
        about: Literal["all", "places", "skus"] | None = None,
    ) -> Call[EventList]:
        """Read the events after one, the oldest first. ``GET /v1/events``.

        ``next`` is there on the last page, too: it is where to go on later. So do not read this with ``pages``.
        """
        return read("/v1/events", EventList, after=after, limit=limit, about=about)


class Safety(Resource[ModeT]):
    """How much to keep back."""

    @operation
    def set_rules(self, rules: Sequence[SafetyRuleBody]) -> Plan[SafetyRulesPut]:
        """Set how much to keep back of categories and at locations. ``PUT /v1/safety/rules``."""
        return _safety(rules)

    @operation
    def read_rules(self) -> Call[SafetyRuleList]:
        """Read the rules. ``GET /v1/safety/rules``."""
        return read("/v1/safety/rules", SafetyRuleList)


class TimeZone(Resource[ModeT]):
    """By which days are told."""

    @operation
    def read(self) -> Call[TimeZoneView]:
        """Read the time zone. ``GET /v1/time-zone``."""
        return read("/v1/time-zone", TimeZoneView)

    @operation
    def put(self, time_zone: str) -> Call[TimeZoneView]:
        """Set the time zone by its IANA name. ``PUT /v1/time-zone``."""
        return sets("PUT", "/v1/time-zone", TimeZoneView, {"time_zone": time_zone})


def _replenishment(rules: Sequence[RuleBody]) -> Plan[RulesPut]:
    pages = yield from pages_in_order(set_parts("/v1/replenishment/rules", RulesPut, "rules", rules))
    return RulesPut(
        rules=[each for page in pages for each in page.rules],
        unknown_skus=[each for page in pages for each in page.unknown_skus],
    )


def _safety(rules: Sequence[SafetyRuleBody]) -> Plan[SafetyRulesPut]:
    pages = yield from pages_in_order(set_parts("/v1/safety/rules", SafetyRulesPut, "rules", rules))
    return SafetyRulesPut(
        rules=[each for page in pages for each in page.rules],
        unknown_categories=[each for page in pages for each in page.unknown_categories],
    )
