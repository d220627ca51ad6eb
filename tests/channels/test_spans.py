"""Walks over lists that are cut by time: whatever changes meanwhile, and however many rows an answer holds."""

import random

import pytest

from adapters.contract.errors import CursorRefusedError
from adapters.contract.spans import DAY_MS, LATE_MS, PAGES_MAX, Spans

START_MS = 1_790_000_000_000
HOUR_MS = 3_600_000
SPANS = Spans(lists=3, span_ms=14 * DAY_MS, reach_ms=3 * HOUR_MS, history_ms=60 * DAY_MS)
ROWS_MAX = 10


class Shop:
    """Rows that go from list to list and change meanwhile; ``shift_ms``: the zone in which a filter is read."""

    def __init__(self, chance: random.Random, shift_ms: int) -> None:
        self.chance = chance
        self.shift_ms = shift_ms
        self.now_ms = START_MS
        self.rows: dict[int, tuple[int, int]] = {}
        """By their number: the list and the time of the last change."""

    def live(self) -> None:
        for _ in range(self.chance.randint(0, 6)):
            self.now_ms += self.chance.choice([0, 1, 40, 30_000])
            if not self.rows or self.chance.random() < 0.5:
                self.rows[len(self.rows)] = (0, self.now_ms)
            else:
                number = self.chance.choice(list(self.rows))
                self.rows[number] = (min(2, self.rows[number][0] + 1), self.now_ms)

    def page(self, number: int, start: int, end: int, page: int) -> list[tuple[int, int]]:
        there = [
            (key, at)
            for key, (where, at) in self.rows.items()
            if where == number and start <= at + self.shift_ms <= end
        ]
        return there[page * ROWS_MAX : (page + 1) * ROWS_MAX]


def walk(shop: Shop, cursor: str, *, lively: bool) -> tuple[str, set[tuple[int, int]]]:
    """Walk to the end; return the cursor, and every state of a row that was taken in."""
    met: set[tuple[int, int]] = set()
    for _ in range(2_000):
        begun = SPANS.opened(cursor, shop.now_ms)
        while True:
            rows = shop.page(begun.number, *SPANS.window(begun), begun.page)
            shorter = SPANS.halved(begun) if len(rows) >= ROWS_MAX else None
            if shorter is None:
                break
            begun = shorter
        met |= {row for row in rows if begun.is_new(row[1])}
        cursor, more = SPANS.went_on(begun, [at for _, at in rows], is_full=len(rows) >= ROWS_MAX)
        if not more:
            return cursor, met
        if lively:
            shop.live()
    raise AssertionError("the walk does not end")


@pytest.mark.parametrize("shift_h", [-3, 0, 3])
@pytest.mark.parametrize("seed", range(40))
def test_every_last_change_is_met(seed: int, shift_h: int) -> None:
    shop = Shop(random.Random(seed), shift_h * HOUR_MS)
    for _ in range(10):
        shop.live()
    cursor, met = walk(shop, SPANS.first(START_MS - 60_000), lively=True)
    for _ in range(4):
        shop.now_ms += shop.chance.choice([60_000, HOUR_MS, 3 * DAY_MS])
        shop.live()
        cursor, more = walk(shop, cursor, lively=shop.chance.random() < 0.5)
        met |= more
    _, more = walk(shop, cursor, lively=False)

    last = {(number, at) for number, (_, at) in shop.rows.items()}
    assert last - met - more == set()


def test_what_was_known_long_ago_is_not_taken_in_again() -> None:
    shop = Shop(random.Random(1), 0)
    shop.rows = {0: (0, START_MS), 1: (0, START_MS + 2 * LATE_MS)}
    shop.now_ms = START_MS + 2 * LATE_MS
    cursor, first = walk(shop, SPANS.first(START_MS), lively=False)
    shop.now_ms += 60_000

    _, again = walk(shop, cursor, lively=False)

    assert (first, again) == ({(0, START_MS), (1, START_MS + 2 * LATE_MS)}, {(1, START_MS + 2 * LATE_MS)})


def test_once_an_hour_all_of_a_day_is_taken_in() -> None:
    shop = Shop(random.Random(1), 0)
    cursor, _ = walk(shop, SPANS.first(START_MS), lively=False)
    shop.rows = {0: (0, START_MS - 20 * HOUR_MS)}

    for hours, expected in ((0, set[tuple[int, int]]()), (1, {(0, START_MS - 20 * HOUR_MS)})):
        shop.now_ms = START_MS + hours * HOUR_MS
        cursor, met = walk(shop, cursor, lively=False)
        assert met == expected


def test_no_walk_begins_in_times_to_come() -> None:
    cursor, _ = SPANS.went_on(SPANS.opened(SPANS.first(START_MS), START_MS), [START_MS + 9 * DAY_MS], is_full=False)
    while (begun := SPANS.opened(cursor, START_MS)).number < 2:
        cursor, _ = SPANS.went_on(begun, [], is_full=False)
    cursor, more = SPANS.went_on(begun, [], is_full=False)

    assert not more
    assert SPANS.opened(cursor, START_MS).since == START_MS


def test_a_list_that_repeats_its_last_page_is_left_at_some_time() -> None:
    spans = Spans(turned=frozenset({0}), span_ms=DAY_MS, reach_ms=0, history_ms=DAY_MS)
    cursor, pages = spans.first(START_MS), 0
    while True:
        cursor, more = spans.went_on(spans.opened(cursor, START_MS), [], is_full=True)
        pages += 1
        if not more:
            break

    assert pages == PAGES_MAX


@pytest.mark.parametrize(
    "cursor", ["", "x", "[]", '{"since":"x"}', '{"since":1,"began":1,"number":9,"step":1}', '{"since":1,"began":1}']
)
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(CursorRefusedError):
        SPANS.opened(cursor, START_MS)
