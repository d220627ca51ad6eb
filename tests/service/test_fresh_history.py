"""What an answer reads of the journal beside the database: the newest rows, decoded once, and no more than is kept."""

import asyncio
from typing import Any, NamedTuple

import pytest

from server.domain.history import Gap, HistoryRow, Moment
from server.service.caller import Caller
from server.service.fresh_history import read_fresh
from server.store.copies import journal_tail
from server.store.errors import StoreUnavailableError
from server.store.journal import journal
from server.store.journal.entries import parse_entry_id
from tests.support import operations as ops


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note the entries that are decoded; pages have two."""
    noted, decode = list[str](), journal_tail._decoded

    def note(entry_id: str, fields: dict[bytes, bytes]) -> Any:
        noted.append(entry_id)
        return decode(entry_id, fields)

    monkeypatch.setattr(journal_tail, "_decoded", note)
    monkeypatch.setattr(journal_tail, "PAGE_ENTRIES", 2)
    return noted


class Gate(NamedTuple):
    """Where a reading of the journal waits."""

    came: asyncio.Event
    opened: asyncio.Event


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Let the next readings wait between where the journal ends and what stands in it."""
    made, read_back = Gate(asyncio.Event(), asyncio.Event()), journal_tail.read_back

    async def wait(*args: Any) -> journal_tail.Read:
        made.came.set()
        await made.opened.wait()
        return await read_back(*args)

    monkeypatch.setattr(journal_tail, "read_back", wait)
    return made


async def receive(caller: Caller, *quantities: int) -> None:
    for each in quantities:
        await ops.moved(caller.ledger, ops.receive("A", each))


async def ids_of(caller: Caller) -> list[str]:
    return [each async for each, _ in journal.read(caller.partition.client, caller.partition.keyspace)]


def received(rows: list[HistoryRow]) -> list[list[int]]:
    return [row.detail.deltas for row in rows]


