"""Files of listings: each row sets the key and price of a SKU on a channel."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from server.domain.channels import ATTRIBUTES_MAX, LISTINGS_PER_CALL_MAX, Listing
from server.domain.components import COMPONENTS_MAX
from server.domain.limits import PACK_UNITS_MAX
from server.domain.listing_keys import in_requests
from server.files.cell_values import PACK_UNITS, amount, pack_units, yes_or_no
from server.files.file_import import FileImport, Keeper, Key, ReadFile, Tally, Target, in_pieces
from server.files.listings_plan import belongs, check_published, note_unknown, planned
from server.files.listings_preview import preview_of
from server.files.reader import BadCellError, BadRow, Cells, Columns, FileError, shown
from server.schemas.channels import ComponentBody, ListingBody
from server.service.checks import InvalidError
from server.service.listings import listing_of
from server.store.repositories.channels import ChannelStore
from server.turns import in_turns

COLUMNS: Final = Columns(
    ("sku", "key"),
    ("listed", "price", "list_price", "currency", "factor", "components"),
    may_be_empty=("sku",),
    others_count=True,
)
"""Every other column becomes an attribute, under the name that it has in the file."""
_REQUEST_MAX: Final = 50
"""Listings in a request of a file with packs or bundles: they may lose and get 20 components each."""
_BETWEEN: Final = "|"
_QUANTITY: Final = re.compile(r"([0-9]{1,7})\*(.*)", re.ASCII)
_ROW: Final = "row"


def listings_import(channel: str, *, is_new: bool = False) -> FileImport[Listing]:
    """Import what a channel lists. Two SKUs with one key are bad: the channel could show only one of them.

    What counts is the end of the whole file. ``is_new``: the channel need not be known yet.
    """

    async def put(target: Target, file: ReadFile[Listing], tally: Tally) -> None:
        repository = ChannelStore(target.store.client, target.keyspace)
        if not is_new:
            await check_published(repository, channel)
        counted: set[str] = set()
        # Whoever changes listings meanwhile has the file looked at anew: what it has done by then is unchanged.
        while not await _put_all(target, channel, file, tally, counted):
            pass
        await note_unknown(repository, file, tally)

    async def names(target: Target, file: ReadFile[Listing]) -> list[str]:
        plan = await planned(ChannelStore(target.store.client, target.keyspace), channel, file)
        return [each.sku for each in (*plan.kept, *plan.further)]

    async def stored(target: Target, names: Sequence[str]) -> list[bytes | None]:
        repository = ChannelStore(target.store.client, target.keyspace)
        found: list[bytes | None] = []
        for piece in in_pieces(names, LISTINGS_PER_CALL_MAX):
            there = await repository.listings_of(channel, piece)
            found += [None if each is None else msgspec.msgpack.encode(each) for each in there]
        return found

    return FileImport(
        name="listings",
        columns=COLUMNS,
        row=_listing,
        keys=(SKU, CHANNEL_KEY),
        put=put,
        preview=preview_of(channel, is_new=is_new),
        keeper=Keeper(names, stored),
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
        factor=pack_units(cells, "factor") if cells.get("factor") else msgspec.UNSET,
        components=_components(cells.get("components")) or msgspec.UNSET,
        listed=yes_or_no(cells, "listed"),
        price=amount(cells, "price") or None,
        list_price=amount(cells, "list_price") or None,
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
        components.append(ComponentBody(sku.strip(), _units(quantity)))
    if len(components) > COMPONENTS_MAX:
        raise BadCellError(f"components has {len(components)} SKUs; a bundle has {COMPONENTS_MAX} at most")
    return components


def _units(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= PACK_UNITS_MAX:
        raise BadCellError(f"components has {shown(text)}, not a {PACK_UNITS}")
    return int(text)


def attributes(names: list[str]) -> Iterable[str]:
    """Name the columns that become attributes."""
    if names:
        yield f"Attributes: {', '.join(names)}"


def _check_attributes(file: ReadFile[Listing]) -> None:
    names = file.other_columns
    for name in names:
        if names.count(name) > 1:
            raise FileError(f"The header names the column {shown(name)} twice. Remove one of them.")
    if len(names) > ATTRIBUTES_MAX:
        raise FileError(
            f"The header names {len(names)} columns beside {', '.join(COLUMNS.known)}. Each would become an attribute,"
            f" and a listing has at most {ATTRIBUTES_MAX}. Remove the columns that the channel does not need."
        )


async def _put_all(target: Target, channel: str, file: ReadFile[Listing], tally: Tally, counted: set[str]) -> bool:
    """Store the listings of a file; ``counted`` gets the SKUs that are done. False: listings were changed meanwhile."""
    repository = ChannelStore(target.store.client, target.keyspace)
    plan = await planned(repository, channel, file)
    changed: dict[str, Listing] = {}
    async for row, listing in in_turns(zip(file.rows, plan.kept, strict=True)):
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
        if not await repository.put_listings(channel, request, target.actor, version=version):
            return False
        version += 1
        done = {each.sku for each in request if changed.get(each.sku) == each}
        counted |= done
        tally.add(set=len(done))
    return True
