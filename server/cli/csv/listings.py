"""Reads a CSV file of listings: which SKU has which key and price on a channel, and which rows cannot be taken."""

from typing import Final, NamedTuple

from server.cli.csv.reader import BadCellError, BadRow, Cells, Columns, CsvError, Sheet, column_name, shown
from server.config.toml_tables import closest
from server.domain.channels import ATTRIBUTES_MAX, Listing
from server.schemas.channels import ListingBody
from server.service.checks import InvalidError
from server.service.listings import listing_of

COLUMNS: Final = Columns(("sku", "key"), ("listed", "price", "list_price", "currency"))
"""Every other column is an attribute, under the name that it has in the file."""
_YES: Final = frozenset({"", "yes", "true", "1"})
_NO: Final = frozenset({"no", "false", "0"})
_ROW: Final = "row"


class Row(NamedTuple):
    """A listing and the line that it stands on, counted from 1."""

    line: int
    listing: Listing


class ListingsFile(NamedTuple):
    """What a file says. ``repeated`` counts rows that say again what an earlier one said.

    ``attributes`` are the columns that become attributes, each with the known column that it resembles, if any.
    """

    rows: list[Row]
    bad: list[BadRow]
    repeated: int
    attributes: dict[str, str]
    sheet: Sheet

    @property
    def rows_total(self) -> int:
        """How many rows the file has, without its header and empty lines."""
        return len(self.rows) + len(self.bad) + self.repeated


def read_listings_file(content: bytes) -> ListingsFile:
    """Read a whole file. Two SKUs with one key are bad: the channel could show only one of them.

    Raises
    ------
    CsvError
        It is not UTF-8 text, its header lacks a column or names one twice, or has too many.

    """
    sheet = Sheet(content, COLUMNS)
    _check_attributes(sheet.others)
    good, bad = sheet.sort(lambda cells: _row(cells, sheet.others))
    rows, contradictory, repeated = sheet.one_for_each(
        good,
        lambda row: row.listing.sku,
        lambda row: _comparable(row.listing),
        lambda row, others: f"{shown(row.listing.sku)} stands on line {others} too, with another key or price",
    )
    rows, colliding, _ = sheet.one_for_each(
        rows,
        lambda row: row.listing.key,
        lambda row: row.listing.sku,
        lambda row, others: f"the key {shown(row.listing.key)} stands on line {others} too, for another SKU",
    )
    attributes = {name: closest(column_name(name), COLUMNS.known) for name in sheet.others}
    return ListingsFile(rows, sorted([*bad, *contradictory, *colliding]), repeated, attributes, sheet)


def _check_attributes(names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise CsvError(f"The header names the column {shown(name)} twice. Remove one of them.")
    if len(names) > ATTRIBUTES_MAX:
        raise CsvError(
            f"The header names {len(names)} columns beside {', '.join(COLUMNS.known)}. They would become attributes of"
            f" the listings, of which there can be {ATTRIBUTES_MAX}. Remove those that the channel does not need."
        )


def _comparable(listing: Listing) -> tuple[object, ...]:
    own = (listing.key, listing.listed, listing.price, listing.list_price, listing.currency)
    return (*own, *sorted(listing.attributes.items()))


def _row(cells: Cells, attributes: list[str]) -> Row:
    for name in COLUMNS.required:
        if not cells.get(name):
            raise BadCellError(f"{name} is empty")
    given = {name: value for name in attributes if (value := cells.get(name))}
    body = ListingBody(
        sku=cells.get("sku"),
        key=cells.get("key"),
        listed=_listed(cells.get("listed")),
        price=cells.get("price") or None,
        list_price=cells.get("list_price") or None,
        currency=cells.get("currency") or None,
        attributes=given,
    )
    try:
        return Row(cells.line, listing_of(_ROW, body))
    except InvalidError as error:
        raise BadCellError(f"{error.field.removeprefix(_ROW + '.')} {error.rule}") from None


def _listed(value: str) -> bool:
    word = value.lower()
    if word not in _YES | _NO:
        raise BadCellError(f"listed is {shown(value)}, not yes or no")
    return word in _YES
