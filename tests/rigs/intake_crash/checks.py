"""What must be true once all is quiet: stock by the marketplaces' own books, and everything said once."""

from collections import Counter
from typing import Any, Final
from urllib.parse import quote

from tests.channels.orders_simulator import Market
from tests.rigs.intake_crash.buyers import SKUS
from tests.support.http import Api

START_UNITS: Final = 1_000_000


def wanted(markets: dict[str, Market]) -> dict[str, dict[str, int]]:
    """Return what each SKU's counters must be, by the order books alone."""
    committed: Counter[str] = Counter()
    shipped: Counter[str] = Counter()
    for market in markets.values():
        for order in market.orders.values():
            for line in order["lines"]:
                out = line.get("shipped", 0)
                shipped[line["listing"]] += out
                committed[line["listing"]] += line["ordered"] - line.get("cancelled", 0) - out
    return {sku: {"on_hand": START_UNITS - shipped[sku], "committed": committed[sku], "held": 0} for sku in SKUS}


async def counters(api: Api) -> dict[str, dict[str, int]]:
    """Read the counters that the server has."""
    found: dict[str, dict[str, int]] = {}
    for sku in SKUS:
        level: dict[str, Any] = (await api.get(f"/v1/stock/{sku}")).ok()["levels"][0]
        found[sku] = {name: level[name] for name in ("on_hand", "committed", "held")}
    return found


def said_wrongly(markets: dict[str, Market]) -> list[str]:
    """Return what a marketplace was told twice, or what could not be."""
    wrong = []
    for name, market in markets.items():
        for what, times in market.said.items():
            if what[2] == "too many":
                wrong.append(f"{name} was told to {what[1]} more of {what[0]} than is left, {times} times")
            elif times > 1:
                wrong.append(f"{name} was told {times} times: {' '.join(what)}")
    return wrong


def not_acknowledged(markets: dict[str, Market]) -> list[str]:
    """Name the open orders that were not acknowledged, as the rule says they are."""
    return [
        f"{name} {key} is not acknowledged"
        for name, market in markets.items()
        for key, order in market.orders.items()
        if order["state"] == "open" and not order["acknowledged"]
    ]


def not_right(have: dict[str, dict[str, int]], should: dict[str, dict[str, int]]) -> list[str]:
    """Name the SKUs whose counters differ."""
    return [f"{sku}: {have[sku]}, and by the books {should[sku]}" for sku in SKUS if have[sku] != should[sku]]


def units_apart(have: dict[str, dict[str, int]], should: dict[str, dict[str, int]]) -> int:
    """Return by how many units all counters together differ."""
    return sum(abs(units - have[sku][name]) for sku in SKUS for name, units in should[sku].items())


async def orders_that_differ(api: Api, name: str, market: Market) -> list[str]:
    """Name the orders of which more or fewer units are committed or shipped than the marketplace's book says."""
    booked: Counter[tuple[str, str, str]] = Counter()
    after = ""
    while True:
        page = (
            await api.get(f"/v1/reservations?channel={name}&limit=200" + (f"&after={quote(after)}" if after else ""))
        ).ok()
        for each in page["reservations"]:
            for line in each["lines"]:
                for kind in ("committed", "fulfilled"):
                    booked[each["order_ref"], line["sku"], kind] += line[kind]
        after = page["next"]
        if not after:
            break
    differing = []
    for key, order in market.orders.items():
        for line in order["lines"]:
            out = line.get("shipped", 0)
            left = line["ordered"] - line.get("cancelled", 0) - out
            have = (booked[key, line["listing"], "committed"], booked[key, line["listing"], "fulfilled"])
            if have != (left, out):
                differing.append(f"{name} {key} {line}: {have[0]} committed, {have[1]} fulfilled")
    return differing[:10]
