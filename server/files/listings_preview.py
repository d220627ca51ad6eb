"""The preview of an import of listings: what the end of the file would change on the channel."""

from server.domain.channels import Listing
from server.domain.sudden_changes import BY_DEFAULT
from server.files.file_import import Look, ReadFile, Tally, Target
from server.files.listings_plan import Plan, belongs, check_published, note_unknown, planned
from server.files.name_warnings import key_warnings, name_warnings
from server.files.preview import LINES_NAMED_MAX, Concern, Difference, Figures, Form, Preview, named_lines
from server.files.reader import BadRow
from server.files.stock_preview import begun
from server.files.wording import counted
from server.store.repositories.channels import ChannelStore
from server.store.repositories.known_names import unknown_names
from server.turns import in_turns


def preview_of(channel: str, *, is_new: bool) -> Look[Listing]:
    """Make the preview of :func:`~server.files.listings.listings_import`; the parameters are its own."""

    async def preview(target: Target, file: ReadFile[Listing], tally: Tally) -> Preview:
        repository = ChannelStore(target.store.client, target.keyspace)
        if not is_new:
            await check_published(repository, channel)
        found = await begun(target, FORM)
        plan = await planned(repository, channel, file)
        changed = await _look(plan, file, tally, found)
        unlisted = [each for each in plan.further if belongs(each, changed)]
        found.notes = [f"{each.sku}: unlisted, since its key {each.key} is a pack's then" for each in unlisted]
        _note_concerns(plan, found)
        await _warn(target, plan, changed, await note_unknown(repository, file, tally), found)
        return found

    return preview


async def _look(plan: Plan, file: ReadFile[Listing], tally: Tally, found: Preview) -> dict[str, Listing]:
    """Count and note what would come of each row; return what would change, by what it is known by."""
    changed = {}
    async for row, listing in in_turns(zip(file.rows, plan.kept, strict=True)):
        if listing.sku in plan.refused:
            tally.add(refused=BadRow(row.line, plan.refused[listing.sku], row.text))
            continue
        is_changed, before = plan.changed(listing), plan.stored.get(listing.sku)
        if is_changed:
            changed[listing.sku] = listing
        tally.add(set=is_changed, unchanged=not is_changed)
        what = f"key {listing.key}" if listing.components else listing.sku
        was = None if before is None else _figures(before)
        found.differences.append(Difference(row.line, (what,), was, _figures(listing)))
    return changed


def _figures(listing: Listing) -> Figures:
    parts = " | ".join(f"{each.quantity}*{each.sku}" for each in listing.components)
    attributes = "; ".join(f"{name}={value}" for name, value in sorted(listing.attributes.items()))
    return (listing.key, listing.listed, listing.price, listing.list_price, listing.currency, parts, attributes)


def _told(each: Difference) -> str:
    """Say what would change of one listing."""
    [what], key = each.subject, each.after[0]
    if each.before is None:
        return f"{what}: new" + ("" if each.after[5] else f", under the key {key}")
    before, after = (dict(zip(FORM.figures, figures, strict=True)) for figures in (each.before, each.after))
    changes = []
    if before["key"] != after["key"]:
        changes.append(f"key {before['key']} → {key}")
    if before["listed"] is not after["listed"]:
        changes.append("listed again" if after["listed"] else "unlisted, so the channel is sent 0")
    if before["price"] != after["price"]:
        changes.append(f"price {before['price'] or 'none'} → {after['price'] or 'none'}")
    if before["components"] != after["components"]:
        changes.append("other components")
    return f"{what}: {', '.join(changes) or 'other fields'}"


FORM = Form(("listing",), ("key", "listed", "price", "list_price", "currency", "components", "attributes"), _told)


def _note_concerns(plan: Plan, found: Preview) -> None:
    """Concern a file that takes much of what is listed off the channel."""
    off = [each for each in found.differences if each.before is not None and each.before[1] and not each.after[1]]
    on = sum(1 for each in plan.stored.values() if each.listed)
    if len(off) >= BY_DEFAULT.places_min and len(off) > BY_DEFAULT.share * on:
        lines = tuple(each.line for each in off)
        detail = f"{counted(len(off), 'listing')} of {on:,} would be unlisted: {named_lines(lines)}"
        found.concerns.append(Concern("unlisted", detail, lines[:LINES_NAMED_MAX]))


async def _warn(target: Target, plan: Plan, changed: dict[str, Listing], unknown: list[str], found: Preview) -> None:
    found.new_skus = await unknown_names(target.store.client, target.keyspace, "sku", unknown)
    known_keys = {each.key for each in plan.stored.values()}
    new_keys = [each.key for each in changed.values() if each.key not in known_keys]
    found.warnings = [
        *await name_warnings(target, "sku", found.new_skus, also_alike=True),
        *key_warnings(new_keys, known_keys),
    ]
