"""A channel's rate limits on a simulated clock: never more than they allow, and never less."""

import itertools
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract.http import READ, WRITE
from adapters.contract.limits import CostLeft, CostPoints, Limit, PerItem, TokenBucket, Window
from server.channels.connection.rate_limits import ENTRIES_MAX, TICK_S, RateLimits

START_S = 123_456.789
"""A clock that has run for a while, so that its sums are rounded."""

Sent = list[tuple[float, int]]
"""When each request went, and with how many items."""

a_pause_s = st.one_of(st.just(0.0), st.floats(0.0, 0.5), st.floats(0.0, 30.0))
some_traffic = st.lists(st.tuples(a_pause_s, st.integers(0, 12)), min_size=1, max_size=80)
a_window = st.builds(
    Window, st.integers(1, 12), st.floats(0.01, 20.0), st.just(WRITE), st.sampled_from(["requests", "items"])
)
a_bucket = st.builds(TokenBucket, st.floats(0.05, 50.0), st.floats(1.0, 12.0))


def wait_and_spend(rate_limits: RateLimits, now_s: float, *, cost: float = 1.0, items: int = 0) -> float:
    """Wait as long as the rate limits require; a fourth wait would mean that they never allow it."""
    for _ in range(4):
        wait_s = rate_limits.wait_s(WRITE, now_s, cost=cost, items=items)
        if not wait_s:
            rate_limits.spend(WRITE, now_s, cost=cost, items=items)
            return now_s
        now_s += wait_s
    raise AssertionError(f"has to wait again and again at {now_s!r}")


def drive(limits: Sequence[Limit], traffic: Sequence[tuple[float, int]]) -> Sent:
    """Send what wants to go, each after its pause and as soon as it may."""
    rate_limits, now_s, sent = RateLimits(limits, START_S), START_S, []
    for pause_s, items in traffic:
        now_s = wait_and_spend(rate_limits, now_s + pause_s, items=items)
        sent.append((now_s, items))
    return sent


def units(window: Window, items: int) -> int:
    return items if window.of == "items" else 1


def fullest(window: Window, sent: Sent) -> list[int]:
    """Count what was sent in each of the windows that end with a request. Requests larger than all stand alone."""
    return [
        sum(units(window, items) for at_s, items in sent[: last + 1] if at_s + window.per_s > end_s)
        for last, (end_s, _) in enumerate(sent)
        if units(window, sent[last][1]) <= window.count
    ]


# -- strict


@settings(max_examples=40)
@given(st.lists(a_window, min_size=1, max_size=3), some_traffic)
def test_no_window_ever_holds_more_than_it_allows(windows: list[Window], traffic: list[tuple[float, int]]) -> None:
    sent = drive(windows, traffic)

    for window in windows:
        larger_than_all = max((units(window, items) for _, items in sent), default=0) > window.count
        assert larger_than_all or max(fullest(window, sent)) <= window.count


@settings(max_examples=40)
@given(a_bucket, some_traffic)
def test_no_stretch_of_time_sees_more_than_the_burst_and_what_was_restored(
    bucket: TokenBucket, traffic: list[tuple[float, int]]
) -> None:
    sent = [at_s for at_s, _ in drive([bucket], traffic)]

    for first, last in itertools.combinations_with_replacement(range(len(sent)), 2):
        allowed = bucket.burst + (sent[last] - sent[first] + 2 * TICK_S) * bucket.per_s
        assert last - first + 1 <= allowed + 1e-6


@settings(max_examples=40)
@given(st.integers(1, 200), some_traffic)
def test_a_window_whose_entries_are_gathered_is_as_strict(spare: int, traffic: list[tuple[float, int]]) -> None:
    window = Window(ENTRIES_MAX + spare, 60.0, of="items")

    sent = drive([window], [(pause_s, 150 * items) for pause_s, items in traffic])

    assert max(fullest(window, sent)) <= window.count


