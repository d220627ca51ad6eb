"""The sample of ``holdfast serve --sample``: a catalogue, simulated channels, and lines to try."""

import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Final

import structlog

from server.cli.demo.simulated_channels import SimulatedChannel
from server.cli.demo.simulated_orders import KEPT_MAX, Seller
from server.cli.demo.stage import Stage, open_stage
from server.domain.limits import DEFAULT_PARTITION
from server.domain.order_documents import OrderFilter
from server.files.file_import import ReadFile, Tally
from server.files.stock import Counted, Source, count_rows, stock_import
from server.store.command_session import OpenStore
from server.store.documents.documents import Documents
from server.store.errors import DocumentsError
from server.store.keys import Keyspace
from server.store.ledger.ledger import Ledger
from server.store.repositories.publisher import PublisherStore

log = structlog.get_logger("holdfast.sample")

SKU: Final = "TS-1001-SİYAH-M"
SKU_IN_URL: Final = "TS-1001-S%C4%B0YAH-M"
RESERVATION_ID: Final = "basket-1"
PARTITION: Final = DEFAULT_PARTITION
_REASON: Final = "sample catalogue"


def sample_file() -> ReadFile[Counted]:
    """Read the sample catalogue that comes with the package."""
    return stock_import(_REASON).read(files("server.cli.demo").joinpath("sample.csv").read_bytes())


async def fill_if_empty(store: OpenStore) -> None:
    """Import the sample into a store that has no stock."""
    if await store.is_empty(PARTITION):
        await store.register(PARTITION)
        await fill(store.ledger(PARTITION))


async def fill(ledger: Ledger) -> int:
    """Import the sample into a ledger; return how many stock records were set."""
    sample, tally = sample_file(), Tally()
    await count_rows(ledger, sample.rows, Source(f"import:{sample.digest}", _REASON), tally)
    return tally.set


@asynccontextmanager
async def open_channels() -> AsyncIterator[Stage]:
    """Open simulated channels that log each new number; their configuration is deleted with them."""
    with tempfile.TemporaryDirectory(prefix="holdfast-sample-") as folder:
        async with open_stage(Path(folder), _log) as stage:
            yield stage


def _log(channel: SimulatedChannel, key: str, before: int | None, shows: int) -> None:
    # The first number of each SKU is no change, and a catalogue has many.
    if before is not None:
        log.info("simulated_channel_shows", channel=channel.name, sku=key, shows=shows, before=before)


async def recall(store: OpenStore, channels: Sequence[SimulatedChannel]) -> None:
    """Restore what the channels had confirmed when the server last ran, as real ones would keep it."""
    kept = PublisherStore(store.client, Keyspace(PARTITION))
    for channel in channels:
        async for _, shown in kept.shown(channel.name):
            channel.recall(shown.key, shown.quantity)


async def recall_orders(documents: Documents | None, channels: Sequence[SimulatedChannel]) -> None:
    """Have the channels know their open orders again, as real ones would: the documents have what they told."""
    for channel in channels:
        if documents is None or not isinstance(channel, Seller):
            continue
        try:
            found, _ = await documents.find(PARTITION, OrderFilter(channel=channel.name), limit=KEPT_MAX)
        except DocumentsError as error:
            log.warning("simulated_orders_not_known", channel=channel.name, reason=str(error))
            continue
        for kept in reversed(found):
            channel.recall_order(kept.order)


def channels_to_see(address: str, channels: Sequence[SimulatedChannel], *, needs_key: bool, options: str) -> str:
    """Write which simulated channels there are, and how to see them; ``options`` choose this store."""
    names = "".join(f"  {channel.name:<16} through the adapter {channel.kind}\n" for channel in channels)
    return f"""\
Simulated channels, which log here each number that they show:
{names}\
See their state:
  curl{_key(needs_key=needs_key)} {address}/v1/channels
  {_command()} channels status{options}"""


def sales_to_try(sellers: Sequence[Seller], *, options: str) -> str:
    """Write how to let the simulated channels sell, and where their orders are seen; ``options`` choose this store."""
    first, last = sellers[0], sellers[-1]
    return f"""\
Let a buyer order there; all channels show one less:
  curl -X POST {first.url}/buy/{SKU_IN_URL}
  curl -X POST {last.url}/buy/{SKU_IN_URL}
Let the last buyer there cancel:
  curl -X POST {first.url}/cancel
See the orders that came in:
  {_command()} orders{options}"""


def _command() -> str:
    """Return how the command is called here: by its name where a terminal finds it, else by the path that was used."""
    used, found = Path(sys.argv[0]), shutil.which("holdfast")
    is_found = found is not None and used.exists() and used.samefile(found)
    return "holdfast" if is_found or used.name != "holdfast" else str(used)


def _key(*, needs_key: bool) -> str:
    return " -H 'Authorization: Bearer hf_…'" if needs_key else ""


def lines_to_try(address: str, *, needs_key: bool) -> str:
    """Write the curl lines: availability, reserve, commit, and the buckets behind the number."""
    key = _key(needs_key=needs_key)
    json = "-H 'Content-Type: application/json'"
    body = (
        f'{{"reservation_id":"{RESERVATION_ID}","channel":"woocommerce","ttl_s":900,'
        f'"lines":[{{"sku":"{SKU}","quantity":2}}]}}'
    )
    return f"""\
See what is available of a black T-shirt, size M:
  curl{key} {address}/v1/availability/{SKU_IN_URL}
Reserve two of them while a customer pays:
  curl{key} {address}/v1/reservations {json} \\
    -d '{body}'
Commit when the customer has paid:
  curl{key} {address}/v1/reservations/{RESERVATION_ID}/commit {json} -d '{{}}'
See the buckets behind the number:
  curl{key} {address}/v1/stock/{SKU_IN_URL}"""
