"""More sold than there is: who has the units, and who gets those that come back."""

import asyncio

from msgspec.structs import replace

from server.domain.channels import ChannelSettings
from server.domain.intake import OrderIntake
from server.schemas.shortages import ShortageQuery
from server.service.caller import Caller
from server.service.shortages import shortages
from tests.support.channel_orders import buckets, hear, line, told
from tests.support.operations import available, stocked

SERVES_NEWEST = ChannelSettings(name="market", kind="webhook", orders=OrderIntake(short="newest"))
CHANNELS = ("amber", "birch", "cedar", "delta", "ember")


async def short_orders(caller: Caller) -> list[tuple[str, str, int]]:
    page = (await shortages(caller, ShortageQuery())).page
    return [(each.channel, each.order_ref, each.lacks) for shortage in page.shortages for each in shortage.lines]


async def test_given_three_units_when_five_channels_sell_one_each_then_two_orders_are_named_as_short(
    caller: Caller,
) -> None:
    await stocked(caller.ledger, A=3)

    booked = await asyncio.gather(
        *(hear(caller, told("77", 1, line("l1", 1)), channel=channel) for channel in CHANNELS)
    )

    assert [each.state for each in booked] == ["booked"] * 5
    assert [sum(part.pieces for part in each.short) for each in booked].count(1) == 2
    assert (await buckets(caller), await available(caller.ledger, "A")) == ((3, 0, 5), -2)
    named = await short_orders(caller)
    assert sorted(lacks for _, _, lacks in named) == [1, 1]
    assert {number for _, number, _ in named} == {"77"}


async def test_given_short_orders_when_one_is_cancelled_then_its_unit_goes_to_the_oldest_of_them(
    caller: Caller,
) -> None:
    await stocked(caller.ledger, A=3)
    for channel in CHANNELS:
        await hear(caller, told("77", 1, line("l1", 1)), channel=channel)
        await asyncio.sleep(0.002)  # so that the store's clock tells which is older
    assert await short_orders(caller) == [("ember", "77", 1), ("delta", "77", 1)]

    await hear(caller, told("77", 2, line("l1", 1), state="cancelled"), channel="amber")

    assert await short_orders(caller) == [("ember", "77", 1)]


async def test_given_a_channel_that_serves_its_newest_order_then_the_oldest_of_its_own_is_short(
    caller: Caller,
) -> None:
    await stocked(caller.ledger, A=2)
    for number in ("1", "2", "3"):
        await hear(caller, told(number, 1, line("l1", 1)))
        await asyncio.sleep(0.002)
    turned = Caller(caller.principal, replace(caller.partition, channels={"market": SERVES_NEWEST}))

    assert await short_orders(caller) == [("market", "3", 1)]
    assert await short_orders(turned) == [("market", "1", 1)]
