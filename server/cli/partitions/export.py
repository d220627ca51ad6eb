"""``holdfast partitions export``: one merchant's data as files that people and programs can read."""

import secrets
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import click
import msgspec

from server.cli.common import (
    failure,
    json_option,
    opened_store,
    partition_argument,
    quiet_settings,
    run,
    store_options,
)
from server.cli.daily.asking import PAGE, Api, Where, opened_api
from server.cli.terminal import print_json, say
from server.config.settings import Settings
from server.files.harmless_cells import write_csv
from server.files.wording import counted
from server.store.backup.packed_files import made_private
from server.store.keys import Keyspace
from server.store.repositories.barcodes import all_barcodes

_LISTINGS: Final = {
    "reservations": ("/v1/reservations", "reservations"),
    "history": ("/v1/history", "changes"),
    "supply": ("/v1/supply", "supply"),
    "transfers": ("/v1/transfers", "transfers"),
    "backorders": ("/v1/backorders", "backorders"),
    "inbox": ("/v1/inbox", "entries"),
}
"""By file: where it is listed page by page, and under which name."""
_WHOLE: Final = {
    "locations": "/v1/locations",
    "safety-rules": "/v1/safety/rules",
    "replenishment-rules": "/v1/replenishment/rules",
    "channels": "/v1/channels",
}
_MISSING: Final = "documents_missing"
_FOLDER_MODE: Final = 0o700


@click.command()
@partition_argument
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@json_option
@store_options
def export(partition: str, folder: Path, *, as_json: bool, **overrides: object) -> None:
    """Write one merchant's data as files: CSV to import again, and JSON, an entry to a line.

    Stock, barcodes and listings can be imported as they are. Orders have their buyers, so the files are for you alone.
    Sales go on meanwhile: each file is of its own moment. A backup is another thing: `holdfast backup`.

    \b
      holdfast partitions export shop-7 /tmp/shop-7
    """  # noqa: D301  # click needs the character, not the two
    settings = quiet_settings(**overrides)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise failure(f"{folder} is there already, and is never overwritten. Choose another name.")
    made = folder.parent / f"{folder.name}.partial-{secrets.token_hex(4)}"
    made.mkdir(_FOLDER_MODE)
    try:
        written = run(_export(settings, partition, made))
        made.rename(folder)
    finally:
        if made.exists():
            for each in made.iterdir():
                each.unlink()
            made.rmdir()
    if as_json:
        print_json(written)
        return
    for name, count in written.items():
        say(f"{name}: {counted(count, 'entry', 'entries')}")


async def _export(settings: Settings, partition: str, folder: Path) -> dict[str, int]:
    written: dict[str, int] = {}
    async with opened_store(settings) as store:
        stock = [
            (each.sku, each.on_hand, each.location, each.safety, each.held, each.committed, each.damaged)
            async for each in store.levels(partition)
        ]
        head = ("sku", "on_hand", "location", "safety", "held", "committed", "damaged")
        written["stock.csv"] = _csv(folder / "stock.csv", head, sorted(stock))
        packs = [(code, pack.sku, pack.factor) async for code, pack in all_barcodes(store.client, Keyspace(partition))]
        written["barcodes.csv"] = _csv(folder / "barcodes.csv", ("barcode", "sku", "factor"), sorted(packs))
    async with opened_api(Where(settings, partition)) as api:
        for name, path in _WHOLE.items():
            with made_private(folder / f"{name}.json") as file:
                file.write(msgspec.json.format(msgspec.json.encode(await api.ask("GET", path)), indent=2) + b"\n")
        for name, (path, field) in _LISTINGS.items():
            count = await _lines(folder / f"{name}.jsonl", _entries(api, path, field))
            written[f"{name}.jsonl"] = count
        written["orders.jsonl"] = await _lines(folder / "orders.jsonl", _orders(api))
        for channel in [each["channel"] for each in (await api.ask("GET", "/v1/channels"))["channels"]]:
            name = f"listings-{channel}.jsonl"
            found = _entries(api, "/v1/channels/{channel}/listings", "listings", channel=channel)
            written[name] = await _lines(folder / name, found)
    return written


def _csv(path: Path, head: Sequence[str], rows: Sequence[Sequence[object]]) -> int:
    write_csv(path, head, rows)
    return len(rows)


async def _lines(path: Path, entries: AsyncIterator[Any]) -> int:
    count = 0
    file: BinaryIO
    with made_private(path) as file:
        async for entry in entries:
            file.write(msgspec.json.encode(entry) + b"\n")
            count += 1
    return count


async def _entries(api: Api, path: str, field: str, **names: str) -> AsyncIterator[Any]:
    """Go through a listing page by page; nothing where there is no database that has it."""
    after = ""
    while True:
        page = await api.ask("GET", path, names=names, query={"limit": PAGE, "after": after}, unless=_MISSING)
        if page is None:
            return
        for entry in page[field]:
            yield entry
        after = page["next"]
        if not after:
            return


async def _orders(api: Api) -> AsyncIterator[Any]:
    """Go through the orders, each whole with its buyer."""
    async for order in _entries(api, "/v1/orders", "orders"):
        names = {"channel": order["channel"], "number": order["number"]}
        yield await api.ask("GET", "/v1/orders/{channel}/{number}", names=names)
