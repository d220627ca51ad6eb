"""CSV files of listings: each row sets the key and price of a SKU on a channel."""

from collections.abc import Iterable, Mapping
from typing import Final

from server.cli.csv.cell_values import yes_or_no
from server.cli.csv.csv_import import CsvFile, CsvImport, Key, Tally, Target, in_pieces, only_changed
from server.cli.csv.reader import BadRow, Cells, Columns, CsvError, column_name, shown
from server.config.toml_tables import closest, nearest
from server.domain.channels import ATTRIBUTES_MAX, LISTINGS_PER_CALL_MAX, Listing
from server.domain.principal import LOCAL
from server.schemas.channels import ListingBody
from server.service.checks import InvalidError
from server.service.listings import listing_of
from server.store.keys import Keyspace
from server.store.repositories.channels import ChannelStore

COLUMNS: Final = Columns(("sku", "key"), ("listed", "price", "list_price", "currency"))
"""Every other column becomes an attribute, under the name that it has in the file."""
_ROW: Final = "row"


def listings_import(channel: str) -> CsvImport[Listing]:
    """Import what a channel lists. Two SKUs with one key are bad: the channel could show only one of them."""

    async def put(target: Target, file: CsvFile[Listing], tally: Tally) -> None:
        await _put(ChannelStore(target.store.client, Keyspace(target.partition)), channel, file, tally)

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
    lambda listing, lines: f"{shown(listing.sku)} is on line {lines} too, with another key or price",
)
CHANNEL_KEY: Final = Key[Listing](
    lambda listing: listing.key,
    lambda listing, lines: f"the key {shown(listing.key)} is on line {lines} too, for another SKU",
)


def _listing(cells: Cells) -> Listing:
    body = ListingBody(
        sku=cells.get("sku"),
        key=cells.get("key"),
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


async def _put(repository: ChannelStore, channel: str, file: CsvFile[Listing], tally: Tally) -> None:
    await _note_unknown_channel(repository, channel, tally)
    stored = {listing.sku: listing async for listing in repository.listings(channel)}
    free = _without_taken_keys(file, stored, tally)
    unknown = 0
    for piece in in_pieces(free.rows, LISTINGS_PER_CALL_MAX):
        unknown += len(await repository.unknown_skus([row.value.sku for row in piece]))
    for listings in in_pieces(only_changed(free, stored, lambda listing: listing.sku, tally), LISTINGS_PER_CALL_MAX):
        await repository.put_listings(channel, listings, LOCAL.actor)
        tally.add(set=len(listings))
    if unknown:
        tally.notes.append(f"SKUs that the stock does not know: {unknown:,}; they are shown as 0 until it does.")


async def _note_unknown_channel(repository: ChannelStore, channel: str, tally: Tally) -> None:
    known = await repository.channels()
    if channel not in known:
        question = nearest(channel, known) or "."
        tally.hints.append(f"Channel {channel!r} is not known yet{question} Its listings are stored for it.")


def _without_taken_keys(file: CsvFile[Listing], stored: Mapping[str, Listing], tally: Tally) -> CsvFile[Listing]:
    """Refuse the rows whose key another SKU has, unless the file has another key for that SKU."""
    named = {row.value.sku for row in file.rows}
    taken = {listing.key: listing.sku for listing in stored.values() if listing.sku not in named}
    free = []
    for row in file.rows:
        other = taken.get(row.value.key)
        if other is None:
            free.append(row)
        else:
            reason = f"the key {shown(row.value.key)} belongs to {shown(other)} already"
            tally.add(refused=BadRow(row.line, reason, row.text))
    return file._replace(rows=free)
