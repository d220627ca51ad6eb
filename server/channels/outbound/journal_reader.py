"""Follows the journal for all channels of a partition: updates levels, marks changed SKUs, runs channel commands."""

import asyncio
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

import structlog

from server.channels.outbound import closings
from server.channels.outbound.own_sales import add_own_sales
from server.channels.outbound.relisting import ROUNDS_MAX
from server.channels.outbound.sender import Sender
from server.channels.outbound.stock_levels import StockLevels
from server.domain.changes import Change
from server.domain.channels import ChannelRules, Listing, rules_in_force, understood
from server.domain.components import known_by
from server.store.errors import StoreUnavailableError
from server.store.journal.feed import JournalFeed
from server.store.journal.journal import DamagedEntryError, EntryId, format_entry_id, parse_entry_id
from server.store.repositories import locations
from server.store.repositories.channel_commands import commanded_keys, commanded_skus, left_keys
from server.store.repositories.channels import ChannelStore
from server.store.repositories.location_names import read_location_names
from server.store.repositories.publisher import PublisherStore

log = structlog.get_logger("holdfast.publisher")

QUIET_S: Final = 5.0
PAGE_ENTRIES: Final = 512
CALLS_AT_A_TIME: Final = 2_000
"""Some milliseconds of the event loop, which may be serving orders, too."""
_SKUS_AT_A_TIME: Final = 100
_KEYS_AT_A_TIME: Final = 100
_COMMAND: Final = "channel_"
_NO_SALES: Final[Mapping[str, int]] = MappingProxyType({})


