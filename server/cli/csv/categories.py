"""CSV files of categories: each row sets the category of a SKU, or removes it."""

from typing import Final, NamedTuple

from server.cli.csv.csv_import import CsvFile, CsvImport, Key, Tally, Target, in_pieces
from server.cli.csv.reader import Cells, Columns, shown
from server.domain.principal import LOCAL
from server.domain.safety_stock import SKUS_PER_CALL_MAX
from server.service.checks import check_category, check_sku
from server.store.keys import Keyspace
from server.store.repositories.safety_stock import SafetyStore


class Category(NamedTuple):
    """A SKU and its category, empty for none."""

    sku: str
    category: str


def _category(cells: Cells) -> Category:
    sku = check_sku("sku", cells.get("sku"))
    return Category(sku, check_category("category", cells.get("category") or None))


async def _put(target: Target, file: CsvFile[Category], tally: Tally) -> None:
    repository = SafetyStore(target.store.client, Keyspace(target.partition))
    for piece in in_pieces([row.value for row in file.rows], SKUS_PER_CALL_MAX):
        await repository.set_categories(dict(piece), LOCAL.actor)
        tally.add(set=len(piece))


CATEGORIES: Final = CsvImport(
    columns=Columns(("sku", "category"), may_be_empty=("category",)),
    row=_category,
    keys=(
        Key[Category](
            lambda row: row.sku,
            lambda row, lines: f"{shown(row.sku)} is on line {lines} too, with another category",
        ),
    ),
    put=_put,
    unchanged="",
)
