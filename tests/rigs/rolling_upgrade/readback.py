"""Reads everything back from a server, over HTTP, when nothing changes any more."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

import aiohttp
from yarl import URL

from tests.rigs.rolling_upgrade.expected import BUCKETS, State

_PAGE: Final = 200
"""The most that the list of reservations gives at once."""
_READ_S: Final = 60.0
_COUNTED_S: Final = 15.0
"""How long the counting for the report may take: it goes on once a second."""
_LOOK_S: Final = 0.2


class Reader:
    """Reads from one server."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def get(self, path: str) -> Any:
        """Read one thing; None where there is none."""
        async with self._session.get(URL(self._url + path, encoded=True)) as response:
            if response.status == 404:
                return None
            assert response.status == 200, f"GET {path}: {response.status} {await response.text()}"
            return await response.json()

    async def available(self, skus: Iterable[str]) -> dict[str, int]:
        """Read what is available of each SKU."""
        async with self._session.post(self._url + "/v1/availability/query", json={"skus": list(skus)}) as response:
            assert response.status == 200, await response.text()
            return {each["sku"]: each["available"] for each in (await response.json())["availability"]}

    async def pages(self, path: str, of: str) -> list[Any]:
        """Read all pages of a list."""
        found: list[Any] = []
        after = ""
        while True:
            page = await self.get(f"{path}?limit={_PAGE}" + (f"&after={after}" if after else ""))
            found += page[of]
            after = page["next"]
            if not after:
                return found


async def read_back(url: str, wanted: State) -> State:
    """Read all that there is, and all that should be."""
    found = State()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_READ_S)) as session:
        reader = Reader(session, url)
        for each in await reader.pages("/v1/reservations", "reservations"):
            found.reservations[each["reservation_id"]] = each
        for each in await reader.pages("/v1/transfers", "transfers"):
            found.transfers[each["transfer_id"]] = each
        await _add(reader, found.reservations, wanted.reservations, "/v1/reservations/")
        await _add(reader, found.transfers, wanted.transfers, "/v1/transfers/")
        for supply_id in wanted.supplies:
            supply = await reader.get(f"/v1/supply/{supply_id}")
            if supply is not None:
                found.supplies[supply_id] = supply["received"]
        for sku in sorted({sku for sku, _ in wanted.stock}):
            stock = await reader.get(f"/v1/stock/{sku}")
            for level in stock["levels"] if stock is not None else ():
                found.stock[sku, level["location"]] = {bucket: level[bucket] for bucket in BUCKETS}
        found.figures = await _figures(reader, wanted.figures)
    return found


async def _figures(reader: Reader, wanted: Mapping[str, int]) -> dict[str, int]:
    """Read the report's sums; they follow the changes within seconds, so what is not right yet is read again."""
    until_s = time.monotonic() + _COUNTED_S
    while True:
        total = (await reader.get("/v1/reports/sales"))["total"]
        found = {name: int(total[name]) for name in wanted}
        if found == wanted or time.monotonic() > until_s:
            return found
        await asyncio.sleep(_LOOK_S)


async def _add(reader: Reader, found: dict[str, Any], wanted: Iterable[str], path: str) -> None:
    """Ask for those by name that the list did not have."""
    for name in wanted:
        if name not in found:
            one = await reader.get(path + name)
            if one is not None:
                found[name] = one


async def available(url: str, skus: Iterable[str]) -> dict[str, int]:
    """Read what is available of each SKU, from one server."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_READ_S)) as session:
        return await Reader(session, url).available(skus)
