"""The sample catalogue: what ``holdfast serve --sample`` fills an empty store with, and the lines to try on it."""

from importlib.resources import files
from typing import Final

from server.commands.counting import Tally, count_rows
from server.commands.csv_file import StockFile, read_stock_file
from server.domain.limits import DEFAULT_PARTITION
from server.store.ledger import Ledger

SKU: Final = "TS-1001-SİYAH-M"
SKU_IN_URL: Final = "TS-1001-S%C4%B0YAH-M"
RESERVATION_ID: Final = "basket-1"
PARTITION: Final = DEFAULT_PARTITION


def sample_file() -> StockFile:
    """Read the sample catalogue that comes with the package."""
    return read_stock_file(files("server.commands").joinpath("sample.csv").read_bytes())


async def fill(ledger: Ledger) -> int:
    """Put the sample into a ledger; returns how many places were counted."""
    sample, tally = sample_file(), Tally()
    await count_rows(ledger, sample.rows, f"import:{sample.digest}", "sample catalogue", tally)
    return tally.set


def lines_to_try(address: str, *, needs_key: bool) -> str:
    """Write the curl lines: availability, reserve, commit, and why the number is what it is."""
    key = " -H 'Authorization: Bearer hf_…'" if needs_key else ""
    json = "-H 'Content-Type: application/json'"
    body = (
        f'{{"reservation_id":"{RESERVATION_ID}","channel":"woocommerce","ttl_s":900,'
        f'"lines":[{{"sku":"{SKU}","quantity":2}}]}}'
    )
    return f"""\
What may still be sold of a black T-shirt, size M:
  curl{key} {address}/v1/availability/{SKU_IN_URL}
Hold two of them while a customer pays:
  curl{key} {address}/v1/reservations {json} \\
    -d '{body}'
The customer paid:
  curl{key} {address}/v1/reservations/{RESERVATION_ID}/commit {json} -d '{{}}'
Why the number is what it is:
  curl{key} {address}/v1/stock/{SKU_IN_URL}"""
