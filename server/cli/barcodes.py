"""``holdfast barcodes``: set from a file what barcodes stand for, and read what one that was scanned stands for."""

from pathlib import Path
from typing import Any

import click

from server.cli.common import failure, opened_store, partition_option, quiet_settings, run, store_options
from server.cli.daily.barcodes import add, list_, remove
from server.cli.files.command import import_file, import_options
from server.cli.terminal import say
from server.config.settings import Settings
from server.domain.gs1 import LabelError, sscc_of
from server.files.applying import Origin
from server.files.barcodes import BARCODES
from server.files.wording import counted
from server.service.barcodes import find_barcode
from server.service.caller import local_caller
from server.service.checks import InvalidError, UnknownBarcodeError
from server.service.old_names import heed_stored_names
from server.service.parcels import Parcel, open_parcel


@click.group()
def barcodes() -> None:
    """Set the SKU and the pack size of each barcode.

    \b
      holdfast barcodes import barcodes.csv
      holdfast barcodes scan 8690000000036
      holdfast barcodes list TS-1001-SİYAH-M
      holdfast barcodes remove 8690000000036
    """  # noqa: D301  # click needs the character, not the two


@barcodes.command("import")
@import_options
def import_(file: Path, **options: Any) -> None:
    """Set from a file the SKU and the pack size of each barcode.

    The first line names the columns: barcode and sku, and optionally factor (units in the pack, else 1). Other columns
    are ignored, unless one looks as if it mattered (--ignore-columns). CSV or .xlsx.

    \b
      barcode,sku,factor
      8690000000036,TS-1001-SİYAH-M,
      18690000000033,TS-1001-SİYAH-M,12

    \b
      holdfast barcodes import barcodes.csv

    GTINs (8, 12, 13 or 14 digits) are one number with or without leading zeros, and their last digit is checked.
    Barcodes that the file does not name are unchanged. Importing the same file again changes nothing.

    First it looks at what would change, and asks on a terminal. Elsewhere a barcode that gets another SKU, or one
    without stock, needs --yes: without it nothing is imported, and the exit code is 3. holdfast undo takes it back.

    The exit code is 1 if any row was bad; the good rows are imported all the same.
    """  # noqa: D301  # click needs the character, not the two
    import_file(BARCODES, file, Origin("barcodes", file.name), **options)


@barcodes.command()
@click.argument("code")
@partition_option
@store_options
def scan(code: str, partition: str, **overrides: object) -> None:
    """Print what a barcode, a GS1 label or the number of a parcel (SSCC) stands for.

    \b
      holdfast barcodes scan 8690000000036
      holdfast barcodes scan "(01)08690000000036(10)LOT-7"
      holdfast barcodes scan "(00)340123450000000017"

    Of a parcel it prints the expected receipts and the transfer that were announced with its number.
    """  # noqa: D301  # click needs the character, not the two
    say(*run(_scanned(quiet_settings(**overrides), partition, code)))


async def _scanned(settings: Settings, partition: str, code: str) -> list[str]:
    async with opened_store(settings) as store:
        await heed_stored_names(store.client, partition)
        caller = local_caller(store, partition)
        try:
            if not _is_parcel(code):
                found = await find_barcode(caller, code)
                return [f"{found.barcode}: {counted(found.pack.factor, 'unit')} of {found.pack.sku}"]
            return _lines_of(await open_parcel(caller, code))
        except UnknownBarcodeError:
            raise failure(f"Barcode is not registered: {code}. Import it with holdfast barcodes import.") from None
        except InvalidError as error:
            raise failure(f"{code} {error.rule}.") from None


def _is_parcel(code: str) -> bool:
    try:
        return bool(sscc_of(code.strip()))
    except LabelError:
        return False


def _lines_of(parcel: Parcel) -> list[str]:
    lines = [
        f"{supply_id}: {counted(each.expected, 'unit')} of {each.sku}, at {each.location} on {each.expected_on}"
        for supply_id, each in parcel.supply
    ]
    if parcel.transfer is not None:
        way = f"from {parcel.transfer.source} to {parcel.transfer.destination}"
        lines += [
            f"{parcel.sscc}: {counted(line.in_transit, 'unit')} of {line.sku}, {way}"
            for line in parcel.transfer.lines
            if line.in_transit
        ]
    if not lines:
        raise failure(f"Nothing that is still to come was announced in parcel {parcel.sscc}.")
    return lines


for _command in (list_, add, remove):
    barcodes.add_command(_command)
