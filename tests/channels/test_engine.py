"""The engine as a whole: a real store, a publisher, channels on real sockets, sales through the ledger."""

from contextlib import AsyncExitStack

from server.store.ledger import Ledger
from tests.channels.engine import plan, publishing
from tests.channels.plain import PlainChannel
from tests.conftest import wait_until
from tests.operations import order, receive
from tests.stores import StoreProcess


async def test_one_of_three_units_sold_makes_all_five_channels_show_two(
    store: StoreProcess, ledger: Ledger, partition: str
) -> None:
    async with AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(PlainChannel()) for _ in range(5)]
        plans = [plan(f"shop-{number}", channel) for number, channel in enumerate(channels)]
        await ledger.move_stock(receive("TSHIRT", 3))
        engine = await stack.enter_async_context(publishing(store, partition, plans))
        await wait_until(lambda: all(channel.shown.get("TSHIRT") == 3 for channel in channels), "all show three")

        await ledger.order(order("o1", ("TSHIRT", 1)))

        await wait_until(lambda: all(channel.shown.get("TSHIRT") == 2 for channel in channels), "all show two")
        await wait_until(engine.is_idle, "all have confirmed")