class JournalReader:
    """Follows one partition's journal from the lowest of the channels' positions.

    ``taken_over_at`` is the journal's end when this publisher took over. What a channel has not confirmed up to there
    somebody else may have sent, so it is sent whatever the channel is believed to show.
    """

    def __init__(
        self,
        store: PublisherStore,
        feed: JournalFeed,
        levels: StockLevels,
        *,
        channels: Mapping[str, Sender],
        configured: Mapping[str, ChannelRules],
        taken_over_at: EntryId,
    ) -> None:
        self._feed = feed
        self._store = store
        self._commands = ChannelStore(store.client, store.keyspace)
        self._levels = levels
        self._channels = channels
        self._configured = configured
        self._taken_over_at = taken_over_at
        self._position = min((channel.position for channel in channels.values()), default=taken_over_at)

    async def run(self) -> None:
        """Follow the journal until cancelled.

        Raises
        ------
        ExceptionGroup
            Of StoreUnavailableError: the store did not answer, or may have lost its newest entries.

        """
        async with asyncio.TaskGroup() as group:
            await self._follow(group)

    async def _follow(self, group: asyncio.TaskGroup) -> None:
        connections = self._feed.connections
        while True:
            try:
                await self._catch_up(group)
            except DamagedEntryError as error:
                await self._skip(error)
                continue
            await self._feed.grown(self.position, QUIET_S)
            if self._feed.connections > max(1, connections):
                # With fsync once a second a store can come back with less than we have seen, and count on from there:
                # what we hold newer than that would then never be replaced.
                raise StoreUnavailableError("The connection to the store was lost; reading everything anew.")

    async def _catch_up(self, group: asyncio.TaskGroup) -> None:
        """Read to the end, yielding to other tasks on the way."""
        calls = 0
        async for entry_id, changes in self._feed.read(self.position, PAGE_ENTRIES, self._store.client):
            calls += await self._take(group, parse_entry_id(entry_id), changes)
            if calls > CALLS_AT_A_TIME:
                calls = 0
                await asyncio.sleep(0)

    @property
    def position(self) -> str:
        """The journal id up to which everything is marked."""
        return format_entry_id(self._position)

    async def _take(self, group: asyncio.TaskGroup, entry_id: EntryId, changes: list[Change]) -> int:
        """Apply one entry; return how many SKUs channels had to look at, summed over the channels."""
        before = self._is_of_before(entry_id)
        changed: dict[str, int] = {}
        sales: dict[str, dict[str, int]] = {}
        for change in changes:
            self._levels.follow(change)
            for line in change.lines:
                changed.setdefault(line.sku, change.at_ms)
            if change.channel in self._channels:
                add_own_sales(change, sales.setdefault(change.channel, {}))
        behind = [channel for channel in self._channels.values() if channel.position < entry_id]
        for channel in behind:
            for sku, units in sales.get(channel.name, _NO_SALES).items():
                channel.state.sold_there(sku, units)
            for sku, at_ms in changed.items():
                channel.state.changed(sku, entry_id, at_ms, forced=before, maybe_applied=before)
        for change in changes:
            if change.operation.startswith(_COMMAND) and (asked := self._channels.get(change.channel)) in behind:
                await self._run_command(asked, change, entry_id)
        self._close(group, changes, behind, entry_id)
        # Moved after the marks are made, and nothing waits in between: a cursor taken now is held back by them.
        for channel in behind:
            channel.position = entry_id
        self._position = entry_id
        return len(behind) * len(changed)

    def _close(self, group: asyncio.TaskGroup, changes: list[Change], behind: list[Sender], entry_id: EntryId) -> None:
        """Mask what changes have closed, at once; its SKUs are marked beside, so that sales do not wait for them."""
        before = self._is_of_before(entry_id)
        for change in changes:
            moved = locations.closings(change)
            if moved is None:
                continue
            self._levels.closed = self._levels.closed.after(moved)
            for channel in behind:
                channel.begin_marking(entry_id)  # before its position moves
            group.create_task(closings.mark(self._levels, behind, moved.names, entry_id, change.at_ms, before=before))

    async def _run_command(self, channel: Sender, change: Change, entry_id: EntryId) -> None:
        """Run a command for a channel. A second run, as after a restart, does no harm."""
        skus, state = commanded_skus(change), channel.state
        match change.operation:
            case "channel_rules":
                given = (await self._commands.given_rules()).get(channel.name, {})
                rules = rules_in_force(self._configured[channel.name], understood(given))
                was_paused = state.is_paused
                await state.use_rules(rules, entry_id, forced=self._is_of_before(entry_id))
                if was_paused and not state.is_paused:
                    channel.revive()
            case "channel_listings":
                changed = [*skus, *map(known_by, commanded_keys(change))]
                await self._relist(channel, changed, entry_id, left_keys(change, lists_all=state.lists_all))
            case "channel_reconcile":
                channel.ask_reconcile(entry_id)
            case "channel_test":
                channel.ask_test()
            case "channel_retry":
                channel.revive()
                again = state.retry_dead_letters(skus or state.dead_letter_skus(), entry_id)
                await self._relist(channel, again, entry_id, {})
            case "channel_resend":
                for sku in skus:
                    state.sold_there(sku, 0)  # what it shows is unknown: it may be more than nothing
                    state.changed(sku, entry_id, 0, forced=True, maybe_applied=True)
                for key in commanded_keys(change):
                    state.shows_unknown(key)
                    state.key_changed(key, entry_id, 0, forced=True, maybe_applied=True)
            case _:
                log.warning("channel_command_unknown", channel=channel.name, command=change.operation)

    async def _relist(self, channel: Sender, skus: list[str], entry_id: EntryId, left: Mapping[str, str]) -> None:
        """Take over the listings of some SKUs, or what is in their place: a key that one leaves another may have."""
        listings = await self._listings(channel, skus)
        for _ in range(ROUNDS_MAX):
            # What is stored may be newer than this entry: a key can be free in it that has an owner here.
            leaving = channel.state.owners_of(listings)
            if not leaving:
                break
            listings |= await self._listings(channel, leaving)
        before = self._is_of_before(entry_id)
        keys = channel.state.relist(listings, left, before=before)
        for number, key in enumerate(keys):
            if number % _KEYS_AT_A_TIME == 0:
                await asyncio.sleep(0)
            channel.state.key_changed(key, entry_id, 0, forced=before, maybe_applied=before)

    async def _listings(self, channel: Sender, skus: Iterable[str]) -> dict[str, Listing | None]:
        found: dict[str, Listing | None] = {}
        skus = list(skus)
        for start in range(0, len(skus), _SKUS_AT_A_TIME):
            part = skus[start : start + _SKUS_AT_A_TIME]
            found |= zip(part, await self._commands.listings_of(channel.name, part), strict=True)
        return found

    def _is_of_before(self, entry_id: EntryId) -> bool:
        """Whether an earlier publisher may have acted on an entry, and not written down what came of it."""
        return entry_id <= self._taken_over_at

    async def _skip(self, damaged: DamagedEntryError) -> None:
        """Go on after an entry that cannot be read: what it changed is seen in the stock itself."""
        log.error("publisher_skips_entry", entry=damaged.entry_id, reason=str(damaged))
        self._levels.closed = await locations.read_closed(self._store.client, self._store.keyspace)
        self._levels.names = await read_location_names(self._store.client, self._store.keyspace)
        async for level in self._store.levels():
            self._levels.update(*level)
        entry_id = parse_entry_id(damaged.entry_id)
        for channel in self._channels.values():
            if channel.position < entry_id:
                await channel.state.changed_all(entry_id, forced=True)
                channel.position = entry_id
        self._position = entry_id
