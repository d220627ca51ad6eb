"""The dry run of an import of listings: what the end of the file would change on the channel."""

from server.cli.csv.csv_import import CsvFile, Put, Tally, Target
from server.cli.csv.dry_run import key_warnings, name_warnings, screenful
from server.cli.csv.listings import Plan, belongs, check_published, note_unknown, planned
from server.cli.csv.reader import BadRow
from server.domain.channels import Listing
from server.store.keys import Keyspace
from server.store.repositories.channels import ChannelStore
from server.store.repositories.known_names import unknown_names


def preview_of(channel: str, *, is_new: bool) -> Put[Listing]:
    """Make the dry run of :func:`~server.cli.csv.listings.listings_import`; the parameters are its own."""

    async def preview(target: Target, file: CsvFile[Listing], tally: Tally) -> None:
        repository = ChannelStore(target.store.client, Keyspace(target.partition))
        if not is_new:
            await check_published(repository, channel)
        plan = await planned(repository, channel, file)
        changed = _count(plan, file, tally)
        lines = [_change(plan.stored.get(each.sku), each) for each in changed]
        by_name = {each.sku: each for each in changed}
        lines += [
            f"{each.sku}: unlisted, since its key {each.key} is a pack's then"
            for each in plan.further
            if belongs(each, by_name)
        ]
        tally.notes += screenful(lines, "change")
        await _warn(target, plan, changed, await note_unknown(repository, file, tally), tally)

    return preview


def _count(plan: Plan, file: CsvFile[Listing], tally: Tally) -> list[Listing]:
    """Count what would come of each row; return what would change."""
    changed = []
    for row, listing in zip(file.rows, plan.kept, strict=True):
        if listing.sku in plan.refused:
            tally.add(refused=BadRow(row.line, plan.refused[listing.sku], row.text))
        elif plan.changed(listing):
            tally.add(set=1)
            changed.append(listing)
        else:
            tally.add(unchanged=1)
    return changed


def _change(before: Listing | None, listing: Listing) -> str:
    """Say what would change of one listing."""
    what = f"key {listing.key}" if listing.components else listing.sku
    if before is None:
        return f"{what}: new" + ("" if listing.components else f", under the key {listing.key}")
    changes = []
    if before.key != listing.key:
        changes.append(f"key {before.key} → {listing.key}")
    if before.listed is not listing.listed:
        changes.append("listed again" if listing.listed else "unlisted, so the channel is sent 0")
    if before.price != listing.price:
        changes.append(f"price {before.price or 'none'} → {listing.price or 'none'}")
    if before.components != listing.components:
        changes.append("other components")
    return f"{what}: {', '.join(changes) or 'other fields'}"


async def _warn(target: Target, plan: Plan, changed: list[Listing], unknown: list[str], tally: Tally) -> None:
    new = await unknown_names(target.store.client, Keyspace(target.partition), "sku", unknown)
    known_keys = {each.key for each in plan.stored.values()}
    new_keys = [each.key for each in changed if each.key not in known_keys]
    warnings = [*await name_warnings(target, "sku", new, also_alike=True), *key_warnings(new_keys, known_keys)]
    tally.notes += screenful(warnings, "warning")