# -- nothing is wasted


@settings(max_examples=40)
@given(st.lists(a_window, min_size=1, max_size=3), some_traffic)
def test_what_waited_could_not_have_gone_any_earlier(windows: list[Window], traffic: list[tuple[float, int]]) -> None:
    """A request that waited goes at the very moment at which some window lets go of what was in its way."""
    rate_limits, now_s, sent = RateLimits(windows, START_S), START_S, list[tuple[float, int]]()
    for pause_s, items in traffic:
        wanted_s = now_s + pause_s
        now_s = wait_and_spend(rate_limits, wanted_s, items=items)
        sent.append((now_s, items))

        leaving_s = {at_s + window.per_s for window in windows for at_s, _ in sent[:-1]}
        assert now_s == wanted_s or now_s in leaving_s
        earlier_s = max((each for each in (wanted_s, *leaving_s) if each < now_s), default=None)
        assert earlier_s is None or earlier_s < wanted_s or any(is_full(each, sent, earlier_s) for each in windows)


def is_full(window: Window, sent: Sent, at_s: float) -> bool:
    """Whether the last of these would have been one too many at that moment."""
    *before, (_, items) = sent
    inside = sum(units(window, each) for then_s, each in before if then_s + window.per_s > at_s)
    wanted = units(window, items)
    return wanted > 0 and inside + min(wanted, window.count) > window.count


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ([Window(50, 10.0)], 50 * 60),
        ([Window(350, 60.0)], 350 * 10),
        ([Window(50, 10.0), Window(350, 60.0)], 300 * 10),
        ([TokenBucket(5.0, 10.0)], 5 * 600 + 10 - 1),
        ([CostPoints(2000.0, 100.0)], 2000 + 100 * 600 - 1),
        ([Window(6_000, 60.0)], 6_000 * 10),
    ],
    ids=["window", "wider", "two windows", "token bucket", "cost points", "gathered window"],
)
def test_the_full_rate_is_reached(limits: list[Limit], expected: int) -> None:
    """Over ten minutes, at whose very end one more token would be there."""
    rate_limits, now_s, sent = RateLimits(limits, START_S), START_S, 0

    while (now_s := wait_and_spend(rate_limits, now_s)) < START_S + 600.0 - 2 * TICK_S:
        sent += 1

    assert sent == expected


def test_a_day_s_quota_is_returned_at_most_a_four_thousandth_of_a_day_late() -> None:
    quota = Window(1_000_000, 86_400.0, of="items")
    rate_limits = RateLimits([quota], START_S)
    rate_limits.spend(WRITE, START_S, items=1_000_000)

    wait_s = rate_limits.wait_s(WRITE, START_S, items=1)

    assert 86_400.0 <= wait_s <= 86_400.0 * (1 + 1 / ENTRIES_MAX)


# -- one by one


def test_items_are_counted_in_their_own_window_and_requests_in_theirs() -> None:
    rate_limits = RateLimits([Window(2, 1.0), Window(100, 60.0, of="items")], START_S)

    rate_limits.spend(WRITE, START_S, items=70)

    assert rate_limits.items_left(WRITE, START_S) == 30
    assert rate_limits.wait_s(WRITE, START_S, items=30) == 0
    assert rate_limits.wait_s(WRITE, START_S, items=31) == pytest.approx(60.0)
    rate_limits.spend(WRITE, START_S, items=30)
    assert rate_limits.wait_s(WRITE, START_S) == pytest.approx(1.0)
    assert rate_limits.wait_s(WRITE, START_S + 1.0) == 0, "a request without items asks nothing of the items' window"


def test_the_tightest_of_several_windows_says_how_many_items_are_left() -> None:
    rate_limits = RateLimits([Window(100, 60.0, of="items"), Window(10, 1.0, of="items")], START_S)

    assert rate_limits.items_left(WRITE, START_S) == 10
    assert rate_limits.items_left(READ, START_S) is None


