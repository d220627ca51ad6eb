"""``holdfast restore``: fill an empty store from a backup, and later let it speak to channels again."""

from contextlib import AsyncExitStack
from pathlib import Path

import click
import msgspec

from server.cli.backup_progress import shown_progress
from server.cli.common import json_option, opened_store, quiet_settings, run, store_options
from server.cli.terminal import print_json, say
from server.config.settings import Settings
from server.order_parts import opened_documents
from server.store.backup.archive import Backup
from server.store.backup.restoring import release
from server.store.backup.restoring import restore as fill
from server.store.errors import BackupError
from server.store.repositories.restored import Restored

_NO_DATABASE = (
    "The backup has documents of orders, and there is no database for them here. Name an empty PostgreSQL in"
    " HOLDFAST_DOCUMENTS_URL, or leave them out with --without-documents."
)


@click.command()
@click.argument("source", metavar="[DIR|FILE.tar]", required=False, type=click.Path(path_type=Path))
@click.option("--release", "releases", is_flag=True, help="Let a restored store publish and take orders in again.")
@click.option("--without-documents", is_flag=True, help="Leave out the documents of orders and the history.")
@json_option
@store_options
def restore(
    source: Path | None, *, releases: bool, without_documents: bool, as_json: bool, **overrides: object
) -> None:
    """Fill an empty store from a backup.

    The checksums are compared first. If it is interrupted, the store refuses to serve: run it again.

    A restored store serves, and is halted: it tells no channel a number and takes no orders in, since it says what was
    true when the backup was taken. Compare the stock with what you know, then release it.

    \b
      holdfast restore /backups/holdfast-2026-11-30.tar --data-dir /var/lib/holdfast-new
      holdfast verify --all --data-dir /var/lib/holdfast-new
      holdfast restore --release --data-dir /var/lib/holdfast-new
    """  # noqa: D301  # click needs the character, not the two
    if (source is None) != releases:
        raise click.UsageError("Name a backup, or say --release.")
    settings = quiet_settings(**overrides)
    if source is None:
        restored = run(_release(settings))
    else:
        restored = run(_restore(settings, source, without_documents=without_documents))
    if as_json:
        print_json(msgspec.to_builtins(restored))
    elif source is None:
        say("Released: channels are told today's numbers, and orders come in, within seconds where a server runs.")
    else:
        say(
            f"{source} is restored. The store is halted: no channel is told anything, and no orders come in.",
            "Next: holdfast verify --all, compare the stock with what you know, then holdfast restore --release",
        )


async def _restore(settings: Settings, source: Path, *, without_documents: bool) -> Restored:
    backup = Backup(source)
    backup.check()
    async with AsyncExitStack() as opened:
        store = await opened.enter_async_context(opened_store(settings, create=True, to_restore=True))
        documents = None if without_documents else opened_documents(settings, store.client, opened)
        if backup.manifest.has_documents and documents is None and not without_documents:
            raise BackupError(_NO_DATABASE)
        progress = opened.enter_context(shown_progress())
        return await fill(backup, store.client, documents, progress=progress)


async def _release(settings: Settings) -> Restored:
    async with opened_store(settings) as store:
        return await release(store.client)
