"""The data about channels, as the API and the commands see it: rules, listings, status, dead letters.

A command to the publisher (new rules, new listings, a comparison, a retry) is an entry of the journal, written together
with the data that it is about. So it is neither lost nor overtaken, whichever process publishes.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from server.domain.changes import Change
from server.domain.channels import ChannelStatus, DeadLetter, Shown
from server.domain.principal import SYSTEM
from server.store.connection.commands import command, in_a_row, together
from server.store.connection.scans import SLICE_FIELDS, scan
from server.store.keys import ChannelKeys, Keyspace, stored_text
from server.store.repositories.channel_commands import KEY, SKU, ChannelCommand, command_entry
from server.store.repositories.listings import ListingStore
from server.store.repositories.settings_changes import ANOTHER, Changer, SettingChange, change_settings
from server.store.repositories.skus import NOWHERE

_KINDS = {
    "listings": ("listings", "by_key"),
    "shown": ("shown",),
    "dead_letters": ("dead_letters",),
    "tickets": ("tickets",),
}
"""What is kept of a channel, and the names of its hashes."""

RESENT_PER_ENTRY: Final = 500
"""Keys that an entry of the journal has sent again."""
FORGOTTEN: Final = "forget_channel"
"""The journal's operation for a channel whose data was removed."""
CURSOR_LIFE_MS: Final = 3 * 86_400_000
"""Three days: longer than a weekend without a publisher."""

_decode_dead_letter = msgspec.msgpack.Decoder(DeadLetter).decode
_decode_shown = msgspec.msgpack.Decoder(Shown).decode
_decode_status = msgspec.json.Decoder(ChannelStatus).decode


