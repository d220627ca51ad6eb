"""Simulated buyers: each reserves over HTTP, then pays, releases or lets the hold expire; some send twice."""

import asyncio
import random
import time
from array import array
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import msgspec

CHANNELS: Final = ("trendyol", "hepsiburada", "n11", "emag", "woocommerce", "store")
UNITS: Final = {"LAST-PAIR 43": 3, "BORDO ELBİSE/38": 25, "KABLO USB-C, 2M": 100}
"""The contested SKUs: names, and how many units there are."""
TTL_S: Final = 2
THINK_S: Final = 0.25
"""How long a buyer looks at a page, on average."""
TWO_LINES_SHARE: Final = 0.15
RETRY_SHARE: Final = 0.2
"""Of requests that are sent a second time with the same id, as after a lost reply."""
PAYS, WALKS_AWAY = 0.35, 0.4
"""Shares of baskets; the rest is left to expire."""
ATTEMPTS_MAX: Final = 8
_PAUSE_S: Final = 0.1
_TIMEOUT_S: Final = 10.0
_UNSURE: Final = 503
_OK: Final = 300
_decode = msgspec.json.Decoder().decode


class DemoError(Exception):
    """The demo cannot go on; the message has the reason."""


@dataclass
class Figures:
    """The answers that the buyers received, in units unless a comment has another measure."""

    sold: Counter[str] = field(default_factory=Counter)
    """By channel."""
    sold_of: Counter[str] = field(default_factory=Counter)
    """By SKU."""
    baskets: int = 0
    refused: int = 0
    released: int = 0
    forgotten: int = 0
    replays: int = 0
    retries: int = 0
    requests: int = 0
    faults: list[str] = field(default_factory=list)
    """Answers that should not be."""
    latencies_ms: "array[float]" = field(default_factory=lambda: array("d"))

    def p99_ms(self) -> float:
        """Return the time in which 99 of 100 requests were answered."""
        if not self.latencies_ms:
            return 0.0
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]


