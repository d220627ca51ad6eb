"""Takes an import of a list back: each entry gets what it had, where it still has what the import put there."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, cast

import msgspec

from server.domain.channels import Listing
from server.domain.limits import BARCODES_PER_CALL_MAX
from server.domain.locations import Location
from server.domain.safety_stock import SKUS_PER_CALL_MAX
from server.files.barcodes import BARCODES
from server.files.categories import CATEGORIES
from server.files.file_import import FileImport, ImportStoppedError, Keeper, ReadFile, Tally, Target, in_pieces
from server.files.listings import listings_import
from server.files.locations import LOCATIONS
from server.files.reader import Row
from server.files.sheet import Sheet
from server.files.undo import Undone
from server.store.repositories.barcodes import restore_barcodes
from server.store.repositories.imports import ImportRecord, ImportStore
from server.store.repositories.locations import LOCATIONS_PER_WRITE, LocationStore
from server.store.repositories.safety_stock import SafetyStore

Entries = Mapping[str, bytes | None]
Restore = Callable[[Target, ImportRecord, Entries], Awaitable[Mapping[str, str]]]
"""Gives entries back what they had; returns why some of them stay as they are."""

_CHANGED: Final = "it was changed since, and stays as it is"
_REGISTERED: Final = "it was new, and stays registered; holdfast locations delete removes it where nothing lies"
_decode_location = msgspec.json.Decoder(Location).decode
_decode_listing = msgspec.msgpack.Decoder(Listing).decode


async def undo_list(target: Target, record: ImportRecord, *, only_look: bool, why: str = "") -> Undone:
    """Take an import of a list back; ``only_look``: say what would come of that. Safe to repeat.

    ``why``: stands in the history, in an entry of its own; empty: there is none.

    Raises
    ------
    ImportStoppedError
        What it replaced is not kept.
    StoreUnavailableError
        The store did not answer; what is taken back stays so.

    """
    if not record.keeps:
        raise ImportStoppedError(
            f"The import of {record.file} ({record.id}) has replaced too much to be kept, so it cannot be taken back."
            " Import the file that was there before."
        )
    memory = ImportStore(target.store.client, target.keyspace)
    replaced, done = await memory.replaced(record.id), Undone()
    now = dict(zip(replaced, await _keeper(record).read(target, list(replaced)), strict=True))
    if record.state == "running":  # it was interrupted before it kept what it put there
        replaced = {name: (before, now[name]) for name, (before, _) in replaced.items()}
    kept = {name: each for name, each in replaced.items() if each[0] != each[1]}
    done.before = sum(1 for name in kept if now[name] == kept[name][0])
    done.refused = {name: _CHANGED for name in kept if now[name] not in kept[name]}
    left = [name for name in kept if now[name] == kept[name][1]]
    if only_look:
        done.taken = [_told(name, kept[name][0]) for name in left]
        return done
    if record.state == "running":
        await memory.keep(record.id, [(name, *each) for name, each in replaced.items()])
    await memory.put(msgspec.structs.replace(record, state="undoing"))
    entries = {name: kept[name][0] for name in left}
    if entries and why:
        await memory.note_undo(record, target.actor, why)
    stay = await _RESTORES[record.kind](target, record, entries)
    done.refused |= stay
    done.taken = [_told(name, before) for name, before in entries.items() if name not in stay]
    if done.is_whole:
        await memory.put(msgspec.structs.replace(record, state="undone"))
    return done


def _told(name: str, before: bytes | None) -> str:
    return f"{name}: {'taken away again' if before is None else 'as it was'}"


def _keeper(record: ImportRecord) -> Keeper[Any]:
    kinds: dict[str, FileImport[Any]] = {"barcodes": BARCODES, "categories": CATEGORIES, "locations": LOCATIONS}
    kind: FileImport[Any] = _listings_of(record) if record.kind == "listings" else kinds[record.kind]
    assert kind.keeper is not None  # noqa: S101  # each kind of list has one
    return kind.keeper


async def _barcodes(target: Target, _record: ImportRecord, entries: Entries) -> Mapping[str, str]:
    for piece in in_pieces(list(entries.items()), BARCODES_PER_CALL_MAX):
        await restore_barcodes(target.store.client, target.keyspace, dict(piece), target.actor)
    return {}


async def _categories(target: Target, _record: ImportRecord, entries: Entries) -> Mapping[str, str]:
    store = SafetyStore(target.store.client, target.keyspace)
    for piece in in_pieces(list(entries.items()), SKUS_PER_CALL_MAX):
        categories = {sku: "" if before is None else before.decode() for sku, before in piece}
        await store.set_categories(categories, target.actor)
    return {}


async def _locations(target: Target, _record: ImportRecord, entries: Entries) -> Mapping[str, str]:
    before = [_decode_location(each) for each in entries.values() if each is not None]
    store = LocationStore(target.store.client, target.keyspace, target.store.retention.packed())
    for piece in in_pieces(before, LOCATIONS_PER_WRITE):
        await store.put(piece, target.actor, allow_similar=True)
    return {name: _REGISTERED for name, each in entries.items() if each is None}


async def _listings(target: Target, record: ImportRecord, entries: Entries) -> Mapping[str, str]:
    """Give listings back what they had, as a file would; a new one is unlisted, so that the channel is sent 0."""
    kind, now = _listings_of(record), await _keeper(record).read(target, list(entries))
    wanted = [_wanted(before, there) for before, there in zip(entries.values(), now, strict=True) if there is not None]
    rows = [Row(number, each.sku, each) for number, each in enumerate(wanted, 1)]
    tally = Tally()
    await kind.put(target, ReadFile("", rows, [], 0, [], cast("Sheet", None)), tally)  # nobody asks for its cells
    return {bad.text: bad.reason for bad in tally.refused}


def _wanted(before: bytes | None, there: bytes) -> Listing:
    return msgspec.structs.replace(_decode_listing(there), listed=False) if before is None else _decode_listing(before)


def _listings_of(record: ImportRecord) -> FileImport[Listing]:
    return listings_import(record.where, is_new=True)


_RESTORES: Final[Mapping[str, Restore]] = {
    "barcodes": _barcodes,
    "categories": _categories,
    "locations": _locations,
    "listings": _listings,
}