async def test_given_more_rows_than_an_answer_keeps_when_read_then_the_newest_come_and_the_rest_is_a_gap(
    caller: Caller, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await receive(caller, *range(1, 8))
    monkeypatch.setattr(journal_tail, "ROWS_MAX", 4)

    found = await read_fresh(caller, None, None, 0)

    assert received(found.rows) == [[7], [6], [5], [4]]
    ids = await ids_of(caller)
    assert found.gaps == [Gap(0, parse_entry_id(ids[3])[0], "unread")]
    await receive(caller, 8, 9)
    again = await read_fresh(caller, None, None, 0)
    assert received(again.rows) == [[9], [8], [7], [6]]
    assert again.gaps == [Gap(0, parse_entry_id(ids[5])[0], "unread")]
    assert len(decoded) == 7, "four, then two that came and the newest of before"
    older = await read_fresh(caller, None, Moment(parse_entry_id(ids[3])[0], 2**40), 0)
    assert [4] in received(older.rows), "what is older than what is kept is read from the journal"


async def test_given_no_more_rows_than_it_keeps_when_read_then_nothing_is_missing(
    caller: Caller, decoded: list[str]
) -> None:
    await receive(caller, 1, 2, 3)

    found = await read_fresh(caller, None, None, 0)

    assert received(found.rows) == [[3], [2], [1]]
    assert found.gaps == []
    assert len(decoded) == 3


async def test_given_many_questions_then_only_what_came_is_decoded(caller: Caller, decoded: list[str]) -> None:
    for number in range(1, 9):
        await receive(caller, number)
        for _ in range(3):
            found = await read_fresh(caller, None, None, 0)
            assert received(found.rows) == [[each] for each in range(number, 0, -1)]
    ids = await ids_of(caller)
    assert set(decoded) == set(ids)
    assert len(decoded) == 8 + 7, "what came, and the newest of before, which shows that nothing was lost"

    assert received((await read_fresh(caller, ids[5], None, 0)).rows) == [[8], [7]]
    assert len(caller.partition.tail.entries) == 2, "the database has the others now"
    upto = Moment(parse_entry_id(ids[6])[0], 0)
    assert [7] in received((await read_fresh(caller, ids[5], upto, 0)).rows)
    assert len(decoded) == 8 + 7


async def test_given_a_store_that_came_back_without_its_newest_entries_then_they_are_not_told(
    caller: Caller, decoded: list[str]
) -> None:
    client, key = caller.partition.client, caller.partition.keyspace.journal
    await receive(caller, 1, 2)
    dump: Any = await client.dump(key)
    await receive(caller, 3)
    assert received((await read_fresh(caller, None, None, 0)).rows) == [[3], [2], [1]]
    await client.restore(key, 0, dump, replace=True)
    await receive(caller, 4, 5)

    found = await read_fresh(caller, None, None, 0)

    assert received(found.rows) == [[5], [4], [2], [1]]
    assert decoded


async def test_given_a_database_that_is_another_one_then_what_it_lacks_is_read_again(
    caller: Caller, decoded: list[str]
) -> None:
    await receive(caller, 1, 2, 3)
    ids = await ids_of(caller)
    assert received((await read_fresh(caller, ids[1], None, 0)).rows) == [[3]]

    assert received((await read_fresh(caller, None, None, 0)).rows) == [[3], [2], [1]]
    assert len(decoded) == 4


async def test_given_nobody_who_asks_then_nothing_is_kept(
    caller: Caller, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_tail, "KEPT_S", 0.0)
    await receive(caller, 1)
    await read_fresh(caller, None, None, 0)

    tail = caller.partition.tail
    tail._forget_unused()

    assert not tail.entries
    assert received((await read_fresh(caller, None, None, 0)).rows) == [[1]]
    assert len(decoded) == 2


async def test_given_a_question_under_way_when_the_others_are_long_ago_then_what_is_kept_stays(
    caller: Caller, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate.opened.set()
    await receive(caller, 1, 2)
    await read_fresh(caller, None, None, 0)
    monkeypatch.setattr(journal_tail, "KEPT_S", 0.0)
    gate.came.clear()
    gate.opened.clear()
    await receive(caller, 3)

    asked = asyncio.create_task(read_fresh(caller, None, None, 0))
    await gate.came.wait()
    caller.partition.tail._forget_unused()
    gate.opened.set()

    assert received((await asked).rows) == [[3], [2], [1]]


async def test_given_a_question_that_is_cancelled_then_the_next_one_has_all(caller: Caller, gate: Gate) -> None:
    gate.opened.set()
    await receive(caller, 1)
    await read_fresh(caller, None, None, 0)
    gate.came.clear()
    gate.opened.clear()
    await receive(caller, 2)
    asked = asyncio.create_task(read_fresh(caller, None, None, 0))
    await gate.came.wait()
    waiting = asyncio.create_task(read_fresh(caller, None, None, 0))
    await asyncio.sleep(0)

    asked.cancel()
    gate.opened.set()

    assert received((await waiting).rows) == [[2], [1]]
    with pytest.raises(asyncio.CancelledError):
        await asked


async def test_given_many_who_ask_at_once_then_they_share_a_reading_and_none_misses_what_was_there(
    caller: Caller, gate: Gate, decoded: list[str]
) -> None:
    await receive(caller, 1)
    first = asyncio.create_task(read_fresh(caller, None, None, 0))
    await gate.came.wait()
    await receive(caller, 2)  # behind the end that the first one has found
    others = [asyncio.create_task(read_fresh(caller, None, None, 0)) for _ in range(5)]
    await asyncio.sleep(0)

    gate.opened.set()

    assert received((await first).rows) == [[1]]
    assert [received(each.rows) for each in await asyncio.gather(*others)] == [[[2], [1]]] * 5
    assert len(decoded) == 3


async def test_given_questions_of_before_and_after_a_step_of_the_database_then_each_has_what_it_lacks(
    caller: Caller,
) -> None:
    await receive(caller, *range(1, 7))
    ids = await ids_of(caller)

    later, earlier, none = await asyncio.gather(
        read_fresh(caller, ids[3], None, 0), read_fresh(caller, ids[1], None, 0), read_fresh(caller, ids[5], None, 0)
    )

    assert received(later.rows) == [[6], [5]]
    assert received(earlier.rows) == [[6], [5], [4], [3]]
    assert received(none.rows) == []


async def test_given_a_store_that_does_not_answer_then_those_who_wait_are_told_together(
    caller: Caller, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def fail(*_: Any) -> Any:
        nonlocal asked
        asked += 1
        gate.came.set()
        await gate.opened.wait()
        raise StoreUnavailableError("The store does not answer; try again.")

    monkeypatch.setattr(journal, "bounds", fail)
    first = asyncio.create_task(read_fresh(caller, None, None, 0))
    await gate.came.wait()
    others = [asyncio.create_task(read_fresh(caller, None, None, 0)) for _ in range(5)]
    await asyncio.sleep(0)
    gate.opened.set()

    told = await asyncio.gather(first, *others, return_exceptions=True)

    assert all(isinstance(each, StoreUnavailableError) for each in told)
    assert asked == 2, "the first one, and one for all who waited"
    monkeypatch.undo()
    await receive(caller, 1)
    assert received((await read_fresh(caller, None, None, 0)).rows) == [[1]]


async def test_given_a_new_leader_whose_clock_is_behind_then_what_was_lost_is_not_told(caller: Caller) -> None:
    client, key = caller.partition.client, caller.partition.keyspace.journal
    await receive(caller, 1)
    before: Any = await client.dump(key)
    await receive(caller, 2, 3)
    lost: Any = await client.xrange(key)
    assert received((await read_fresh(caller, None, None, 0)).rows) == [[3], [2], [1]]

    await client.restore(key, 0, before, replace=True)  # as many come, and the newest has the id of one that was lost
    ids = await ids_of(caller)
    between = parse_entry_id(ids[0])
    await client.xadd(key, lost[1][1], id=f"{between[0]}-{between[1] + 1}")
    await client.xadd(key, lost[1][1], id=lost[2][0])
    await receive(caller, 4)

    assert received((await read_fresh(caller, None, None, 0)).rows) == [[4], [2], [2], [1]]


async def test_given_a_journal_that_was_trimmed_then_what_it_lacks_is_a_gap(caller: Caller) -> None:
    client, key = caller.partition.client, caller.partition.keyspace.journal
    await receive(caller, *range(1, 5))
    ids = await ids_of(caller)
    assert received((await read_fresh(caller, ids[0], None, 0)).rows) == [[4], [3], [2]]

    await client.xtrim(key, minid=ids[3], approximate=False)
    found = await read_fresh(caller, ids[0], None, 0)

    assert Gap(parse_entry_id(ids[0])[0], parse_entry_id(ids[3])[0], "trimmed") in found.gaps
    assert [4] in received(found.rows)
    await client.xtrim(key, maxlen=0, approximate=False)
    await receive(caller, 5)
    found = await read_fresh(caller, ids[0], None, 0)
    assert received(found.rows) == [[5]]
    assert [each.reason for each in found.gaps] == ["trimmed"]


async def test_given_far_more_than_is_kept_comes_between_two_questions_then_no_more_is_kept(
    caller: Caller, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_tail, "ENTRIES_MAX", 4)
    await receive(caller, 1)
    await read_fresh(caller, None, None, 0)
    await receive(caller, *range(2, 20))

    found = await read_fresh(caller, None, None, 0)

    assert received(found.rows) == [[19], [18], [17], [16]]
    assert [each.reason for each in found.gaps] == ["unread"]
    assert len(caller.partition.tail.entries) == 4
    assert len(decoded) < 12
