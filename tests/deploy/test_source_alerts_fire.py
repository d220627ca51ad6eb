"""A feed that is wrong in each of its ways: the number stands, and the alert that is shipped fires, and ends."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from server.store.keys import Keyspace, SourceKeys
from tests.conftest import wait_until
from tests.deploy.test_alerts_fire import ends, fires, until_well, watching
from tests.support.http import Api, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)

PLACE: Final = "supplier"
SKUS: Final = tuple(f"SUP-{number:02}" for number in range(12))
UNITS: Final = {sku: 10 + number for number, sku in enumerate(SKUS)}
AN_HOUR_MS: Final = 3_600_000
FEED: Final = """
[sources.tools]
kind = "feed"
pull_every_s = 0.2

[sources.tools.options]
location = "supplier"
file = "{path}"
format = "json"
sku = "code"
quantity = "stock"
age_s_max = 86400
"""
LATE, WAITING = "HoldfastSourceLate", "HoldfastSourceWaiting"


def feed(units: dict[str, int]) -> bytes:
    return json.dumps([{"code": sku, "stock": number} for sku, number in units.items()]).encode()


def _late(path: Path) -> None:
    os.utime(path, (time.time() - 2 * 86_400, time.time() - 2 * 86_400))


def _written(body: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        _replace(path, body)

    return write


def _replace(path: Path, body: bytes) -> None:
    beside = path.with_suffix(".new")
    beside.write_bytes(body)
    beside.replace(path)


SPOILT: Final[dict[str, tuple[Callable[[Path], None], set[str]]]] = {
    "late": (_late, {LATE}),
    "empty": (_written(b""), {LATE}),
    "an-empty-list": (_written(b"[]"), {LATE}),
    "cut-in-half": (_written(feed(UNITS)[: len(feed(UNITS)) // 2]), {LATE}),
    "a-hundredfold": (_written(feed({sku: 100 * units for sku, units in UNITS.items()})), {WAITING}),
    "of-another-shop": (_written(feed({f"OTHER-{number}": 5 for number in range(12)})), {LATE, WAITING}),
}
"""What is done to the list, and which alerts tell of it."""


async def there(api: Api) -> dict[str, int]:
    """Return what is on hand at the supplier's."""
    levels = {sku: (await api.get(f"/v1/stock/{sku}")).ok()["levels"] for sku in SKUS}
    return {sku: level["on_hand"] for sku, each in levels.items() for level in each if level["location"] == PLACE}


async def becomes(api: Api, units: dict[str, int]) -> None:
    async def is_so() -> bool:
        return await there(api) == units

    await wait_until(is_so, f"{units} are counted")


async def told(api: Api, is_meant: Callable[[Any], bool], what: str) -> None:
    async def is_so() -> bool:
        [source] = (await api.get("/v1/sources")).ok()["sources"]
        return is_meant(source)

    await wait_until(is_so, what)


def known_since_an_hour(server: Server) -> None:
    """Have the last good list be an hour old, as the next start of the server reads it."""
    with server.store() as store:
        state = SourceKeys(Keyspace("default"), "tools").state
        store.hset(state, "known_ms", int(store.hget(state, "known_ms")) - AN_HOUR_MS)


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", SPOILT)
async def test_given_a_feed_that_is_spoilt_then_the_number_stands_and_its_alert_fires_and_ends(
    how: str, tmp_path: Path, start_server: Callable[..., Server]
) -> None:
    # Given
    spoil, alerts = SPOILT[how]
    path = tmp_path / "stock.json"
    server = start_server(toml=FEED.format(path=path), publisher_lease_s=1)
    async with opened(server) as api:
        for sku in SKUS:
            await api.count(sku, 1)
        _replace(path, feed(UNITS))  # once all are known here: many new ones at once would wait
        await becomes(api, UNITS)

        # When
        spoil(path)
        await told(api, lambda source: bool(source["reason"] or source["waiting"]), "it is told")
    known_since_an_hour(server)
    server.kill()
    server.start()
    await until_well(server, publisher=True)

    # Then
    with watching(server) as prometheus:
        async with opened(server) as api:
            await fires(prometheus, *alerts)
            firing = prometheus.firing()
            assert {name for name in firing if name.startswith("HoldfastSource")} == alerts
            assert {firing[name]["labels"]["source"] for name in alerts} == {"tools"}
            assert await there(api) == UNITS

            _replace(path, feed({**UNITS, SKUS[3]: 14}))
            await becomes(api, {**UNITS, SKUS[3]: 14})
            await ends(prometheus, *alerts)
