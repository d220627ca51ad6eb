"""The history in each database: found by what rows are about, page by page; erased; what was available at a time."""

from collections.abc import Sequence
from typing import Any

import pytest

from server.domain.history import Detail, Gap, HistoryRow, Moment
from server.store.documents import followed, history, history_search
from server.store.documents.documents import Documents
from server.store.documents.followed import Move
from server.store.documents.history_search import Found

P = "default"


def row(ms: int, *place: int, **fields: Any) -> HistoryRow:
    return HistoryRow(Moment(ms, *(place or (0,))), **{"operation": "order", "actor": "k1", **fields})


async def add(documents: Documents, *rows: HistoryRow, partition: str = P) -> None:
    await documents.follow(lambda session: history.add(session, partition, rows))


async def find(documents: Documents, partition: str = P, **asked: Any) -> Found:
    limit = asked.pop("limit", 50)
    options = {name: asked.pop(name) for name in ("before", "from_ms", "without") if name in asked}
    wanted: dict[str, Sequence[str]] = {
        name: each if isinstance(each, list) else [each] for name, each in asked.items()
    }
    return await documents.look(lambda session: history_search.find(session, partition, wanted, limit=limit, **options))


def times(found: Found) -> list[int]:
    return [each.moment.ms for each in found.rows]


async def test_a_row_is_read_back_whole(documents: Documents) -> None:
    detail = Detail("held", [1, -2], 7, 1, 5, [("reason", "ö\0")])
    names: dict[str, Any] = {"channel": "shop", "reservation_id": "r1", "order_ref": "o1", "sku": "Ç A", "key": "k"}
    names["location"] = "main"
    await add(documents, row(5, 3, available=-4, detail=detail, **names), row(6))

    [newest, oldest] = (await find(documents)).rows

    assert newest == row(6)
    assert oldest.detail == detail
    assert oldest.moment == Moment(5, 3)
    assert {name: getattr(oldest, name) for name in names} == names
    assert (oldest.available, oldest.detail.moved) == (-4, {"on_hand": 1, "held": -2})


async def test_many_rows_are_added_at_once(documents: Documents) -> None:
    await add(documents, *(row(number, sku=f"S{number % 3}") for number in range(1, 224)))

    assert times(await find(documents, limit=500)) == list(range(223, 0, -1))
    assert len((await find(documents, sku="S1", limit=500)).rows) == 75


@pytest.mark.parametrize("column", ["sku", "location", "channel", "actor", "key"])
async def test_rows_are_found_by_each_name_and_by_several(documents: Documents, column: str) -> None:
    await add(
        documents,
        row(1, **{column: "a"}), row(2, **{column: "b"}), row(3, **{column: "a"}), row(4, **{column: "c"}),
    )  # fmt: skip
    await add(documents, row(9, **{column: "a"}), partition="other")

    assert times(await find(documents, **{column: "a"})) == [3, 1]
    several: dict[str, Any] = {column: ["a", "b"]}
    assert times(await find(documents, **several)) == [3, 2, 1]
    assert times(await find(documents, **{column: "nobody"})) == []
    assert times(await find(documents, "other", **{column: "a"})) == [9]


async def test_an_order_is_found_with_all_that_happened_to_its_reservations(documents: Documents) -> None:
    await add(
        documents,
        row(1, reservation_id="r1", order_ref="1001"), row(2, reservation_id="r2"), row(3, reservation_id="r1"),
        row(4, reservation_id="1001"), row(5, reservation_id="r3", order_ref="1001"),
    )  # fmt: skip

    names = await documents.look(lambda session: history.reservations_of(session, P, "1001"))

    assert sorted(names) == ["1001", "r1", "r3"]
    assert times(await find(documents, reservation=names)) == [5, 4, 3, 1]


async def test_of_a_number_that_very_many_have_the_newest_reservations_are_found(
    documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "RESERVATIONS_MAX", 2)
    monkeypatch.setattr(history, "NUMBERED_ROWS_MAX", 6)
    sold = [row(n, n % 2, reservation_id=f"r{9 - n // 2}", order_ref="till 1") for n in range(10)]
    await add(documents, row(0, reservation_id="r1", order_ref="1002"), *sold, row(20, order_ref="till 1"))

    names = await documents.look(lambda session: history.reservations_of(session, P, "till 1"))

    assert names == ["till 1", "r5", "r6"]


