"""What a file makes of the listings of a channel, worked out before any of it is stored: only the end of it counts."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from server.config.toml_tables import listed
from server.domain.channels import LISTINGS_PER_CALL_MAX, Listing
from server.domain.components import LISTINGS_PER_COMPONENT_MAX, known_by
from server.domain.listing_keys import as_kept, cannot_stand
from server.domain.similar_names import did_you_mean
from server.files.file_import import ImportStoppedError, ReadFile, Tally, in_pieces
from server.service.listings import skus_of
from server.store.repositories.channels import ChannelStore


class Plan(NamedTuple):
    """What a file would make of the listings of a channel, as they are at a ``version``.

    ``kept``: what each row becomes. ``further``: what these make of other listings. ``refused``: why a row is bad, by
    what its listing is known by. ``owners``: whose each key is.
    """

    version: int
    stored: dict[str, Listing]
    owners: dict[str, str]
    kept: list[Listing]
    further: list[Listing]
    refused: dict[str, str]

    def changed(self, listing: Listing) -> bool:
        """Whether a row that is not refused has an effect."""
        return self.stored.get(listing.sku) != listing


async def planned(repository: ChannelStore, channel: str, file: ReadFile[Listing]) -> Plan:
    """Work out what becomes of the listings of a file: only their end counts."""
    version = await repository.listings_version(channel)
    stored = {listing.sku: listing async for listing in repository.listings(channel)}
    owners = {listing.key: listing.sku for listing in stored.values() if listing.listed}
    given = [row.value for row in file.rows]
    names = await _names(repository, given, stored) if await _lists_all(repository, channel) else set[str]()
    # In a thread: a long file takes a second, in which others are answered.
    return await asyncio.to_thread(_worked_out, version, stored, owners, given, names)


def _worked_out(
    version: int, stored: dict[str, Listing], owners: dict[str, str], given: Sequence[Listing], names: set[str]
) -> Plan:
    kept, further = as_kept(given, stored, names)
    refused = {sku: each.rule_in("file") for sku, each in cannot_stand([*kept, *further], owners, names).items()}
    refused |= _too_many([each for each in kept if each.sku not in refused], stored)
    return Plan(version, stored, owners | {name: name for name in names if name not in owners}, kept, further, refused)


async def note_unknown(repository: ChannelStore, file: ReadFile[Listing], tally: Tally) -> list[str]:
    """Note how many SKUs the stock does not know, and return them."""
    unknown: list[str] = []
    for piece in in_pieces(skus_of([row.value for row in file.rows]), LISTINGS_PER_CALL_MAX):
        unknown += await repository.unknown_skus(piece)
    if unknown:
        tally.notes.append(f"SKUs that the stock does not know: {len(unknown):,}; they are shown as 0 until it does.")
    return unknown


def belongs(further: Listing, changed: Mapping[str, Listing]) -> bool:
    """Return whether the pack is set that a SKU's own listing makes room for."""
    return known_by(further.key) in changed


def _too_many(listings: Sequence[Listing], stored: Mapping[str, Listing]) -> dict[str, str]:
    """Find by what they are known by the packs and bundles of which a SKU would come into too many."""
    end = {each.sku: each for each in stored.values() if each.components}
    count = Counter(part.sku for each in end.values() for part in each.components)
    refused = {}
    for listing in listings:
        before = end.get(listing.sku)
        had = {each.sku for each in before.components} if before is not None else set[str]()
        new = [each.sku for each in listing.components if each.sku not in had]
        full = next((sku for sku in new if count[sku] >= LISTINGS_PER_COMPONENT_MAX), None)
        if full is not None:
            refused[listing.sku] = f"{full} is in {count[full]:,} packs and bundles of this channel already"
            continue
        count.update(new)
        count.subtract(had - {each.sku for each in listing.components})
    return refused


async def _names(repository: ChannelStore, listings: Sequence[Listing], stored: Mapping[str, Listing]) -> set[str]:
    """Return the names among the keys and SKUs of a file that are listed by themselves."""
    found: set[str] = set()
    names = sorted({name for each in listings for name in (each.key, each.sku)} - stored.keys())
    for piece in in_pieces(names, LISTINGS_PER_CALL_MAX):
        found |= set(piece) - set(await repository.unknown_skus(piece))
    return found


async def _lists_all(repository: ChannelStore, channel: str) -> bool:
    """Whether the channel's publisher lists every SKU, as it last said; the configuration is not known here."""
    status = (await repository.statuses()).get(channel)
    return status is not None and status.lists_all


async def check_published(repository: ChannelStore, channel: str) -> None:
    """Refuse a channel that no server has published to: its listings would be kept for nobody.

    Raises
    ------
    ImportStoppedError
        There is none; it names the nearest.

    """
    known = await repository.published_channels()
    if channel not in known:
        question = did_you_mean(channel, known) or "."
        there_are = f" Known: {listed(known)}." if known else ""
        raise ImportStoppedError(
            f"Channel {channel!r} is not known{question}{there_are} Nothing was imported. A channel is known once a"
            " server that publishes has started with it; --new imports the listings of one that is still to be added."
        )
