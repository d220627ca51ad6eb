"""CSV files of listings: each row sets the key and price of a SKU on a channel."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from server.cli.common import failure
from server.cli.csv.cell_values import yes_or_no
from server.cli.csv.csv_import import CsvFile, CsvImport, Key, Tally, Target, in_pieces
from server.cli.csv.reader import BadCellError, BadRow, Cells, Columns, CsvError, column_name, shown
from server.config.toml_tables import listed
from server.domain.channels import ATTRIBUTES_MAX, LISTINGS_PER_CALL_MAX, Listing
from server.domain.components import COMPONENTS_MAX, LISTINGS_PER_COMPONENT_MAX, known_by
from server.domain.limits import PACK_UNITS_MAX
from server.domain.listing_keys import as_kept, cannot_stand, in_requests
from server.domain.principal import LOCAL
from server.domain.similar_names import closest, did_you_mean
from server.schemas.channels import ComponentBody, ListingBody
from server.service.checks import InvalidError
from server.service.listings import listing_of, skus_of
from server.store.keys import Keyspace
from server.store.repositories.channels import ChannelStore

COLUMNS: Final = Columns(
    ("sku", "key"), ("listed", "price", "list_price", "currency", "factor", "components"), may_be_empty=("sku",)
)
"""Every other column becomes an attribute, under the name that it has in the file."""
_REQUEST_MAX: Final = 50
"""Listings in a request of a file with packs or bundles: they may lose and get 20 components each."""
_BETWEEN: Final = "|"
_QUANTITY: Final = re.compile(r"([0-9]{1,7})\*(.*)", re.ASCII)
_ROW: Final = "row"


def listings_import(channel: str, *, is_new: bool = False) -> CsvImport[Listing]:
    """Import what a channel lists. Two SKUs with one key are bad: the channel could show only one of them.

    What counts is the end of the whole file. ``is_new``: the channel need not be known yet.
    """

    async def put(target: Target, file: CsvFile[Listing], tally: Tally) -> None:
        await _put(ChannelStore(target.store.client, Keyspace(target.partition)), channel, file, tally, is_new=is_new)

    return CsvImport(
        columns=COLUMNS,
        row=_listing,
        keys=(SKU, CHANNEL_KEY),
        put=put,
        on_other_columns=attributes,
        check=_check_attributes,
    )


SKU: Final = Key[Listing](
    lambda listing: listing.sku,
    lambda listing, lines: (
        f"the key {shown(listing.key)} is on line {lines} too, with another factor, components or price"
        if listing.components
        else f"{shown(listing.sku)} is on line {lines} too, with another key or price"
    ),
)
CHANNEL_KEY: Final = Key[Listing](
    lambda listing: (listing.key, "" if listing.listed else listing.sku),
    lambda listing, lines: f"the key {shown(listing.key)} is on line {lines} too, for another SKU",
)


def _listing(cells: Cells) -> Listing:
    if not cells.get("sku") and not cells.get("components"):
        raise BadCellError("sku is empty; a bundle has components in its place")
    body = ListingBody(
        key=cells.get("key"),
        sku=cells.get("sku") or msgspec.UNSET,
        factor=_factor(cells.get("factor"), "factor") if cells.get("factor") else msgspec.UNSET,
        components=_components(cells.get("components")) or msgspec.UNSET,
        listed=yes_or_no(cells, "listed"),
        price=cells.get("price") or None,
        list_price=cells.get("list_price") or None,
        currency=cells.get("currency") or None,
        attributes=cells.others(),
    )
    try:
        return listing_of(_ROW, body)
    except InvalidError as error:
        raise InvalidError(error.field.removeprefix(_ROW + "."), error.rule) from None


def _components(cell: str) -> list[ComponentBody]:
    """Read the components of a bundle: ``2*MUG | SPOON`` is two of the one and one of the other."""
    components = []
    for part in cell.split(_BETWEEN) if cell else ():
        found = _QUANTITY.fullmatch(part.strip())
        quantity, sku = found.groups() if found else ("1", part)
        if not sku.strip():
            raise BadCellError(f"components is {shown(cell)}: write them as 2*MUG | SPOON")
        components.append(ComponentBody(sku.strip(), _factor(quantity, "components")))
    if len(components) > COMPONENTS_MAX:
        raise BadCellError(f"components has {len(components)} SKUs; a bundle has {COMPONENTS_MAX} at most")
    return components


def _factor(text: str, column: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= PACK_UNITS_MAX:
        raise BadCellError(f"{column} has {shown(text)}, not a whole number of units from 1 to {PACK_UNITS_MAX}")
    return int(text)


def attributes(names: list[str]) -> Iterable[str]:
    """Name the columns that become attributes, and those that resemble a known column."""
    if names:
        yield f"Attributes: {', '.join(names)}"
    for name in names:
        if close := closest(column_name(name), COLUMNS.known):
            yield f"{shown(name)} becomes an attribute; did you mean {close}?"


def _check_attributes(file: CsvFile[Listing]) -> None:
    names = file.other_columns
    for name in names:
        if names.count(name) > 1:
            raise CsvError(f"The header names the column {shown(name)} twice. Remove one of them.")
    if len(names) > ATTRIBUTES_MAX:
        raise CsvError(
            f"The header names {len(names)} columns beside {', '.join(COLUMNS.known)}. Each would become an attribute,"
            f" and a listing has at most {ATTRIBUTES_MAX}. Remove the columns that the channel does not need."
        )


async def _put(repository: ChannelStore, channel: str, file: CsvFile[Listing], tally: Tally, *, is_new: bool) -> None:
    if not is_new:
        await check_published(repository, channel)
    counted: set[str] = set()
    # Whoever changes listings meanwhile has the file looked at anew: what it has done by then is unchanged.
    while not await _put_all(repository, channel, file, tally, counted):
        pass
    await note_unknown(repository, file, tally)


async def note_unknown(repository: ChannelStore, file: CsvFile[Listing], tally: Tally) -> list[str]:
    """Note how many SKUs the stock does not know, and return them."""
    unknown: list[str] = []
    for piece in in_pieces(skus_of([row.value for row in file.rows]), LISTINGS_PER_CALL_MAX):
        unknown += await repository.unknown_skus(piece)
    if unknown:
        tally.notes.append(f"SKUs that the stock does not know: {len(unknown):,}; they are shown as 0 until it does.")
    return unknown


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


async def planned(repository: ChannelStore, channel: str, file: CsvFile[Listing]) -> Plan:
    """Work out what becomes of the listings of a file: only their end counts."""
    version = await repository.listings_version(channel)
    stored = {listing.sku: listing async for listing in repository.listings(channel)}
    owners = {listing.key: listing.sku for listing in stored.values() if listing.listed}
    given = [row.value for row in file.rows]
    names = await _names(repository, given, stored) if await _lists_all(repository, channel) else set[str]()
    kept, further = as_kept(given, stored, names)
    refused = {sku: each.rule_in("file") for sku, each in cannot_stand([*kept, *further], owners, names).items()}
    refused |= _too_many([each for each in kept if each.sku not in refused], stored)
    return Plan(version, stored, owners | {name: name for name in names if name not in owners}, kept, further, refused)


async def _put_all(
    repository: ChannelStore, channel: str, file: CsvFile[Listing], tally: Tally, counted: set[str]
) -> bool:
    """Store the listings of a file; ``counted`` gets the SKUs that are done. False: listings were changed meanwhile."""
    plan = await planned(repository, channel, file)
    changed: dict[str, Listing] = {}
    for row, listing in zip(file.rows, plan.kept, strict=True):
        sku = listing.sku
        if sku in counted:
            continue
        if sku in plan.refused:
            counted.add(sku)
            tally.add(refused=BadRow(row.line, plan.refused[sku], row.text))
        elif not plan.changed(listing):
            counted.add(sku)
            tally.add(unchanged=1)
        else:
            changed[sku] = listing
    version = plan.version
    changes = {**changed, **{each.sku: each for each in plan.further if belongs(each, changed)}}
    size = _REQUEST_MAX if any(each.components for each in changed.values()) else LISTINGS_PER_CALL_MAX
    for request in in_requests(list(changes.values()), plan.owners, plan.stored, size):
        if not await repository.put_listings(channel, request, LOCAL.actor, version=version):
            return False
        version += 1
        done = {each.sku for each in request if changed.get(each.sku) == each}
        counted |= done
        tally.add(set=len(done))
    return True


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
    click.ClickException
        There is none; it names the nearest.

    """
    known = await repository.published_channels()
    if channel not in known:
        question = did_you_mean(channel, known) or "."
        there_are = f" Known: {listed(known)}." if known else ""
        raise failure(
            f"Channel {channel!r} is not known{question}{there_are} Nothing was imported. A channel is known once a"
            " server that publishes has started with it; --new imports the listings of one that is still to be added."
        )
