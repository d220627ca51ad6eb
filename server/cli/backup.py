"""``holdfast backup``: copy the store and the documents of orders as they are at one moment, while sales go on."""

from contextlib import AsyncExitStack
from pathlib import Path

import click
import msgspec

from server.cli.backup_progress import shown_progress
from server.cli.common import json_option, opened_store, quiet_settings, run, store_options
from server.cli.terminal import print_json, say
from server.config.settings import Settings
from server.files.wording import counted
from server.order_parts import opened_documents
from server.store.backup.archive import Backup
from server.store.backup.manifest import Manifest
from server.store.backup.taking import take


@click.command()
@click.argument("target", metavar="DIR|FILE.tar", type=click.Path(path_type=Path))
@click.option("--check", "checks", is_flag=True, help="Compare a backup that is there with its checksums instead.")
@json_option
@store_options
def backup(target: Path, *, checks: bool, as_json: bool, **overrides: object) -> None:
    """Take a backup of the store and of the documents of orders.

    Sales go on meanwhile. A name that ends with .tar becomes one file, any other a folder; what is there is never
    overwritten. Only you can read it. It has personal data and names of keys, so keep it as you keep the store.

    \b
      holdfast backup /backups/holdfast-2026-11-30.tar
      holdfast backup /backups/today --store-url redis://store-1:6379/0
      holdfast backup --check /backups/holdfast-2026-11-30.tar

    HOLDFAST_SECRET_KEY is not in it: keep that apart, or channels whose credentials change have to sign in again.
    """  # noqa: D301  # click needs the character, not the two
    settings = quiet_settings(**overrides)
    manifest = run(_check(target) if checks else _take(settings, target))
    if as_json:
        print_json(msgspec.to_builtins(manifest))
        return
    size = sum(each.bytes for each in manifest.files)
    say(f"{target}: {'whole' if checks else 'done'}, {size / 1e6:,.1f} MB, taken at {manifest.taken_at}")
    for name, has in manifest.partitions.items():
        say(f"  {name}: {counted(has.places, 'stock record')}, {counted(has.reservations, 'live reservation')}")
    if not manifest.has_documents:
        say("  without documents of orders: there is no database for them")


async def _take(settings: Settings, target: Path) -> Manifest:
    async with AsyncExitStack() as opened:
        store = await opened.enter_async_context(opened_store(settings))
        documents = opened_documents(settings, store.client, opened)
        progress = opened.enter_context(shown_progress())
        return await take(target, await store.servers(), documents, progress=progress)


async def _check(target: Path) -> Manifest:
    found = Backup(target)
    found.check()
    return found.manifest
