"""Runs a count of a location with a real server, real buyers and channels that take updates, and checks what came."""

import asyncio
import contextlib
import csv
import random
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.harness.processes import ServerProcess
from bench.propagation.channels import Kind
from bench.propagation.figures import Values, is_right, percentile
from bench.propagation.setup import Channels
from server.domain.changes import Change
from server.domain.channels import ChannelRules, publishable
from server.domain.reservation import Reservation
from server.store.audit.audit import audit
from server.store.connection import connect
from server.store.journal.journal import decode_entry
from server.store.keys import Keyspace
from tests.channels import webhook_receiver
from tests.rigs.count_run import checks
from tests.rigs.count_run.traffic import LOCATION, Shelf, Traffic, shelves
from tests.support.http import Api, Server, opened

KEYSPACE: Final = Keyspace("default")
KINDS: Final[dict[str, Kind]] = {"hook": "webhook", "shop": "woocommerce"}
RIGHT_S: Final = 60.0
"""Generous: how long is a figure here, not a condition."""
LOOK_S: Final = 0.2
TAIL_S: Final = 0.3
"""How long buyers go on after the count."""
_PER_CALL: Final = 1_000
_PAGE: Final = 200
_ENVIRONMENT: Final = {"COUNT_HOOK": webhook_receiver.SECRET, "COUNT_SHOP": "made-up"}
_TOML: Final = """
[channels.hook]
kind = "webhook"
allow_private = ["127.0.0.1"]
reconcile_every_s = 0
[channels.hook.options]
url = "http://127.0.0.1:{hook}/"
batch_max = 50
[channels.hook.credentials]
secret = {{ env = "COUNT_HOOK" }}
[channels.shop]
kind = "woocommerce"
allow_private = ["127.0.0.1"]
reconcile_every_s = 0
[channels.shop.options]
base_url = "http://127.0.0.1:{shop}"
requests_per_s = 1000
[channels.shop.credentials]
consumer_key = {{ env = "COUNT_SHOP" }}
consumer_secret = {{ env = "COUNT_SHOP" }}
"""

_decode = msgspec.msgpack.Decoder(Reservation).decode


class Delays(msgspec.Struct, frozen=True):
    """Which falls to zero one channel got: how many, and after how many milliseconds."""

    channel: str
    zeros: int
    superseded: int
    shown: int
    p50_ms: float
    p99_ms: float
    max_ms: float


class Run(msgspec.Struct, frozen=True):
    """What came of a count. ``count_s``: of the whole command; ``counting_s``: from its first change to its last."""

    rows: int
    count_s: float
    counting_s: float
    acknowledged: int
    refused: int
    during: int
    differences: int
    short_skus: int
    short_units: int
    delays: list[Delays]
    wrong: list[str]