def test_a_window_without_items_does_not_say_how_many_are_left() -> None:
    assert RateLimits([Window(5, 1.0), TokenBucket(1.0, 1.0)], START_S).items_left(WRITE, START_S) is None


def test_more_than_a_window_holds_at_all_waits_for_an_empty_one_and_then_goes() -> None:
    rate_limits = RateLimits([Window(10, 60.0, of="items")], START_S)
    rate_limits.spend(WRITE, START_S, items=1)

    went_s = wait_and_spend(rate_limits, START_S + 5.0, items=25)

    assert went_s == START_S + 60.0
    assert rate_limits.items_left(WRITE, went_s) == 0
    assert rate_limits.wait_s(WRITE, went_s, items=1) == pytest.approx(60.0)


def test_a_cost_above_the_maximum_waits_for_a_full_bucket_and_is_paid_off_afterwards() -> None:
    rate_limits = RateLimits([CostPoints(1000.0, 50.0)], START_S)
    rate_limits.spend(WRITE, START_S, cost=500.0)

    went_s = wait_and_spend(rate_limits, START_S, cost=3000.0)

    assert went_s == pytest.approx(START_S + 10.0)
    assert rate_limits.wait_s(WRITE, went_s, cost=100.0) == pytest.approx((2000.0 + 100.0) / 50.0)


def test_a_pause_lets_a_token_bucket_burst_and_no_more() -> None:
    rate_limits, later_s = RateLimits([TokenBucket(5.0, 10.0)], START_S), START_S + 3600.0

    burst = 0
    while not rate_limits.wait_s(WRITE, later_s):
        rate_limits.spend(WRITE, later_s)
        burst += 1

    assert burst == 10
    assert rate_limits.wait_s(WRITE, later_s) == pytest.approx(0.2)


def test_a_group_s_limits_are_its_own() -> None:
    rate_limits = RateLimits([Window(1, 60.0, group=READ), Window(1, 60.0)], START_S)

    rate_limits.spend(READ, START_S)

    assert rate_limits.wait_s(READ, START_S) == pytest.approx(60.0)
    assert rate_limits.wait_s(WRITE, START_S) == 0


def test_a_group_that_no_limit_names_may_always_go() -> None:
    rate_limits = RateLimits([Window(1, 60.0)], START_S)

    rate_limits.spend("orders", START_S)
    rate_limits.learn(CostLeft(0.0, 100.0, 1.0), START_S, "orders")

    assert rate_limits.wait_s("orders", START_S) == 0


# -- what the channel reports


def test_what_the_channel_says_is_left_replaces_what_was_counted() -> None:
    rate_limits = RateLimits([CostPoints(1000.0, 50.0)], START_S)

    rate_limits.learn(CostLeft(available=20.0, maximum=2000.0, restore_per_s=100.0), START_S)

    assert rate_limits.wait_s(WRITE, START_S, cost=20.0) == 0
    assert rate_limits.wait_s(WRITE, START_S, cost=120.0) == pytest.approx(1.0)
    assert rate_limits.wait_s(WRITE, START_S + 3600.0, cost=2000.0) == 0


@pytest.mark.parametrize(
    "odd",
    [CostLeft(0.0, 0.0, 0.0), CostLeft(-1e9, -1.0, -1.0), CostLeft(float("nan"), float("nan"), float("nan"))],
)
def test_an_odd_answer_about_what_is_left_does_not_stop_the_channel_for_ever(odd: CostLeft) -> None:
    rate_limits = RateLimits([CostPoints(1000.0, 50.0)], START_S)

    rate_limits.learn(odd, START_S)

    assert wait_and_spend(rate_limits, START_S, cost=1000.0) <= START_S + 20.0 + TICK_S


