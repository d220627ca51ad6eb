"""``holdfast partitions``: list, limits, export and erase the merchants of a store."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any, Final

import click
import msgspec

from server.cli.common import failure, json_option, opened_store, partition_argument, quiet_settings, run, store_options
from server.cli.daily.tables import print_table
from server.cli.partitions.export import export
from server.cli.terminal import confirm, print_json, say
from server.config.settings import Settings, load_config_file
from server.domain import limits as bounds
from server.domain.principal import LOCAL
from server.files.wording import counted
from server.order_parts import opened_documents
from server.store.command_session import OpenStore
from server.store.errors import DocumentsError
from server.store.repositories.api_keys import ApiKeyStore
from server.store.repositories.partition_erasure import (
    Erasure,
    begin,
    erase_keys,
    erasures,
    finish,
    is_published,
)
from server.store.repositories.partition_sizes import PartitionSize, partition_names, size_of

_MEGABYTE: Final = 1_000_000


@click.group()
def partitions() -> None:
    """List, export and erase the partitions of a store: the merchants whose stock it keeps apart.

    \b
      holdfast partitions list
      holdfast partitions export shop-7 /tmp/shop-7
      holdfast partitions erase shop-7
    """  # noqa: D301  # click needs the character, not the two


partitions.add_command(export)


@partitions.command("list")
@json_option
@store_options
def list_(*, as_json: bool, **overrides: object) -> None:
    """List every partition with its size, and those that were erased.

    The memory is about what its keys take in the store.

    \b
      holdfast partitions list --json
    """  # noqa: D301  # click needs the character, not the two
    sizes, erased = run(_list(quiet_settings(**overrides)))
    if as_json:
        print_json({"partitions": msgspec.to_builtins(sizes), "erased": msgspec.to_builtins(erased)})
        return
    head = ("partition", "SKUs", "stock records", "live reservations", "ended", "journal", "memory")
    print_table(head, [_row(each) for each in sizes])
    for name, each in sorted(erased.items()):
        say(f"{name}: {_told(each)}")


def _row(each: PartitionSize) -> tuple[str, ...]:
    counts = (each.skus, each.places, each.live_reservations, each.ended_reservations, each.journal_entries)
    return (each.partition, *(f"{count:,}" for count in counts), f"{each.memory_bytes / _MEGABYTE:,.1f} MB")


def _told(erasure: Erasure) -> str:
    if not erasure.done_ms:
        return f"is being erased since {_time(erasure.began_ms)}, and not done: run the command again"
    return f"was erased at {_time(erasure.done_ms)} by {erasure.by}: {erasure.keys:,} keys, {erasure.rows:,} documents"


def _time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


async def _list(settings: Settings) -> tuple[list[PartitionSize], dict[str, Erasure]]:
    async with opened_store(settings) as store:
        sizes = [await size_of(store.client, name) for name in await partition_names(store.client)]
        return sizes, await erasures(store.client)


@partitions.command()
@json_option
def limits(*, as_json: bool) -> None:
    """Show what bounds a partition, and which setting changes it.

    \b
      holdfast partitions limits
    """  # noqa: D301  # click needs the character, not the two
    found = _limits(quiet_settings())
    if as_json:
        print_json([{"limit": what, "value": value, "setting": name or None} for what, value, name in found])
        return
    rows = [(what, f"{value:,}" if value else "none of its own", name or "fixed") for what, value, name in found]
    print_table(("what", "at most", "setting"), rows)


def _limits(settings: Settings) -> list[tuple[str, int, str]]:
    """Return what is bounded, by how much (0: not apart from others), and the setting; empty: there is none."""
    return [
        ("open change streams of a process", settings.changes_streams_per_partition_max,
         "HOLDFAST_CHANGES_STREAMS_PER_PARTITION_MAX"),
        ("open change streams of one key", settings.changes_streams_per_key_max,
         "HOLDFAST_CHANGES_STREAMS_PER_KEY_MAX"),
        ("bulk requests of one key at once", settings.bulk_requests_per_key_max, "HOLDFAST_BULK_REQUESTS_PER_KEY_MAX"),
        ("reports of one key at once", settings.reports_per_key_max, "HOLDFAST_REPORTS_PER_KEY_MAX"),
        ("operations that wait, all keys of a process", settings.queue_operations_max, "HOLDFAST_QUEUE_OPERATIONS_MAX"),
        ("bytes of a file", bounds.FILE_BYTES_MAX, ""),
        ("bytes of a SKU", bounds.SKU_BYTES_MAX, ""),
        ("bytes of a location", bounds.LOCATION_BYTES_MAX, ""),
    ]  # fmt: skip


@partitions.command()
@partition_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--with-live-keys", is_flag=True, help="Revoke the keys that still open it.")
@json_option
@store_options
def erase(partition: str, *, yes: bool, with_live_keys: bool, as_json: bool, **overrides: object) -> None:
    """Erase all that is kept of a partition, for good: stock, orders, history.

    Take its channels out of the configuration file and reload first. It is refused while keys open the partition. If
    it is interrupted, run it again: it goes on. Who did it and when stays in `holdfast partitions list`.

    \b
      holdfast backup before.tar
      holdfast partitions export shop-7 /tmp/shop-7
      holdfast partitions erase shop-7
    """  # noqa: D301  # click needs the character, not the two
    settings = quiet_settings(**overrides)
    size = run(_checked(settings, partition, with_live_keys=with_live_keys))
    if not yes:
        say(
            f"{partition}: {counted(size.skus, 'SKU')}, {counted(size.live_reservations, 'live reservation')},"
            f" {counted(size.journal_entries, 'journal entry', 'journal entries')}, and its documents.",
            err=as_json,
        )
        confirm(f"Erase all of {partition} for good?")
    erased = run(_erase(settings, partition))
    if as_json:
        print_json(msgspec.to_builtins(erased))
    else:
        say(f"{partition} {_told(erased)}")


async def _checked(settings: Settings, partition: str, *, with_live_keys: bool) -> PartitionSize:
    """Check that nobody works with it any more."""
    file = load_config_file(settings.config, credentials=False)
    tables: list[Any] = [settings for each in (file.channels, file.webhooks, file.sources) for settings, _ in each]
    named = [each.name for each in tables if each.partition == partition]
    if named:
        raise failure(f"{partition} has {', '.join(named)} in {settings.config}. Take them out and reload, then erase.")
    if any(key.partition == partition for key in file.keys):
        raise failure(f"{partition} has keys in {settings.config}. Take them out and reload, then erase.")
    async with opened_store(settings) as store:
        live = [key.id for key in await ApiKeyStore(store.client).list() if _opens(key, partition)]
        if live and not with_live_keys:
            raise failure(
                f"{partition} is open to {counted(len(live), 'key')}: {', '.join(live)}. Revoke them with"
                " `holdfast keys revoke`, or have it done: --with-live-keys"
            )
        if await is_published(store.client, partition):
            raise failure(
                f"A server publishes from {partition}, and would write to it again. Take its channels out of that"
                " server's configuration and reload, then erase."
            )
        size = await size_of(store.client, partition)
        begun = partition in await erasures(store.client)
        if not size.keys and not begun:
            raise failure(f"There is no partition {partition!r}. `holdfast partitions list` shows them.")
        return size


def _opens(key: Any, partition: str) -> bool:
    return bool(key.partition == partition and not key.revoked)


async def _erase(settings: Settings, partition: str) -> Erasure:
    async with AsyncExitStack() as opened:
        store: OpenStore = await opened.enter_async_context(opened_store(settings))
        documents = opened_documents(settings, store.client, opened)
        erasure, keys = await begin(store.client, partition, LOCAL.actor), ApiKeyStore(store.client)
        for key in await keys.list():
            if _opens(key, partition):
                await keys.revoke(key.id)
        rows = 0
        try:
            if documents is not None:
                rows = await documents.erase_partition(partition)
        except DocumentsError as error:
            raise failure(f"{error} Check the documents database, and run it again.") from None
        count = await erase_keys(store.client, partition, lambda _: None)
        erasure = msgspec.structs.replace(erasure, keys=erasure.keys + count, rows=erasure.rows + rows)
        return await finish(store.client, partition, erasure)
