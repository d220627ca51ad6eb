"""An import of many rows without its preview and with it, in turn: time and memory of the process that imports.

    python -m bench.files.preview
    python -m bench.files.preview --rows 20000 --rounds 1

Each import is a process of its own on an empty store, which is started before and not counted.
"""

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from server.files.applying import Looked, Origin, apply, look
from server.files.file_import import Tally, Target
from server.files.preview import concerns_of
from server.files.stock import stock_import
from server.service.old_names import heed_stored_names
from server.store.command_session import open_store
from server.store.ledger.ledger import Retention

WAYS: Final = ("without", "with")
DAY_S: Final = 86_400
RETENTION: Final = Retention(7 * DAY_S, DAY_S, DAY_S, DAY_S)
PARTITION: Final = "default"


@click.command()
@click.option("--rows", default=100_000, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--second", is_flag=True, help="Import a second file over the first: each row has a before.")
@click.option("--one", type=click.Choice(WAYS), hidden=True)
@click.option("--file", type=click.Path(path_type=Path), hidden=True)
@click.option("--data-dir", type=click.Path(path_type=Path), hidden=True)
def main(*, rows: int, rounds: int, second: bool, one: str | None, file: Path | None, data_dir: Path | None) -> None:
    """Import with and without a preview, and print the ratios."""
    if one is not None and file is not None and data_dir is not None:
        sys.stdout.write(json.dumps(asyncio.run(_import(file.read_bytes(), data_dir, is_previewed=one == "with"))))
        return
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            found[way].append(asyncio.run(_round(way, rows, second=second)))
    _print(rows, found)


async def _round(way: str, rows: int, *, second: bool) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        data_dir, file = Path(folder) / "data", Path(folder) / "stock.csv"
        async with open_store(store_url="", data_dir=data_dir, durability="fast", retention=RETENTION, create=True):
            if second:
                _write(file, rows, 100)
                await _child("without", file, data_dir)
            _write(file, rows, 103)
            return await _child(way, file, data_dir)


def _write(file: Path, rows: int, units: int) -> None:
    lines = (f"SKU-{number:07}/M,{units + number % 7}\n" for number in range(rows))
    file.write_text("sku,on_hand\n" + "".join(lines))


async def _child(way: str, file: Path, data_dir: Path) -> dict[str, float]:
    words = (
        sys.executable,
        "-m",
        "bench.files.preview",
        "--one",
        way,
        "--file",
        str(file),
        "--data-dir",
        str(data_dir),
    )
    child = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE)
    out, _ = await child.communicate()
    found: dict[str, float] = json.loads(out)
    return found


async def _import(content: bytes, data_dir: Path, *, is_previewed: bool) -> dict[str, float]:
    kind = stock_import("import stock.csv")
    began_s = time.monotonic()
    async with open_store(store_url="", data_dir=data_dir, durability="fast", retention=RETENTION) as store:
        await heed_stored_names(store.client, PARTITION)
        parsed, target, tally = kind.read(content), Target(store, PARTITION), Tally()
        if is_previewed:
            origin = Origin("import", "stock.csv")
            preview = await look(kind, target, parsed, Tally(), origin=origin)
            concerns_of(preview)
            preview.counts(0)
            await apply(kind, target, parsed, Looked(preview), tally, origin=origin)
        else:
            await kind.put(target, parsed, tally)
        assert tally.set == len(parsed.rows), tally
    return {"s": time.monotonic() - began_s, "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def _print(rows: int, found: dict[str, list[dict[str, float]]]) -> None:
    table = Table(title=f"{rows:,} rows of stock", box=None, pad_edge=False)
    for name in ("", "seconds", "MiB at most"):
        table.add_column(name, justify="right" if name else "left")
    middle = {way: {unit: median(each[unit] for each in found[way]) for unit in ("s", "mib")} for way in WAYS}
    for way in WAYS:
        table.add_row(f"{way} the preview", f"{middle[way]['s']:.2f}", f"{middle[way]['mib']:.0f}")
    ratios = [middle["with"][unit] / middle["without"][unit] for unit in ("s", "mib")]
    table.add_row("ratio", *(f"{ratio:.2f}" for ratio in ratios))
    Console().print(table)


if __name__ == "__main__":
    main()