def test_a_throttled_group_waits_as_long_as_the_channel_said_and_the_others_do_not() -> None:
    rate_limits = RateLimits([Window(10, 1.0)], START_S)

    rate_limits.throttled(WRITE, START_S, 30.0)
    rate_limits.throttled(WRITE, START_S + 1.0, 5.0)

    assert rate_limits.wait_s(WRITE, START_S + 10.0) == pytest.approx(20.0)
    assert rate_limits.wait_s(READ, START_S + 10.0) == 0
    assert rate_limits.wait_s(WRITE, START_S + 30.0) == 0


# -- per item


@settings(max_examples=40)
@given(
    st.integers(1, 5),
    st.floats(0.1, 20.0),
    st.lists(st.tuples(a_pause_s, st.sampled_from("abc")), min_size=1, max_size=80),
)
def test_no_item_is_updated_more_often_than_it_may_be(
    count: int, per_s: float, traffic: list[tuple[float, str]]
) -> None:
    rate_limits, now_s, sent = RateLimits([PerItem(count, per_s)], START_S), START_S, dict[str, list[float]]()
    for pause_s, key in traffic:
        now_s += pause_s
        history = sent.setdefault(key, [])
        inside = sum(at_s + per_s > now_s for at_s in history)

        may_go = rate_limits.item_wait_s(key, now_s, priced=False) == 0

        assert may_go == (inside < count)
        if may_go:
            rate_limits.spend_item(key, now_s, priced=False)
            history.append(now_s)


def test_a_price_is_limited_for_each_item_and_a_quantity_is_not() -> None:
    rate_limits = RateLimits([PerItem(2, 60.0, priced=True)], START_S)

    for second in range(5):
        rate_limits.spend_item("8680000000017", START_S + second, priced=second < 2)

    assert rate_limits.item_wait_s("8680000000017", START_S + 5.0, priced=True) == pytest.approx(55.0)
    assert rate_limits.item_wait_s("8680000000017", START_S + 5.0, priced=False) == 0
    assert rate_limits.item_wait_s("8680000000024", START_S + 5.0, priced=True) == 0


def test_an_item_is_not_forgotten_while_one_of_its_updates_still_counts() -> None:
    rate_limits = RateLimits([PerItem(2, 100.0)], START_S)
    rate_limits.spend_item("a", START_S, priced=False)
    rate_limits.spend_item("a", START_S + 90.0, priced=False)

    rate_limits.spend_item("b", START_S + 101.0, priced=False)

    rate_limits.spend_item("a", START_S + 150.0, priced=False)
    assert rate_limits.item_wait_s("a", START_S + 160.0, priced=False) == pytest.approx(30.0)


def test_items_that_went_quiet_are_forgotten() -> None:
    rate_limits = RateLimits([PerItem(30, 60.0)], START_S)

    for number in range(10_000):
        rate_limits.spend_item(f"item {number}", START_S + number, priced=False)
        rate_limits.spend_item("always", START_S + number, priced=False)

    [per_item] = rate_limits._per_item
    assert len(per_item._untils_s) <= 61


def test_a_day_s_quota_of_a_million_takes_little_memory() -> None:
    rate_limits = RateLimits([Window(1_000_000, 86_400.0, of="items")], START_S)

    for number in range(100_000):
        rate_limits.spend(WRITE, START_S + number * 0.8, items=10)

    [(_, window)] = rate_limits._meters[WRITE]
    sent = window._sent  # type: ignore[union-attr]
    assert len(sent) <= ENTRIES_MAX + 1
    assert sys.getsizeof(sent) + sum(map(sys.getsizeof, sent)) < 1_000_000


@pytest.mark.parametrize(
    "limit",
    [
        Window(0, 1.0),
        Window(1, 0.0),
        TokenBucket(0.0, 1.0),
        TokenBucket(1.0, -1.0),
        CostPoints(1.0, 0.0),
        PerItem(0, 1),
    ],
)
def test_a_limit_that_would_let_nothing_through_is_refused(limit: Limit) -> None:
    with pytest.raises(ValueError, match="above 0"):
        RateLimits([limit], START_S)
