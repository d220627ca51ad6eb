"""Compares what a channel shows with what it should, corrects it, and finds those that say yes and change nothing."""

from collections.abc import Iterable
from typing import Final, Protocol

import structlog
from msgspec.structs import replace

from server.channels.connection.clock import Clock
from server.channels.outbound.catalogue import Catalogue
from server.channels.outbound.pending import Pending
from server.domain.channels import Kept, Listing, Shown
from server.domain.components import sku_in
from server.store.journal.journal import EntryId
from server.telemetry.channel_metrics import ChannelMetrics

log = structlog.get_logger("holdfast.channel")

KEPT_MAX: Final = 3
"""Comparisons in a row that find the same number after another was confirmed. One can meet a buyer or somebody at the
channel's panel; three do not."""


class Mark(Protocol):
    """Makes a key pending."""

    def __call__(self, key: str, entry_id: EntryId, changed_ms: int, *, forced: bool = False) -> None:
        """See :meth:`ChannelState.key_changed`."""


class Comparison:
    """Compares one channel's listings, whose components it shares with the channel's state."""

    def __init__(
        self,
        catalogue: Catalogue,
        pending: Pending,
        *,
        channel: str,
        mark: Mark,
        clock: Clock,
        metrics: ChannelMetrics,
    ) -> None:
        self._channel = channel
        self._catalogue = catalogue
        self._pending = pending
        self._dead_letters = catalogue.dead_letters
        self._mark = mark
        self._clock = clock
        self._metrics = metrics

    def confirmed_values(self, listings: Iterable[Listing]) -> dict[str, Shown | None]:
        """Return, by key, what the channel has confirmed of those listings that are not pending."""
        return {each.key: self._catalogue.shown(each.key) for each in listings if each.key not in self._pending}

    def is_unchanged(self, listing: Listing, before: Shown | None) -> bool:
        """Return whether a listing is not pending and still has the confirmed value of before."""
        return listing.key not in self._pending and self._catalogue.shown(listing.key) is before

    def compare(self, listing: Listing, shows: int | None, entry_id: EntryId, *, log_it: bool) -> bool:
        """Compare what a channel shows (None: it does not know the key) with what it should, and correct it.

        Returns
        -------
        bool
            Whether it differed.

        """
        wanted, units = self._catalogue.value(listing).quantity, shows or 0
        if units == wanted:
            self._agrees(listing)
            return False
        self._metrics.reconcile_differences.inc()
        if log_it:
            sku = sku_in(listing.sku)
            log.warning("channel_differs", channel=self._channel, sku=sku, key=listing.key, shows=shows, wanted=wanted)
        kept = self._kept(listing, units, wanted)
        now_ms = self._clock.store_ms()
        # Without its prices: whoever has changed the number there may have changed them, too.
        shown = Shown(listing.key, units, "", "", 0, now_ms, kept=kept, sku=listing.sku)
        self._catalogue.set_shown(listing.key, shown)
        is_owned = self._catalogue.owners.owner(listing.key) is not None
        if kept is not None and kept.times >= KEPT_MAX and is_owned:
            self._dead_letters.add_kept(listing, wanted, kept, now_ms)
        self._mark(listing.key, entry_id, 0, forced=True)
        return True

    def begin_anew(self, key: str) -> None:
        """Forget what comparisons have found of a key: somebody has seen to it."""
        shown = self._catalogue.shown(key)
        if shown is not None and shown.kept is not None:
            self._catalogue.set_shown(key, replace(shown, kept=None))

    def _agrees(self, listing: Listing) -> None:
        self.begin_anew(listing.key)
        if self._dead_letters.is_kept(listing.sku, listing.key):
            self._dead_letters.remove(listing.sku)

    def _kept(self, listing: Listing, shows: int, wanted: int) -> Kept | None:
        """Return what is found of a SKU by now; None: the channel has not confirmed what it should show."""
        shown = self._catalogue.shown(listing.key)
        if shown is None or not shown.confirms(listing.sku, wanted):
            return None
        before = shown.kept
        if before is None or before.shows != shows:
            return Kept(shows, wanted, 1)
        return Kept(shows, wanted if before.sent == wanted else None, before.times + 1)
