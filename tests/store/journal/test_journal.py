"""The journal on real stores: decoded, read in order, and honest about what was trimmed."""

import pytest
from redis.asyncio import Redis

from server.domain.changes import ChangeLine
from server.store.connection.commands import command
from server.store.journal.journal import START, Bounds, DamagedEntryError, bounds, format_entry_id, parse_entry_id, read
from server.store.ledger.ledger import Ledger
from tests.conftest import StoreClient
from tests.support.operations import changed, commit, extend, moved, receive, reserve, stocked
from tests.support.stores import StoreProcess


async def _ids(client: Redis, ledger: Ledger, after: str = START, until: str | None = None) -> list[str]:
    return [entry_id async for entry_id, _ in read(client, ledger.keyspace, after, until, count=2)]


async def test_given_operations_when_read_then_each_says_who_what_and_by_how_much(
    ledger: Ledger, client: Redis
) -> None:
    await moved(ledger, receive("şapka", 5, "Kadıköy", reason="delivery 7"))
    await changed(ledger, reserve("r1", ("şapka", 2, "Kadıköy"), order_ref="o-9"))
    await changed(ledger, extend("r1", 7_200_000))

    changes = [change async for _, entry in read(client, ledger.keyspace) for change in entry]

    received, reserved, extended = changes
    assert (received.operation, received.actor, received.notes) == (
        "receive",
        "tester",
        [("reason", "delivery 7"), ("new_sku", "şapka")],
    )
    assert received.lines == [ChangeLine(0, "şapka", "Kadıköy", 5, 0, 0, 0, 0, 0, 5, 1)]
    assert (reserved.reservation_id, reserved.channel, reserved.state) == ("r1", "shop", "held")
    assert reserved.lines == [ChangeLine(1, "şapka", "Kadıköy", 0, 2, 0, 0, 0, 0, 3, 2)]
    assert (reserved.lines[0].deltas, reserved.lines[0].d_available) == ((0, 2, 0, 0, 0, 0), -2)
    assert extended.lines == []
    assert extended.notes[0][0] == "deadline_ms"


async def test_given_many_entries_when_read_between_two_then_the_first_is_left_out_and_the_last_is_in(
    ledger: Ledger, client: Redis
) -> None:
    for units in range(1, 8):
        await stocked(ledger, cap=units)
    ids = await _ids(client, ledger)
    assert len(ids) == 7
    assert await _ids(client, ledger, after=ids[1], until=ids[4]) == ids[2:5]
    assert await _ids(client, ledger, after=ids[-1]) == []


async def test_given_the_greatest_id_when_read_then_nothing_comes_and_the_store_is_not_asked(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, cap=1)
    assert await _ids(client, ledger, after=f"{2**64 - 1}-{2**64 - 1}") == []


async def test_given_an_entry_of_somebody_else_when_read_then_it_is_named(ledger: Ledger, client: Redis) -> None:
    entry_id = (await command(client, "XADD", ledger.keyspace.journal, "*", "x", "y")).decode()
    with pytest.raises(DamagedEntryError, match=entry_id):
        await _ids(client, ledger)


@pytest.mark.parametrize("text", ["", "-", "1", "1-", "-1", "1-2-3", "a-b", "１-１", " 1-1", f"{2**64}-0", "$", "+"])
def test_given_what_is_no_entry_id_when_parsed_then_it_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a journal id"):
        parse_entry_id(text)


def test_given_entry_ids_when_parsed_then_they_compare_in_the_order_of_the_stream() -> None:
    assert parse_entry_id("9-10") < parse_entry_id("10-2") < parse_entry_id("10-11")
    assert format_entry_id(parse_entry_id("10-11")) == "10-11"


async def test_given_no_journal_when_asked_for_its_bounds_then_nothing_is_lost(ledger: Ledger, client: Redis) -> None:
    assert await bounds(client, ledger.keyspace) == Bounds()
    assert not Bounds().is_lost(START)
    assert (Bounds().is_lost("5-0"), Bounds().is_beyond("5-0")) == (True, True)  # the journal was there once


async def test_given_a_trimmed_journal_when_asked_then_only_cursors_before_what_is_kept_are_lost(
    ledger: Ledger, client: Redis
) -> None:
    # Given
    for units in range(1, 7):
        await stocked(ledger, cap=units)
    ids = await _ids(client, ledger)
    whole = await bounds(client, ledger.keyspace)
    await command(client, "XTRIM", ledger.keyspace.journal, "MINID", "=", ids[3])

    # When
    rest = await bounds(client, ledger.keyspace)

    # Then
    assert (whole.removed, whole.is_lost(START)) == (0, False)
    assert (rest.first_id, rest.last_id, rest.removed) == (ids[3], ids[5], 3)
    assert [rest.is_lost(cursor) for cursor in (START, ids[1], ids[3], ids[5])] == [True, True, False, False]


async def test_given_a_journal_trimmed_to_nothing_when_asked_then_only_its_end_is_not_lost(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, cap=1)
    await stocked(ledger, cap=1)
    ids = await _ids(client, ledger)
    await command(client, "XTRIM", ledger.keyspace.journal, "MAXLEN", 0)
    rest = await bounds(client, ledger.keyspace)
    assert [rest.is_lost(cursor) for cursor in ids] == [True, False]


async def test_given_a_deleted_entry_when_asked_then_cursors_before_it_are_lost(ledger: Ledger, client: Redis) -> None:
    for units in range(1, 4):
        await stocked(ledger, cap=units)
    ids = await _ids(client, ledger)
    await command(client, "XDEL", ledger.keyspace.journal, ids[1])
    rest = await bounds(client, ledger.keyspace)
    assert [rest.is_lost(cursor) for cursor in ids] == [True, False, False]


async def test_given_a_reader_and_a_commit_when_read_by_another_client_then_it_sees_the_same(
    store: StoreProcess, ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, cap=5)
    await changed(ledger, reserve("r1", ("cap", 2)))
    await changed(ledger, commit("r1", (1, 1)))
    async with StoreClient(store) as other:
        mine = [entry async for entry in read(client, ledger.keyspace)]
        theirs = [entry async for entry in read(other, ledger.keyspace)]
    assert mine == theirs
    assert mine[-1][1][0].lines == [ChangeLine(1, "cap", "main", 0, -2, 1, 0, 0, 0, 4, 3)]