class Shop:
    """One server as the buyers see it; ``run_id`` keeps the SKUs and baskets of two demos apart."""

    def __init__(self, session: aiohttp.ClientSession, run_id: str) -> None:
        self._session = session
        self._run_id = run_id
        self.figures = Figures()
        self.skus = {self.sku(name): units for name, units in UNITS.items()}
        """The contested SKUs, with their units."""

    def sku(self, name: str) -> str:
        """Make the SKU of a product in this demo."""
        return f"DEMO-{self._run_id} {name}"

    async def stock_up(self) -> None:
        """Count the contested units."""
        for sku, units in self.skus.items():
            await self.count(sku, units)

    async def count(self, sku: str, units: int) -> None:
        """Set how many units there are of a SKU."""
        status, body, _ = await self._send("PUT", f"/v1/stock/{quote(sku, safe='')}/main", {"on_hand": units})
        if status >= _OK:
            raise DemoError(
                f"The server refused to count the stock: {body.get('detail', status)} Check --key and its scopes."
            )

    async def order(self, sku: str) -> None:
        """Sell one unit."""
        body = {"channel": "store", "lines": [{"sku": sku, "quantity": 1}]}
        status, answer, _ = await self._send("POST", "/v1/orders", body, f"demo-{self._run_id}-{sku}")
        if status >= _OK:
            raise DemoError(
                f"The server refused to sell one unit: {answer.get('detail', status)} Check --key and its scopes."
            )

    async def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Send one request that must not be refused, and return its answer."""
        status, answer, _ = await self._send(method, path, body)
        if status >= _OK:
            raise DemoError(f"The server refused {method} {path}: {answer.get('detail', status)}")
        return answer

    async def stock(self, skus: Iterable[str] = ()) -> dict[str, dict[str, Any]]:
        """Read the buckets of SKUs; if none is named, of the contested ones."""
        found = {}
        for sku in skus or self.skus:
            _, body, _ = await self._send("GET", f"/v1/stock/{quote(sku, safe='')}", None)
            found[sku] = body["levels"][0]
        return found

    async def buy_until(self, stop: asyncio.Event, number: int, seed: int) -> None:
        """Be one buyer, on one channel, until ``stop`` is set."""
        chance = random.Random(f"{seed}/{number}")  # noqa: S311  # a simulation, repeatable by its seed
        channel = CHANNELS[number % len(CHANNELS)]
        visit = 0
        while not stop.is_set():
            visit += 1
            await _think(chance, stop)
            if not stop.is_set():
                await self._visit(chance, channel, f"demo-{self._run_id}-{number}-{visit}")

    async def _visit(self, chance: random.Random, channel: str, basket: str) -> None:
        figures = self.figures
        skus = chance.sample(list(self.skus), 2 if chance.random() < TWO_LINES_SHARE else 1)
        lines = [{"sku": sku, "quantity": chance.randint(1, 2)} for sku in skus]
        body = {"reservation_id": basket, "channel": channel, "ttl_s": TTL_S, "lines": lines}
        status, answer = await self._ask(chance, "/v1/reservations", body, "")
        if status >= _OK:
            figures.refused += 1
            if answer.get("outcome") != "out_of_stock":
                figures.faults.append(f"reserve: {answer.get('outcome', status)}")
            return
        figures.baskets += 1
        await asyncio.sleep(chance.uniform(0, THINK_S))
        decision = chance.random()
        path = f"/v1/reservations/{basket}"
        if decision < PAYS:
            status, answer = await self._ask(chance, f"{path}/commit", {}, f"{basket}/commit")
            self._note_sale(channel, status, answer)
        elif decision < PAYS + WALKS_AWAY:
            status, answer = await self._ask(chance, f"{path}/release", {}, f"{basket}/release")
            figures.released += status < _OK
        else:
            figures.forgotten += 1

    def _note_sale(self, channel: str, status: int, answer: dict[str, Any]) -> None:
        if status >= _OK:
            # On a slow machine a hold may expire before its buyer pays, and another buyer gets the units.
            if answer.get("outcome") != "expired":
                self.figures.faults.append(f"commit: {answer.get('outcome', status)}")
            return
        for line in answer["lines"]:
            self.figures.sold[channel] += line["committed"]
            self.figures.sold_of[line["sku"]] += line["committed"]

    async def _ask(self, chance: random.Random, path: str, body: Any, key: str) -> tuple[int, dict[str, Any]]:
        """Send; sometimes send the same again, as if the reply had been lost: it must have no second effect."""
        status, answer, _ = await self._send("POST", path, body, key)
        if status < _OK and chance.random() < RETRY_SHARE:
            again_status, again, replayed = await self._send("POST", path, body, key)
            self.figures.retries += 1
            self.figures.replays += replayed
            if again_status != status or again.get("lines") != answer.get("lines"):
                self.figures.faults.append(f"a retry was answered {again_status} after {status}")
        return status, answer

    async def _send(self, method: str, path: str, body: Any, key: str = "") -> tuple[int, dict[str, Any], bool]:
        """Send until the answer is certain; the id or key makes that safe. Return status, body, whether replayed."""
        headers = {"Idempotency-Key": key} if key else {}
        problem = ""
        for _ in range(ATTEMPTS_MAX):
            began_s = time.perf_counter()
            try:
                async with self._session.request(method, path, json=body, headers=headers) as response:
                    raw = await response.read()
            except (aiohttp.ClientError, TimeoutError) as error:
                problem = str(error) or type(error).__name__
            else:
                self.figures.requests += 1
                self.figures.latencies_ms.append(1000 * (time.perf_counter() - began_s))
                if response.status != _UNSURE:
                    return response.status, _json(raw), response.headers.get("Idempotent-Replayed") == "true"
                problem = str(_json(raw).get("detail", "503"))
            await asyncio.sleep(_PAUSE_S)
        raise DemoError(f"The server does not answer {method} {path}: {problem}. Check that it runs, and --url.")


def _refused(what: str, body: dict[str, Any], status: int) -> str:
    return f"The server refused to {what}: {body.get('detail', status)} Check --key and its scopes."


def _json(raw: bytes) -> dict[str, Any]:
    try:
        decoded = _decode(raw)
    except msgspec.DecodeError:
        decoded = None
    if not isinstance(decoded, dict):
        raise DemoError("The answer is not from a Holdfast server. Check --url.")
    return decoded


async def _think(chance: random.Random, stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(chance.expovariate(1 / THINK_S)):
            await stop.wait()
    except TimeoutError:
        pass


@asynccontextmanager
async def open_shop(url: str, api_key: str, run_id: str, buyers: int) -> AsyncIterator[Shop]:
    """Connect to a server; each buyer has a connection."""
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    async with aiohttp.ClientSession(
        url,
        headers=headers,
        connector=aiohttp.TCPConnector(limit=buyers + 2),
        timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
    ) as session:
        yield Shop(session, run_id)
