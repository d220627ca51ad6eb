"""Rows of the history, made of the journal's changes: one for each thing that was changed."""

from typing import Any

from server.domain.allocations import Allocation
from server.domain.changes import Change, ChangeLine
from server.domain.history import Detail, HistoryRow, Moment, rows_of, without_personal


def line(sku: str, location: str = "main", **fields: int) -> ChangeLine:
    given: dict[str, Any] = {
        "line": 0,
        "d_on_hand": 0,
        "d_held": 0,
        "d_committed": 0,
        "d_damaged": 0,
        "d_quality_control": 0,
        "d_safety": 0,
        "available": 0,
        "seq": 1,
        **fields,
    }
    return ChangeLine(sku=sku, location=location, **given)


def change(operation: str, *lines: ChangeLine, notes: list[tuple[str, str]] | None = None, **fields: str) -> Change:
    names = {"actor": "k1", "channel": "", "reservation_id": "", "state": "", **fields}
    return Change(operation=operation, at_ms=1, lines=list(lines), notes=notes or [], **names)


def test_each_line_is_a_row_with_what_was_before_and_after() -> None:
    told = change(
        "order",
        line("A", d_committed=2, available=3, seq=7, line=1), line("B", "shop", d_waiting=1, available=-1, seq=8),
        notes=[("order_ref", "1001"), ("customer_ref", "c"), ("tracking", "T")],
        channel="web", reservation_id="r1", state="committed",
    )  # fmt: skip

    first, second = rows_of((5, 2), [told])

    assert first == HistoryRow(
        Moment(5, 2_000_000), "order", "k1", "web", "r1", "1001", "A", "main", "", 3,
        Detail("committed", [0, 0, 2], 7, 1, 5, [("order_ref", "1001")]),
    )  # fmt: skip
    assert (second.moment, second.sku, second.available) == (Moment(5, 2_000_001), "B", -1)
    assert second.detail.moved == {"backordered": 1}
    assert first.detail.moved == {"committed": 2}


def test_with_allocations_what_is_left_is_told_and_not_what_was() -> None:
    allocated = ChangeLine(1, "A", "main", 0, 1, 0, 0, 0, 0, 9, 3, allocations=[Allocation("web", "own", 4, 1)])

    [row] = rows_of((5, 0), [change("reserve", allocated, channel="shop")])

    assert (row.available, row.detail.before) == (6, None)


def test_a_change_of_many_settings_is_a_row_for_each() -> None:
    rules = change(
        "replenishment_rules",
        notes=[("sku", "A"), ("location", ""), ("was", ""), ("now", "{}"), ("sku", "B"), ("location", "shop")],
    )
    listings = change(
        "channel_listings",
        notes=[("sku", "A"), ("left_key", "K"), ("was", "x"), ("now", "y"), ("key", "PACK"), ("now", "z")],
        channel="web",
    )
    places = change("locations", notes=[("location", "a"), ("closed", "a"), ("location", "b"), ("places", "3")])

    assert [(each.sku, each.location, each.detail.notes[2:]) for each in rows_of((1, 0), [rules])] == [
        ("A", "", [("was", ""), ("now", "{}")]), ("B", "shop", []),
    ]  # fmt: skip
    assert [(each.sku, each.key, each.channel) for each in rows_of((1, 0), [listings])] == [
        ("A", "K", "web"), ("", "PACK", "web"),
    ]  # fmt: skip
    assert [each.location for each in rows_of((1, 0), [places])] == ["a", "b"]


def test_entries_of_earlier_releases_and_commands_without_notes_are_rows_too() -> None:
    categories = change("sku_categories", notes=[("sku", "A"), ("sku", "B")])

    assert [each.sku for each in rows_of((1, 0), [categories])] == ["A", "B"]
    assert [each.channel for each in rows_of((1, 0), [change("channel_reconcile", channel="web")])] == ["web"]


def test_what_follows_from_changes_is_no_row() -> None:
    assert rows_of((1, 0), [change("shortage", notes=[("sku", "A")]), change("stock.low", notes=[("sku", "A")])]) == []


def test_what_may_be_personal_is_the_reason() -> None:
    detail = Detail("cancelled", notes=[("reason", "Mrs Smith asked"), ("order_ref", "1")])

    assert without_personal(detail) == Detail("cancelled", notes=[("order_ref", "1")])
