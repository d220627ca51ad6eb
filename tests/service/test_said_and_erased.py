"""What people have said to channels, and what is erased of it: also what waits, and what a restored store has again."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from adapters.contract.orders import Ship
from server.domain.channels import ChannelRules, ChannelSettings
from server.domain.intake import News, OrderIntake, OutboxEntry
from server.schemas.intake import CommandBody, PiecesBody
from server.service.caller import Caller
from server.service.order_documents import erase
from server.service.order_upkeep import OrderUpkeep
from server.service.outbox import say
from server.store.documents.documents import Documents
from server.store.documents.sqlite import SqliteDatabase
from server.store.repositories.intake import IntakeStore
from server.store.repositories.order_privacy import OrderPrivacy

CHANNEL = "market"
DAY_S = 86_400.0


async def customer_key(_: str) -> bytes:
    return b"key"


@pytest.fixture
async def documents(tmp_path: Path) -> AsyncIterator[Documents]:
    made = Documents(SqliteDatabase(tmp_path / "documents.sqlite3"), customer_key)
    yield made
    await made.close()


@pytest.fixture
def desk(caller: Caller, documents: Documents) -> Caller:
    settings = ChannelSettings(
        name=CHANNEL, kind="plain", rules=ChannelRules(), listings="all", orders=OrderIntake(enabled=True)
    )
    partition = replace(caller.partition, documents=documents, channels={CHANNEL: settings})
    return Caller(caller.principal, partition)


def store_of(caller: Caller) -> IntakeStore:
    return IntakeStore(caller.partition.client, caller.partition.keyspace, CHANNEL)


async def news(caller: Caller) -> list[News]:
    return [each for _, each in await store_of(caller).news(10)]


def ship(tracking: str, order: str = "1001") -> CommandBody:
    return CommandBody(command="ship", order=order, lines=[PiecesBody(line="l1", quantity=1)], tracking=tracking)


async def test_the_same_key_with_another_command_is_another_command(desk: Caller) -> None:
    caller = desk.with_key("k1")

    first, _ = await say(caller, CHANNEL, ship("T1"))
    again, _ = await say(caller, CHANNEL, ship("T1"))
    other, _ = await say(caller, CHANNEL, ship("T2"))
    of_another_key, _ = await say(desk.with_key("k2"), CHANNEL, ship("T1"))

    assert again == first
    assert len({first, other, of_another_key}) == 3


async def test_a_command_that_waits_to_be_taken_in_is_erased_behind_it(desk: Caller) -> None:
    await say(desk, CHANNEL, ship("T1"))

    await erase(desk, CHANNEL, "1001")

    assert [(each.what, each.keys) for each in await news(desk)] == [("say", []), ("erase", ["1001"])]


async def test_without_a_command_nothing_waits_for_a_publisher_that_may_never_come(desk: Caller) -> None:
    await erase(desk, CHANNEL, "1001")

    assert await news(desk) == []


async def test_a_restored_store_is_erased_anew(desk: Caller, documents: Documents) -> None:
    parts, name = desk.partition, desk.principal.partition
    for number in ("1001", "1002"):
        await erase(desk, CHANNEL, number)
    await parts.client.delete(parts.keyspace.erased_orders)
    command = msgspec.msgpack.encode(Ship(order="1001", lines=(("l1", 1),), tracking="T1"))
    entry = OutboxEntry("ship-1", "1001", "ship", command, "test", "done", 1, 1, 0)
    await parts.client.hset(store_of(desk).keys.outbox, "ship-1", msgspec.msgpack.encode(entry))

    upkeep = OrderUpkeep(documents, parts.client, lambda: [name], personal_s=DAY_S, orders_s=400 * DAY_S)
    assert await upkeep.once()
    assert await upkeep.once()

    assert [(each.what, each.keys) for each in await news(desk)] == [("erase", ["1001", "1002"])]
    noted = [each async for each in OrderPrivacy(parts.client, parts.keyspace).erased()]
    assert sorted(number for _, number, _ in noted) == ["1001", "1002"]
