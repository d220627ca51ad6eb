"""``holdfast move``: receive, adjust, count and move units from a file; safe to run again."""

import secrets
from pathlib import Path
from typing import Any

import click

from server.cli.files.command import allow_similar_option, import_file, import_options, reason_of
from server.files.applying import Origin
from server.files.movements import movements_import


@click.command()
@import_options
@click.option("--again", is_flag=True, help="Move again, even if this very file was run within the last day.")
@allow_similar_option
def move(file: Path, *, again: bool, allow_similar: bool, **options: Any) -> None:
    """Receive, adjust, count and move units from a file.

    The first line names the columns. Each row needs kind (receive, adjust, count, move), quantity, and sku. A receive
    or count may name a barcode instead of the SKU; quantity then counts packs. CSV or .xlsx.

    \b
    Optional columns:
      location    else main
      reason      else the name of the file
      bucket      of an adjust: on_hand (else this), damaged, quality_control, safety
      safety      of a count: sets the safety stock, too
      counted_at  of a count: when it was, if not now, such as 2026-12-01T09:30:00+03:00
      from, to    of a move: available, damaged, quality_control
      supply_id   of a receive: the expected receipt that arrived
      allow_similar  yes: the SKU and location of a receive or count are meant, though known ones are like them

    \b
      kind,sku,barcode,quantity,location,from,to,reason
      receive,,18690000000033,2,main,,,PO-2041
      move,TS-1001-SİYAH-M,,1,main,available,damaged,torn

    \b
      holdfast move delivery.csv
      holdfast move delivery.csv --report bad.csv

    A new SKU or location that a known one is like, such as MAIN for main, is refused. So is a location that is not
    registered, where others are. If it is meant, add --new for all rows, or the column for one.

    Rows of one SKU take effect in the order of the file. Within a day the same file changes nothing when it is run
    again. So run an interrupted one again. For a new delivery with the same content, add --again. Only a count has
    effect again where another file has counted the same SKU there since, and so have the rows behind it.

    First it looks at what would change, and asks on a terminal. Elsewhere sudden numbers and new names need --yes:
    without it nothing is done, and the exit code is 3. holdfast undo takes it back.

    The exit code is 1 if any row was bad or refused; the good rows are done all the same.
    """  # noqa: D301  # click needs the character, not the two
    salt = secrets.token_hex(8) if again else ""
    kind = movements_import(reason_of("move", file), salt, allow_similar=allow_similar)
    import_file(kind, file, Origin("move", file.name), names_are_meant=allow_similar, **options)