@pytest.mark.parametrize("asked", [{}, {"sku": "a"}, {"sku": ["a", "b"]}, {"sku": "a", "actor": "k1"}])
@pytest.mark.parametrize("in_one_ms", [3, 1_000])
async def test_pages_follow_each_other_without_a_row_twice_or_missing(
    documents: Documents, asked: dict[str, Any], in_one_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_search, "LOOKED_AT_MAX", 7)
    rows = [
        row(10 + number // in_one_ms, number % in_one_ms, sku="ab"[number % 2], actor="k1" if number % 5 else "k2")
        for number in range(60)
    ]
    await add(documents, *rows)
    expected = [
        each.moment for each in reversed(rows) if all(getattr(each, name) in value for name, value in asked.items())
    ]

    found, before = list[Moment](), None
    for _ in range(100):
        page = await find(documents, limit=4, before=before, **asked)
        found += [each.moment for each in page.rows]
        before = page.following
        if before is None:
            break

    assert found == expected


async def test_times_bound_what_is_found(documents: Documents) -> None:
    await add(documents, *(row(number, sku="a") for number in range(1, 9)))

    questions: list[dict[str, Any]] = [{}, {"sku": "a"}, {"sku": "a", "actor": "k1"}]
    for asked in questions:
        assert times(await find(documents, from_ms=3, before=Moment(6, 0), **asked)) == [5, 4, 3]
        assert times(await find(documents, from_ms=9, **asked)) == []


async def test_operations_can_be_left_out(documents: Documents) -> None:
    await add(documents, row(1), row(2, operation="api_key"), row(3), row(4, operation="x"))

    assert times(await find(documents, without=("api_key", "x"))) == [3, 1]


async def test_what_was_available_at_a_time(documents: Documents) -> None:
    await add(
        documents,
        row(1, sku="A", location="main", available=5), row(2, sku="A", location="shop", available=1),
        row(3, sku="A", location="main", available=3), row(3, 1, sku="A", location="main", available=2),
        row(4, sku="A", location="main", operation="replenishment_rules"),
        row(6, sku="A", location="main", available=9), row(7, sku="B", location="x", available=9),
    )  # fmt: skip

    assert await documents.look(lambda session: history_search.locations_of(session, P, "A", 9)) == ["main", "shop"]
    last, following = await documents.look(lambda session: history_search.stock_at(session, P, "A", "main", 5))
    assert last is not None
    assert following is not None
    assert (last.available, following.available) == (2, 9)
    assert await documents.look(lambda session: history_search.stock_at(session, P, "A", "shop", 1)) == (
        None,
        row(2, sku="A", location="shop", available=1),
    )


async def test_gaps_are_found_by_time(documents: Documents) -> None:
    for gap in (Gap(0, 5, "before"), Gap(10, 20, "trimmed"), Gap(30, 30, "damaged")):
        await documents.follow(lambda session, gap=gap: history.add_gap(session, P, gap))  # type: ignore[misc]

    async def gaps(from_ms: int, to_ms: int) -> list[str]:
        found = await documents.look(lambda session: history_search.gaps(session, P, from_ms, to_ms))
        return [each.reason for each in found]

    assert await gaps(0, 100) == ["damaged", "trimmed", "before"]
    assert await gaps(6, 9) == []
    assert await gaps(15, 16) == ["trimmed"]


async def test_a_position_moves_only_from_where_it_stands(documents: Documents) -> None:
    async def move(before: str | None, after: str) -> bool:
        return await documents.follow(lambda session: followed.move(session, P, Move("history", before, after)))

    assert not await move("1-0", "2-0")
    assert await move(None, "1-0")
    assert not await move(None, "2-0")
    assert await move("1-0", "2-0")
    assert not await move("1-0", "3-0")
    assert await documents.look(lambda session: followed.positions(session, P)) == {"history": "2-0"}


async def test_an_erased_order_keeps_who_did_what_and_loses_why(documents: Documents) -> None:
    why = Detail(notes=[("reason", "Mrs Smith asked"), ("supply", "s")])
    at: dict[str, Any] = {"channel": "shop", "detail": why}
    await add(
        documents,
        row(1, reservation_id="r1", order_ref="1001", channel="shop"), row(2, reservation_id="r1", **at),
        row(3, reservation_id="r9", order_ref="1001", channel="other", detail=why), row(4, detail=why),
    )  # fmt: skip

    await documents.erase(P, "shop", "1001", "admin")
    await add(documents, row(5, reservation_id="r1", **at))
    await add(documents, row(6, reservation_id="r1", order_ref="1001", **at), row(7, reservation_id="r2", **at))

    found = {each.moment.ms: dict(each.detail.notes) for each in (await find(documents)).rows}
    kept, gone = dict(why.notes), {"supply": "s"}
    assert found == {1: {}, 2: gone, 3: kept, 4: kept, 5: gone, 6: gone, 7: kept}


async def test_an_erased_order_of_very_many_reservations_loses_why_in_each(documents: Documents) -> None:
    at: dict[str, Any] = {"channel": "till", "detail": Detail(notes=[("reason", "Mrs Smith asked")])}
    names = [f"r{number}" for number in range(2 * history.NUMBERED_ROWS_MAX + 1)]
    await add(documents, *(row(n, reservation_id=each, order_ref="till 1", **at) for n, each in enumerate(names)))

    await documents.erase(P, "till", "till 1", "admin")

    found = await find(documents, limit=len(names))
    assert [each.detail.notes for each in found.rows] == [[]] * len(names)
