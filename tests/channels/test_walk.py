"""A walk finds every row, also where rows move while they are read, share a time, or come into view late."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract.errors import CursorRefusedError
from adapters.contract.walk import OVERLAP_MS, Row, Walk

PAGE: Final = 3
NOW_S: Final = 2_000.0


class Table:
    """Rows with the time of their last change, as a channel lists them: oldest first."""

    def __init__(self, changed_ms: list[int]) -> None:
        self.changed_ms = dict(enumerate(changed_ms))

    def page(self, walk: Walk) -> list[tuple[int, int]]:
        found = sorted((at_ms, row) for row, at_ms in self.changed_ms.items() if at_ms >= walk.since_ms)
        return found[walk.skip : walk.skip + PAGE]

    def touch(self, row: int, at_ms: int) -> None:
        self.changed_ms[row] = at_ms


@given(
    changed_ms=st.lists(st.integers(1, 40), max_size=20),
    touched=st.lists(st.tuples(st.integers(0, 19), st.integers(0, 3)), max_size=8),
)
def test_all_that_was_there_when_a_walk_began_is_read(changed_ms: list[int], touched: list[tuple[int, int]]) -> None:
    table, walk, seen = Table(changed_ms), Walk.first(0), set[int]()
    now_ms = 41

    for pages in range(1, 200):
        page = table.page(walk)
        seen |= {row for _, row in page}
        rows = [Row(str(row), at_ms) for at_ms, row in page]
        walk, more = walk.after(rows, is_full=len(page) == PAGE, now_s=NOW_S)
        walk = Walk.at(walk.cursor)
        for row, after_pages in touched:
            if row in table.changed_ms and after_pages == pages:
                now_ms += 1
                table.touch(row, now_ms)
        if not more:
            break
    else:
        pytest.fail("the walk does not end")

    assert seen == set(range(len(changed_ms)))


def next_walk(walk: Walk, *changed_ms: int) -> Walk:
    rows = [Row(str(at_ms), at_ms) for at_ms in changed_ms]
    step = walk.after(rows, is_full=False, now_s=NOW_S)
    assert not step.more
    return step.walk


def test_the_next_walk_begins_somewhat_before_the_newest_change_and_never_before_the_first() -> None:
    first = Walk.first(1_000_000)

    assert next_walk(first, 1_500_000).since_ms == 1_500_000 - OVERLAP_MS
    assert next_walk(first, 1_000_010).since_ms == 1_000_000


def test_where_nothing_changes_the_next_walk_begins_where_this_one_did() -> None:
    assert next_walk(Walk.first(5_000)) == Walk.first(5_000)


def test_no_walk_begins_in_times_to_come() -> None:
    assert next_walk(Walk.first(0), 9_000_000).since_ms == 2_000_000 - OVERLAP_MS


def test_a_page_of_which_nothing_can_be_read_is_passed() -> None:
    walk, more = Walk.first(5_000).after([Row(str(key), None) for key in range(PAGE)], is_full=True, now_s=NOW_S)

    assert (walk.since_ms, walk.skip, more) == (5_000, PAGE - 1, True)


@pytest.mark.parametrize("cursor", ["", "1", "1:2", "a:b:c", "1:2:x:4", "2026-11-29"])
def test_a_cursor_of_another_form_is_refused(cursor: str) -> None:
    with pytest.raises(CursorRefusedError):
        Walk.at(cursor)