class ChannelStore(ListingStore):
    """The channels of one partition. Every method raises StoreUnavailableError if the store does not answer."""

    # -- rules

    async def given_rules(self) -> dict[str, dict[str, Any]]:
        """Read what was set at run time, by channel: only the fields that were given."""
        stored = await command(self._client, "HGETALL", self._keyspace.channel_rules)
        return {stored_text(channel): msgspec.json.decode(packed) for channel, packed in stored.items()}

    async def set_rules(self, channel: str, given: dict[str, Any], actor: str, *, reason: str = "") -> None:
        """Replace what was set at run time; empty restores the configuration. The journal has it for the publisher."""
        changer = Changer("channel_rules", actor, channel)
        why = [("reason", reason)] if reason else []
        change = SettingChange(why, channel, msgspec.json.encode(given) if given else None)
        await change_settings(self._client, self._keyspace, self._keyspace.channel_rules, changer, [change])

    async def change_rules(
        self, channel: str, change: Callable[[dict[str, Any]], dict[str, Any]], actor: str, *, reason: str = ""
    ) -> dict[str, Any]:
        """Replace what was set at run time by what ``change`` makes of it, and return that; else as :meth:`set_rules`.

        It is made anew where somebody else changed the rules meanwhile, so neither change is lost.
        """
        changer = Changer("channel_rules", actor, channel)
        why = [("reason", reason)] if reason else []
        key = self._keyspace.channel_rules
        while True:
            packed = await command(self._client, "HGET", key, channel)
            given = change(msgspec.json.decode(packed) if packed is not None else {})
            new = SettingChange(why, channel, msgspec.json.encode(given) if given else None)
            was = None if packed is None else stored_text(packed)
            changed = await change_settings(self._client, self._keyspace, key, changer, [new], expected=[was])
            if changed != ANOTHER:
                return given

    # -- state

    async def unknown_skus(self, skus: Sequence[str]) -> list[str]:
        """Return those SKUs, of some thousand at most, that have no stock record."""
        if not skus:
            return []
        # Where one is known can be a long list: only its length is asked for.
        lengths = await together(self._client, [("HSTRLEN", self._keyspace.skus, sku) for sku in skus])
        return [sku for sku, length in zip(skus, lengths, strict=True) if length <= len(NOWHERE)]

    async def channels(self) -> list[str]:
        """Name every channel that has data, in alphabetical order."""
        rules = await command(self._client, "HKEYS", self._keyspace.channel_rules)
        found = {*await self.published_channels(), *map(stored_text, rules)}
        prefix = ChannelKeys(self._keyspace, "*").listings.partition("*")[0]
        position = 0
        while True:
            position, keys = await command(self._client, "SCAN", position, "MATCH", prefix + "*", "COUNT", SLICE_FIELDS)
            found |= {stored_text(key).removeprefix(prefix).rpartition(":")[0] for key in keys}
            if not int(position):
                return sorted(found)

    async def published_channels(self) -> list[str]:
        """Name every channel that a publisher was configured with, in alphabetical order."""
        kept = await together(
            self._client, [("HKEYS", self._keyspace.channel_cursors), ("HKEYS", self._keyspace.channel_status)]
        )
        return sorted({stored_text(channel) for channels in kept for channel in channels})

    async def kept(self, channel: str) -> dict[str, int]:
        """Count the data of a channel: listings, shown values, dead letters and tickets."""
        keys = self._keys(channel)
        where = [(kind, getattr(keys, name)) for kind, names in _KINDS.items() for name in names]
        counts = await together(self._client, [("HLEN", key) for _, key in where])
        kept = dict.fromkeys(_KINDS, 0)
        for (kind, _), count in zip(where, counts, strict=True):
            kept[kind] += int(count)
        return kept

    async def forget(self, channel: str, actor: str) -> None:
        """Remove all data of a channel; no publisher may run for it. The journal says who did it.

        Without its cursor, the journal can be trimmed past the entry where the channel stopped.
        """
        keyspace = self._keyspace
        fields = (keyspace.channel_cursors, keyspace.channel_status, keyspace.channel_rules)
        removals = [("HDEL", key, channel) for key in fields]
        keys = self._keys(channel)
        entry = msgspec.msgpack.encode([Change(FORGOTTEN, await self.now_ms(), actor, channel, "", "", [], [])])
        noted = ("XADD", keyspace.journal, "*", "e", entry)
        await together(self._client, [("UNLINK", *keys.all, *keys.ordering), *removals, noted])

    async def statuses(self) -> dict[str, ChannelStatus]:
        """Read the state of each channel when its publisher last wrote it: a second ago where one runs."""
        return _statuses(await command(self._client, "HGETALL", self._keyspace.channel_status))

    async def statuses_now(self) -> tuple[dict[str, ChannelStatus], int]:
        """Read the same, and then the store's clock, in milliseconds since 1970."""
        stored, clock = await in_a_row(self._client, [("HGETALL", self._keyspace.channel_status), ("TIME",)])
        return _statuses(stored), int(clock[0]) * 1000 + int(clock[1]) // 1000

    async def dead_letters(self, channel: str) -> AsyncIterator[DeadLetter]:
        """Go through the dead letters, in no order."""
        async for _, packed in scan(self._client, self._keys(channel).dead_letters):
            yield _decode_dead_letter(packed)

    async def page_of_dead_letters(self, channel: str, position: int, count: int) -> tuple[int, list[DeadLetter]]:
        """Read some dead letters and the position to go on from, 0 at the end and at the beginning."""
        where = self._keys(channel).dead_letters
        following, found = await command(self._client, "HSCAN", where, position, "COUNT", count)
        return int(following), [_decode_dead_letter(packed) for packed in found.values()]

    async def dead_letters_of(self, channel: str, listed_as: Sequence[str]) -> list[DeadLetter | None]:
        """Read the quantities that the channel does not take, of listings by what these are known by, in order."""
        packed = await self._some(self._keys(channel).dead_letters, listed_as)
        return [None if each is None else _decode_dead_letter(each) for each in packed]

    async def shown_under(self, channel: str, keys: Sequence[str]) -> list[Shown | None]:
        """Read what the channel has confirmed under keys, in order; None: nothing is known."""
        packed = await self._some(self._keys(channel).shown, keys)
        return [None if each is None else _decode_shown(each) for each in packed]

    async def _some(self, where: str, fields: Sequence[str]) -> list[bytes | None]:
        return list(await command(self._client, "HMGET", where, *fields)) if fields else []

    async def cursors(self) -> dict[str, str]:
        """Read up to which journal id each channel has confirmed everything."""
        stored = await command(self._client, "HGETALL", self._keyspace.channel_cursors)
        return {stored_text(channel): stored_text(cursor) for channel, cursor in stored.items()}

    async def send_command(
        self, channel: str, name: ChannelCommand, skus: Iterable[str], actor: str, *, keys: Iterable[str] = ()
    ) -> None:
        """Send a command to a channel's publisher, for these SKUs or for all; it stays until it is carried out.

        ``keys``: for these keys, too, whoever owns them.
        """
        notes = [*((SKU, sku) for sku in skus), *((KEY, key) for key in keys)]
        await self._together([], channel, name, notes, actor)

    async def resend(self, channel: str, keys: Sequence[str], skus_of: Callable[[str], Iterable[str]]) -> None:
        """Have a channel's publisher send keys again, with the SKUs of each, whatever the channel seems to show.

        There may be as many keys as the channel lists, and whoever follows the journal reads an entry whole.
        """
        for start in range(0, len(keys), RESENT_PER_ENTRY):
            some = keys[start : start + RESENT_PER_ENTRY]
            skus = sorted({sku for key in some for sku in skus_of(key)})
            await self.send_command(channel, "channel_resend", skus, SYSTEM, keys=some)

    async def _together(
        self,
        changes: list[tuple[str | bytes | int, ...]],
        channel: str,
        name: ChannelCommand,
        notes: Sequence[tuple[str, str]],
        actor: str,
    ) -> None:
        entry = command_entry(name, await self.now_ms(), actor, channel, notes)
        await together(self._client, [*changes, ("XADD", self._keyspace.journal, "*", "e", entry)])


def _statuses(stored: Mapping[bytes, bytes]) -> dict[str, ChannelStatus]:
    return {stored_text(channel): _decode_status(packed) for channel, packed in stored.items()}


async def lowest_cursor(client: Redis, keyspace: Keyspace) -> str | None:
    """Return the journal id up to which every channel has confirmed everything; None: no channel reads the journal.

    A channel without a publisher for :data:`CURSOR_LIFE_MS` does not hold back trimming, or the journal would grow for
    ever. If its publisher returns and the cursor's entry is gone, it sends the channel every value.
    """
    kept = ChannelStore(client, keyspace)
    cursors, statuses = await kept.cursors(), await kept.statuses()
    now_ms = await kept.now_ms()
    silent = {name for name, status in statuses.items() if abs(now_ms - status.written_ms) >= CURSOR_LIFE_MS}
    return min((cursor for name, cursor in cursors.items() if name not in silent), key=_order, default=None)


def _order(cursor: str) -> tuple[int, int]:
    milliseconds, _, number = cursor.partition("-")
    return int(milliseconds), int(number)