class Stage:
    """What a run is played on."""

    def __init__(self, server: Server, api: Api, channels: Channels, stock: list[Shelf]) -> None:
        self.server = server
        self.api = api
        self.channels = channels
        self.stock = stock
        self.key_of = {shelf.sku: number + 1 for number, shelf in enumerate(stock)}

    async def set_up(self) -> None:
        """Put the units on their shelves, and list all SKUs on the channels."""
        for at in range(0, len(self.stock), _PER_CALL):
            part = self.stock[at : at + _PER_CALL]
            movements = [
                {"kind": "receive", "sku": each.sku, "quantity": each.on_hand, "location": LOCATION} for each in part
            ]
            results = (await self.api.post("/v1/stock/movements", {"movements": movements})).ok()["results"]
            assert all(each["status"] == 200 for each in results)
            listings = [{"sku": each.sku, "key": str(self.key_of[each.sku])} for each in part]
            for name in KINDS:
                (await self.api.put(f"/v1/channels/{name}/listings", {"listings": listings})).ok()

    async def holdfast(self, *words: str | Path) -> str:
        """Run a command to its good end, on the server's store."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "server", *map(str, words), "--data-dir", str(self.server.data_dir),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, errors = await process.communicate()
        assert process.returncode == 0, errors.decode() + output.decode()
        return output.decode()

    async def records(self) -> dict[str, Reservation]:
        """Read every reservation."""
        with self.server.store() as store:
            pairs = [*store.hgetall(KEYSPACE.reservations).items(), *store.hgetall(KEYSPACE.ended).items()]
        return {name.decode(): _decode(packed) for name, packed in pairs}

    async def levels(self) -> dict[str, list[int]]:
        """Read the buckets of each SKU at the location."""
        with self.server.store() as store:
            found = store.hgetall(KEYSPACE.stock)
        return {field.decode().partition("\0")[0]: msgspec.msgpack.decode(packed) for field, packed in found.items()}

    async def journal(self) -> list[Change]:
        """Read all that ever changed."""
        with self.server.store() as store:
            return [change for _, fields in store.xrange(KEYSPACE.journal) for change in decode_entry(fields)]

    async def shortages(self) -> dict[str, dict[str, int]]:
        """Ask who is short of what, page by page, newest and lowest priority first: SKU -> reservation -> lacks."""
        found, after = {}, ""
        while True:
            page = (await self.api.get(f"/v1/shortages?limit={_PAGE}" + (f"&after={after}" if after else ""))).ok()
            for each in page["shortages"]:
                assert each["lines_complete"], each
                found[each["sku"]] = {line["reservation_id"]: line["lacks"] for line in each["lines"]}
            after = page["next"]
            if not after:
                return found

    async def until_right(self, available: dict[str, int]) -> dict[str, Values]:
        """Wait until both channels show what may be sold; returns all that was published to them."""
        wanted = {self.key_of[sku]: publishable(ChannelRules(), {LOCATION: units}) for sku, units in available.items()}

        until_s = time.monotonic() + RIGHT_S
        while True:
            values = await asyncio.to_thread(self.channels.values)
            if all(is_right(arrived, wanted) for arrived in values.values()):
                return values
            assert time.monotonic() < until_s, f"the channels do not show what may be sold after {RIGHT_S:g} s"
            await asyncio.sleep(LOOK_S)  # a look takes the machine some work


async def run(rows: int, seed: int) -> Run:
    """Count so many rows while orders run."""
    chance = random.Random(seed)
    async with _staged(shelves(rows, chance)) as stage:
        await stage.set_up()
        traffic = Traffic(stage.api, stage.stock, chance)
        await traffic.promise_beforehand()
        await stage.until_right({sku: _available(level) for sku, level in (await stage.levels()).items()})
        before = len(traffic.acknowledged)
        with tempfile.TemporaryDirectory(prefix="hf-count-") as folder:
            output, count_s = await _count(stage, traffic, Path(folder))
            differences = _differences(Path(folder) / "differences.csv")
        return await _account(stage, traffic, output, differences, before=before, count_s=count_s)


@contextlib.asynccontextmanager
async def _staged(stock: list[Shelf]) -> AsyncIterator[Stage]:
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="hf-count-"))
        words = [f"{name}={kind}" for name, kind in KINDS.items()]
        process = ServerProcess("bench.propagation.channels", *words, log=Path(folder) / "channels.log")
        channels = Channels(stack.enter_context(process))
        server = Server(toml=_TOML.format(**channels.ports), environment=_ENVIRONMENT)
        stack.enter_context(server)
        async with opened(server) as api:
            yield Stage(server, api, channels, stock)
        assert server.faults == []


async def _count(stage: Stage, traffic: Traffic, folder: Path) -> tuple[str, float]:
    """Count as people do: ask for the baseline, let them walk about while all goes on, hand in the figures."""
    baseline = (await stage.holdfast("count", "--begin")).strip()
    with (folder / "store.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("sku", "on_hand"), *((each.sku, each.counted) for each in stage.stock)])
    buyers = asyncio.create_task(traffic.run())
    try:
        await asyncio.sleep(TAIL_S)
        began_s = time.monotonic()
        output = await stage.holdfast(
            "count", folder / "store.csv", "--location", LOCATION, "--baseline", baseline,
            "--differences", folder / "differences.csv", "--yes",  # it asks where many fall to zero
        )  # fmt: skip
        count_s = time.monotonic() - began_s
        await asyncio.sleep(TAIL_S)
    finally:
        traffic.running = False
        await buyers
    return output, count_s


def _differences(path: Path) -> dict[str, tuple[int, int]]:
    """Read the report: SKU -> by how much it differs, and what was available after."""
    with path.open(encoding="utf-8", newline="") as file:
        return {row["sku"]: (int(row["difference"]), int(row["available"])) for row in csv.DictReader(file)}


async def _account(
    stage: Stage, traffic: Traffic, output: str, differences: dict[str, tuple[int, int]], *, before: int, count_s: float
) -> Run:
    records, levels, changes = await stage.records(), await stage.levels(), await stage.journal()
    available = {sku: _available(level) for sku, level in levels.items()}
    wrong = checks.broken_reservations(traffic.acknowledged.values(), records)
    wrong += checks.wrong_levels(stage.stock, {sku: level[0] for sku, level in levels.items()})
    wrong += checks.wrong_differences(stage.stock, {sku: by for sku, (by, _) in differences.items()})
    wanted, found = checks.shortages(records, available), await stage.shortages()
    wrong += [
        f"{sku}: reported short {found.get(sku)}, is short {wanted.get(sku)}"
        for sku in sorted(wanted.keys() | found.keys())
        if list(found.get(sku, {}).items()) != list(wanted.get(sku, {}).items())
    ]
    said = {sku: int(units.replace(",", "")) for units, sku in re.findall(r"(?m)^Short of ([\d,]+) (.+?):", output)}
    # What buyers let go of between the count and the report is no longer short; nothing makes it shorter.
    wrong += [
        f"{sku}: counted short of {-units}, short of {-available[sku]} at the end, and reported {said.get(sku, 0)}"
        for sku, (_, units) in differences.items()
        if units < 0 and not max(0, -available[sku]) <= said.get(sku, 0) <= -units
    ]
    rows = f"{len(stage.stock):,} rows: {len(stage.stock):,} counted, 0 unchanged (counted before), 0 bad;"
    wrong += ["the command had no time to look at every order"] if "no time" in output else []
    wrong += [] if rows in output else [f"the command's last line: {output.splitlines()[-1]}"]
    wrong += await _drift(stage.server)
    arrived = await stage.until_right(available)
    counting = [change.at_ms for change in changes if change.operation == "count"]
    return Run(
        rows=len(stage.stock),
        count_s=count_s,
        counting_s=(max(counting) - min(counting)) / 1000,
        acknowledged=len(traffic.acknowledged),
        refused=traffic.refused,
        during=len(traffic.acknowledged) - before,
        differences=len(differences),
        short_skus=len(wanted),
        short_units=sum(-units for units in available.values() if units < 0),
        delays=[_delays_of(name, checks.zeros(changes, arrived[name], stage.key_of)) for name in KINDS],
        wrong=wrong,
    )


def _delays_of(name: str, zeros: checks.Zeros) -> Delays:
    delays = sorted(zeros.delays_ms)
    assert delays, f"{name} got no fall to zero"
    p50_ms, p99_ms = percentile(delays, 50), percentile(delays, 99)
    return Delays(name, len(delays), zeros.superseded, zeros.shown, p50_ms, p99_ms, delays[-1])


async def _drift(server: Server) -> list[str]:
    pool = connect.connection_pool(f"unix://{server.data_dir / 'store.sock'}")
    try:
        report = await audit(connect.client(pool), KEYSPACE)
    finally:
        await pool.aclose()
    return [f"verify: {each}" for each in report.drift] + ([] if report.conclusive else ["verify: inconclusive"])


def _available(level: list[Any]) -> int:
    return int(level[0] - sum(level[1:6]))


def table(done: Run) -> list[str]:
    """Show what a run came to."""
    lines = [
        (
            f"{done.rows:,} rows counted in {done.count_s:.2f} s by `holdfast count` (its changes within"
            f" {done.counting_s:.2f} s); {done.differences:,} differ"
        ),
        (
            f"{done.acknowledged:,} reservations acknowledged, {done.during:,} of them meanwhile,"
            f" {done.refused:,} refused;"
            f" short of {done.short_units:,} units of {done.short_skus:,} SKUs"
        ),
        f"{'channel':<8} {'zeros':>6} {'superseded':>10} {'shown':>6} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8}",
    ]
    lines += [
        f"{each.channel:<8} {each.zeros:>6,} {each.superseded:>10,} {each.shown:>6,}"
        f" {each.p50_ms:>8.0f} {each.p99_ms:>8.0f} {each.max_ms:>8.0f}"
        for each in done.delays
    ]
    return [*lines, f"wrong: {len(done.wrong)}", *done.wrong]
