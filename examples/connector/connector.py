"""A connector between Holdfast and Bazaar, a marketplace that is made up: its orders come in, and our stock goes out.

HOLDFAST_KEY=hf_… python connector.py --bazaar http://127.0.0.1:8090
"""

import argparse
import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from holdfast import AccessRefused, AsyncClient, HoldfastError, Refused
from holdfast.types import LineBody

POLL_S = 0.5
PAUSE_S = 1.0


class Kept:
    """How far we are: the last event of an order that is booked, and the last change of stock that is shown."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.places: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}

    def keep(self, name: str, place: object) -> None:
        """Keep a place; a crash leaves the one before, or this one."""
        self.places[name] = place
        beside = self._path.with_suffix(".new")
        beside.write_text(json.dumps(self.places), "utf-8")
        beside.replace(self._path)


async def orders_in(holdfast: AsyncClient, bazaar: httpx.AsyncClient, kept: Kept) -> None:
    """Book what has happened to orders, oldest first; a place is kept when its order is booked."""
    while True:
        answer = await bazaar.get("/orders", params={"after": kept.places.get("orders", 0)})
        for event in answer.raise_for_status().json()["events"]:
            await book(holdfast, event)
            kept.keep("orders", event["id"])
        await asyncio.sleep(POLL_S)


async def book(holdfast: AsyncClient, event: dict[str, Any]) -> None:
    """Carry one event out: once, however often it is told."""
    order = f"bazaar-{event['order']}"
    try:
        match event["kind"]:
            case "placed":
                lines = [LineBody(sku=event["sku"], quantity=event["quantity"])]
                await holdfast.reservations.order(
                    channel="bazaar", reservation_id=order, order_ref=event["order"], lines=lines, on_shortage="accept"
                )
            case "cancelled":
                key = f"{order}-cancelled"
                await holdfast.reservations.cancel(order, on_unknown="remember", idempotency_key=key)
            case "shipped":
                key = f"{order}-shipped"
                await holdfast.reservations.fulfil(order, tracking=event["tracking"], idempotency_key=key)
        say(f"{event['kind']} {order}")
    except Refused as refused:
        if isinstance(refused, AccessRefused):
            raise  # that is the key's fault, and no order's
        say(f"{event['kind']} {order} is refused, somebody has to look: {refused}")


async def stock_out(holdfast: AsyncClient, bazaar: httpx.AsyncClient, kept: Kept) -> None:
    """Show each change; a place is kept when the marketplace has it."""
    async with holdfast.changes.follow(kept.places.get("stock", "")) as changes:
        async for change in changes:
            sku, quantity = change.view.sku, max(0, change.view.available)
            shown = await bazaar.put(f"/listings/{quote(sku, safe='')}", json={"quantity": quantity})
            shown.raise_for_status()
            say(f"{sku} shows {quantity}")
            if change.position:
                kept.keep("stock", change.position)


async def forever(step: Callable[[], Awaitable[None]]) -> None:
    """Begin a step again from where it was, whenever one of the two is away."""
    while True:
        try:
            await step()
        except (HoldfastError, httpx.HTTPError) as error:
            say(f"again in {PAUSE_S:g} s: {error}")
            await asyncio.sleep(PAUSE_S)


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201  # it is the log


async def main() -> None:
    """Run both directions until the process is told to end."""
    parser = argparse.ArgumentParser(description="A connector between Holdfast and Bazaar.")
    parser.add_argument("--holdfast", default="http://127.0.0.1:8080")
    parser.add_argument("--bazaar", default="http://127.0.0.1:8090")
    parser.add_argument("--kept", type=Path, default=Path("connector.json"))
    options = parser.parse_args()
    kept = Kept(options.kept)
    async with (
        AsyncClient(options.holdfast, os.environ.get("HOLDFAST_KEY", "")) as holdfast,
        httpx.AsyncClient(base_url=options.bazaar) as bazaar,
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(forever(lambda: orders_in(holdfast, bazaar, kept)))
        tasks.create_task(forever(lambda: stock_out(holdfast, bazaar, kept)))


if __name__ == "__main__":
    asyncio.run(main())
