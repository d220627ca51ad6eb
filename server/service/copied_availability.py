"""Availability from this process's copy, for a caller who allows an age."""

from collections.abc import Container, Sequence

from server.service.caller import Caller
from server.service.checks import STORED_NAMES
from server.service.sku_availability import SkuAvailability


def checked_names(caller: Caller, age_max_ms: int) -> Container[str]:
    """Return names that need no check: the copy has them. A thousand checks are a fifth of such a request's work."""
    copy = caller.partition.stock_copy
    return () if not age_max_ms or copy is None or STORED_NAMES else copy.names


def find(
    caller: Caller,
    skus: Sequence[str],
    location: str,
    channel: str,
    among: frozenset[str] | None,
    *,
    is_listed: bool,
    age_max_ms: int,
) -> dict[str, SkuAvailability]:
    """Find what the copy says of SKUs. Those that it does not have, or not new enough, are left out."""
    copy = caller.partition.stock_copy
    if not age_max_ms or copy is None:
        return {}
    found: dict[str, SkuAvailability] = {}
    seen = copy.seen(age_max_ms / 1_000)
    if seen is None:
        return {}
    for sku in skus:
        copied = copy.sku(sku)
        if copied is None or (location and copy.has_old_names and not copied.has(location)):
            continue
        is_known, available, seq, counted, listed = copied.shown(location, channel, among)
        found[sku] = SkuAvailability(
            sku, is_known, available, seq, counted, listed if is_listed else None,
            max(seen.as_of_ms, copied.as_of_ms), among, copy.locations_version,
        )  # fmt: skip
    return found
