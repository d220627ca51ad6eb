"""A channel's backoff and circuit on a simulated clock: what each kind of failure leads to, and what ends it."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract.errors import (
    ChannelError,
    ClosedError,
    CredentialsError,
    NotSentError,
    SpoiledError,
    ThrottledError,
    TicketLostError,
    UnavailableError,
    UnknownResultError,
)
from server.channels.connection.circuit_breaker import AFTER_S_MAX, CircuitBreaker, Transition, honoured_s

NOW_S = 123_456.0
LONGEST = 1.0 - 2**-53
"""The largest number that is drawn."""

COUNTED: list[type[ChannelError]] = [UnavailableError, NotSentError, UnknownResultError]
every_failure = st.one_of(
    st.sampled_from([*COUNTED, ThrottledError, CredentialsError, TicketLostError]).flatmap(
        lambda kind: st.builds(kind, st.just("no"), st.none() | st.floats(0.0, 10_000.0))
    ),
    st.just(SpoiledError("bad", "a bad row")),
)


def health(drawn: float = LONGEST) -> CircuitBreaker:
    return CircuitBreaker(base_s=0.5, cap_s=60.0, open_after=5, random=lambda: drawn)


def fail_in_a_row(channel: CircuitBreaker, times: int, error: ChannelError | None = None) -> list[Transition | None]:
    """Let each try come as soon as it may, and fail."""
    now_s, told = NOW_S, []
    for _ in range(times):
        now_s = max(now_s, channel.resume_at_s)
        told.append(channel.failed(error or UnavailableError("HTTP 500: no"), now_s))
    return told


def opened() -> CircuitBreaker:
    channel = health()
    fail_in_a_row(channel, 5)
    assert channel.circuit == "open"
    return channel


# -- backoff


def test_a_channel_nobody_has_tried_may_be_sent_to() -> None:
    channel = health()

    assert (channel.circuit, channel.reason, channel.probing, channel.wait_s(NOW_S)) == ("closed", "", False, 0)


@pytest.mark.parametrize("kind", COUNTED)
def test_the_longest_pause_doubles_up_to_the_cap(kind: type[ChannelError]) -> None:
    channel, now_s, pauses_s = health(), NOW_S, []

    for _ in range(10):
        channel.failed(kind("no"), now_s)
        pauses_s.append(channel.wait_s(now_s))
        now_s += channel.wait_s(now_s)

    assert pauses_s == pytest.approx([0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60])


@pytest.mark.parametrize("drawn", [0.0, 0.25, LONGEST])
def test_a_pause_is_drawn_from_nothing_to_the_longest(drawn: float) -> None:
    channel = health(drawn)

    channel.failed(UnavailableError("no"), NOW_S)

    assert channel.wait_s(NOW_S) == pytest.approx(0.5 * drawn)


def test_a_thousand_failures_in_a_row_are_still_a_number_of_seconds() -> None:
    channel = health()

    fail_in_a_row(channel, 2_000)

    assert channel.wait_s(NOW_S) < math.inf


def test_several_failures_of_one_breakdown_lengthen_the_pause_once() -> None:
    channel = health()

    for _ in range(4):
        channel.failed(UnknownResultError("connection reset"), NOW_S)

    assert channel.wait_s(NOW_S) == pytest.approx(0.5)


def test_a_success_ends_the_pause_and_begins_the_count_anew() -> None:
    channel = health()
    fail_in_a_row(channel, 4)

    channel.succeeded(NOW_S)

    assert (channel.wait_s(NOW_S), channel.reason) == (0, "")
    assert fail_in_a_row(channel, 4) == [None] * 4
    channel.succeeded(NOW_S)
    channel.failed(UnavailableError("no"), NOW_S)
    assert channel.wait_s(NOW_S) == pytest.approx(0.5)


def test_the_reason_is_that_of_the_last_failure() -> None:
    channel = health()

    channel.failed(UnavailableError("HTTP 500: one"), NOW_S)
    channel.failed(UnavailableError("HTTP 502: two"), NOW_S)

    assert channel.reason == "HTTP 502: two"


# -- what the channel asks for


@pytest.mark.parametrize("kind", [*COUNTED, ThrottledError, CredentialsError])
def test_the_channel_s_retry_after_is_the_least_that_is_waited(kind: type[ChannelError]) -> None:
    channel = health(drawn=0.0)

    channel.failed(kind("not now", 120.0), NOW_S)

    assert channel.wait_s(NOW_S) == 120.0


def test_a_retry_after_shorter_than_the_pause_does_not_shorten_it() -> None:
    channel = health()

    channel.failed(UnavailableError("no", 0.1), NOW_S)

    assert channel.wait_s(NOW_S) == pytest.approx(0.5)


@pytest.mark.parametrize("kind", [ThrottledError, UnavailableError])
def test_a_retry_after_of_days_is_honoured_for_an_hour(kind: type[ChannelError]) -> None:
    channel = health()

    channel.failed(kind("come back next week", 7 * 86_400.0), NOW_S)

    assert channel.wait_s(NOW_S) == AFTER_S_MAX == 3_600


@pytest.mark.parametrize(
    ("after_s", "kept_s"),
    [(None, 0), (-5.0, 0), (0.0, 0), (math.nan, 0), (2.5, 2.5), (math.inf, AFTER_S_MAX), (1e300, AFTER_S_MAX)],
)
def test_of_a_retry_after_as_much_is_kept_as_makes_sense(after_s: float | None, kept_s: float) -> None:
    assert honoured_s(after_s) == kept_s


def test_a_success_of_another_request_does_not_end_what_the_channel_asked_for() -> None:
    channel = health()
    channel.failed(ThrottledError("429", 30.0), NOW_S)

    channel.succeeded(NOW_S + 1)

    assert channel.wait_s(NOW_S + 1) == 29


def test_a_shorter_retry_after_that_comes_later_does_not_take_back_a_longer_one() -> None:
    channel = health()

    channel.failed(ThrottledError("429", 30.0), NOW_S)
    channel.failed(ThrottledError("429", 1.0), NOW_S)

    assert channel.wait_s(NOW_S) == 30


def test_throttling_with_a_retry_after_is_waited_out_as_long_as_that_however_often() -> None:
    channel = health()

    fail_in_a_row(channel, 10, ThrottledError("429", 1.0))

    assert channel.resume_at_s == NOW_S + 10


def test_throttling_without_a_retry_after_is_waited_out_longer_and_longer() -> None:
    channel, now_s, pauses_s = health(), NOW_S, []

    for _ in range(3):
        channel.failed(ThrottledError("429"), now_s)
        pauses_s.append(channel.wait_s(now_s))
        now_s += channel.wait_s(now_s)

    assert pauses_s == pytest.approx([0.5, 1, 2])


def test_throttling_never_opens_the_circuit() -> None:
    channel = health()

    told = fail_in_a_row(channel, 100, ThrottledError("429"))

    assert set(told) == {None}
    assert channel.circuit == "closed"


# -- the circuit


@pytest.mark.parametrize("kind", COUNTED)
def test_the_circuit_opens_after_so_many_failures_in_a_row_and_says_so_once(kind: type[ChannelError]) -> None:
    channel = health()

    told = fail_in_a_row(channel, 8, kind("no"))

    assert told == [None, None, None, None, "channel_circuit_opened", None, None, None]
    assert channel.circuit == "open"
    assert channel.probing


def test_failures_at_the_same_moment_count_one_by_one() -> None:
    channel = health()

    told = [channel.failed(UnknownResultError("timeout"), NOW_S) for _ in range(5)]

    assert told[-1] == "channel_circuit_opened"


def test_the_first_success_closes_the_circuit_and_says_so_once() -> None:
    channel = opened()

    told = [channel.succeeded(NOW_S), channel.succeeded(NOW_S)]

    assert told == ["channel_circuit_closed", None]
    assert (channel.circuit, channel.probing, channel.reason) == ("closed", False, "")


def test_throttling_between_failures_neither_counts_nor_excuses() -> None:
    channel = health()
    failures = itertools.chain([ThrottledError("429", 1.0)], [UnavailableError("no")] * 4, [ThrottledError("429", 1.0)])

    told = [channel.failed(error, NOW_S) for error in failures]

    assert set(told) == {None}
    assert channel.failed(UnavailableError("no"), NOW_S) == "channel_circuit_opened"


@pytest.mark.parametrize("error", [SpoiledError("E1", "a bad row"), TicketLostError("gone")])
def test_a_channel_that_finds_fault_with_a_push_is_well(error: ChannelError) -> None:
    channel = opened()

    assert channel.failed(error, NOW_S) == "channel_circuit_closed"
    assert (channel.circuit, channel.wait_s(NOW_S)) == ("closed", 0)


# -- credentials


def test_credentials_that_are_not_accepted_open_the_circuit_at_once_and_say_what_to_do() -> None:
    channel = health()

    told = channel.failed(CredentialsError("HTTP 401: ClientApiAuthenticationException"), NOW_S)

    assert (told, channel.circuit, channel.probing) == ("channel_circuit_opened", "open", True)
    assert "change them" in channel.reason
    assert "HTTP 401: ClientApiAuthenticationException" in channel.reason


@pytest.mark.parametrize(("drawn", "pause_s"), [(0.0, 30.0), (0.5, 45.0), (LONGEST, 60.0)])
def test_credentials_that_are_not_accepted_are_tried_slowly_from_the_first_time(drawn: float, pause_s: float) -> None:
    channel = health(drawn)

    channel.failed(CredentialsError("HTTP 401"), NOW_S)

    assert channel.wait_s(NOW_S) == pytest.approx(pause_s)


def test_credentials_that_are_not_accepted_are_told_once() -> None:
    assert fail_in_a_row(health(), 3, CredentialsError("HTTP 401")) == ["channel_circuit_opened", None, None]


def test_an_open_circuit_that_turns_out_to_be_about_credentials_is_told_again() -> None:
    channel = opened()

    assert channel.failed(CredentialsError("HTTP 401"), NOW_S) == "channel_circuit_opened"


def test_credentials_that_are_accepted_again_close_the_circuit() -> None:
    channel = health()
    channel.failed(CredentialsError("HTTP 401"), NOW_S)

    assert channel.succeeded(NOW_S + 60) == "channel_circuit_closed"
    assert channel.failed(CredentialsError("HTTP 401"), NOW_S + 90) == "channel_circuit_opened"


# -- halted


def halted() -> CircuitBreaker:
    channel = health()
    assert channel.failed(ClosedError("HTTP 426: use V2"), NOW_S) == "channel_halted"
    return channel


def test_a_channel_that_closed_this_way_is_left_alone() -> None:
    channel = halted()

    assert (channel.circuit, channel.probing, channel.wait_s(NOW_S + 1e9)) == ("halted", False, math.inf)
    assert channel.resume_at_s == math.inf
    assert "HTTP 426: use V2" in channel.reason


def test_an_open_circuit_can_be_halted() -> None:
    assert opened().failed(ClosedError("HTTP 410"), NOW_S) == "channel_halted"


@pytest.mark.parametrize("late", [UnavailableError("no"), CredentialsError("no"), ClosedError("no")])
def test_a_failure_that_comes_after_the_halt_changes_nothing(late: ChannelError) -> None:
    channel = halted()
    reason = channel.reason

    assert channel.failed(late, NOW_S) is None
    assert (channel.circuit, channel.reason) == ("halted", reason)


def test_a_success_that_comes_after_the_halt_changes_nothing() -> None:
    channel = halted()

    assert channel.succeeded(NOW_S) is None
    assert (channel.circuit, channel.wait_s(NOW_S)) == ("halted", math.inf)


def test_a_halted_channel_that_is_revived_is_probed_at_once_and_closes_with_the_first_success() -> None:
    channel = halted()

    channel.revive()

    assert (channel.circuit, channel.probing, channel.wait_s(NOW_S)) == ("open", True, 0)
    assert channel.succeeded(NOW_S) == "channel_circuit_closed"


def test_a_revived_channel_that_is_closed_still_is_halted_again() -> None:
    channel = halted()
    channel.revive()

    assert channel.failed(ClosedError("HTTP 410"), NOW_S) == "channel_halted"


def test_an_open_circuit_that_is_revived_is_probed_at_once_and_stays_open_until_a_success() -> None:
    channel = opened()
    channel.failed(ThrottledError("429", 600.0), NOW_S)

    channel.revive()

    assert (channel.circuit, channel.wait_s(NOW_S)) == ("open", 0)
    assert channel.failed(UnavailableError("no"), NOW_S) is None
    assert channel.circuit == "open"
    assert channel.wait_s(NOW_S) == pytest.approx(0.5)


def test_a_channel_that_is_well_is_not_hurt_by_being_revived() -> None:
    channel = health()

    channel.revive()

    assert (channel.circuit, channel.wait_s(NOW_S)) == ("closed", 0)


# -- whatever comes


@given(st.lists(st.tuples(every_failure | st.none(), st.floats(0.0, 100.0), st.floats(0.0, LONGEST)), max_size=40))
def test_whatever_happens_a_channel_that_is_not_halted_is_tried_again_within_an_hour(
    history: list[tuple[ChannelError | None, float, float]],
) -> None:
    drawn = iter([draw for _, _, draw in history])
    channel, now_s, circuit = CircuitBreaker(random=lambda: next(drawn)), NOW_S, "closed"

    for error, pause_s, _ in history:
        now_s += pause_s
        told = channel.succeeded(now_s) if error is None else channel.failed(error, now_s)

        assert channel.wait_s(now_s) <= AFTER_S_MAX
        assert (channel.circuit == circuit) or told == f"channel_circuit_{'opened' if channel.probing else 'closed'}"
        assert channel.circuit == "closed" or channel.reason
        circuit = channel.circuit
