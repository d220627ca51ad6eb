"""Files of categories: each row sets the category of a SKU, or removes it."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from server.domain.safety_stock import SKUS_PER_CALL_MAX
from server.files.file_import import FileImport, Keeper, Key, ReadFile, Tally, Target, in_pieces
from server.files.keeper import stored_in
from server.files.name_warnings import name_warnings
from server.files.preview import Difference, Form, Preview
from server.files.reader import Cells, Columns, shown
from server.files.stock_preview import begun
from server.service.checks import check_category, check_sku
from server.store.repositories.known_names import unknown_names
from server.store.repositories.safety_stock import SafetyStore


class Category(NamedTuple):
    """A SKU and its category, empty for none."""

    sku: str
    category: str


def _category(cells: Cells) -> Category:
    sku = check_sku("sku", cells.get("sku"))
    return Category(sku, check_category("category", cells.get("category") or None))


async def _put(target: Target, file: ReadFile[Category], tally: Tally) -> None:
    repository = SafetyStore(target.store.client, target.keyspace)
    for piece in in_pieces([row.value for row in file.rows], SKUS_PER_CALL_MAX):
        await repository.set_categories(dict(piece), target.actor)
        tally.add(set=len(piece))


async def _preview(target: Target, file: ReadFile[Category], tally: Tally) -> Preview:
    preview = await begun(target, FORM)
    repository = SafetyStore(target.store.client, target.keyspace)
    for piece in in_pieces(file.rows, SKUS_PER_CALL_MAX):
        before = await repository.categories([row.value.sku for row in piece])
        for row, category in zip(piece, before, strict=True):
            was = (category,) if category or not row.value.category else None
            preview.differences.append(Difference(row.line, (row.value.sku,), was, (row.value.category,)))
        tally.add(set=len(piece))
    skus = [row.value.sku for row in file.rows]
    preview.new_skus = await unknown_names(target.store.client, target.keyspace, "sku", skus)
    preview.warnings = await name_warnings(target, "sku", preview.new_skus, also_alike=True)
    return preview


def _told(each: Difference) -> str:
    (sku,), (category,) = each.subject, each.after
    return f"{sku}: {'none' if each.before is None else each.before[0]} → {category or 'none'}"


FORM: Final = Form(("sku",), ("category",), _told)


async def _names(_target: Target, file: ReadFile[Category]) -> list[str]:
    return [row.value.sku for row in file.rows]


async def _stored(target: Target, names: Sequence[str]) -> list[bytes | None]:
    return await stored_in(target, target.keyspace.categories, names)


CATEGORIES: Final = FileImport(
    name="categories",
    columns=Columns(("sku", "category"), may_be_empty=("category",)),
    row=_category,
    keys=(
        Key[Category](
            lambda row: row.sku,
            lambda row, lines: f"{shown(row.sku)} is on line {lines} too, with another category",
        ),
    ),
    put=_put,
    preview=_preview,
    keeper=Keeper(_names, _stored),
    unchanged="",
)
