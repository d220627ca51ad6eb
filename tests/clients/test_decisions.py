"""What the Python client makes of each answer, and when it tries again: no network, and a clock of the test's own."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from holdfast import DoneBefore, HoldfastError, OutcomeUnknown, Policy, Refused, Unavailable
from holdfast.calls import Call, Repeat, adds, id_in_path, keyed, name_in_path, read, sets
from holdfast.decisions import Send, Wait, steps
from holdfast.types import Health
from holdfast.verdicts import Answer, Lost, Reply, retry_after_s_of

OK = Answer(200, {}, b'{"status":"ok"}')
CUT = Answer(200, {}, b'{"status":"o')
LOST = Lost("ReadError", sent=True)
NOT_SENT = Lost("ConnectError", sent=False)
PAGE = {"content-type": "text/html"}
POLICY = Policy(deadline_s=60, tries_max=4)
READ = read("/livez", Health)
KEYED = keyed("POST", "/v1/orders", Health, {}, key="k-1")
SETS = sets("PUT", "/v1/barcodes", Health, {})
ADDS = adds("POST", "/v1/orders/a/1/notes", Health, {}, find_out="read the order")


def problem(status: int, outcome: str, **headers: str) -> Answer:
    body = {"type": "", "title": "T", "status": status, "detail": "D", "outcome": outcome, "retryable": False}
    return Answer(status, {"content-type": "application/problem+json", **headers}, json.dumps(body).encode())


class Clock:
    """A clock that stands still but for the waits; ``oversleeps_s``: how much longer each of them takes."""

    def __init__(self, oversleeps_s: float = 0.0) -> None:
        self.now_s = 1_000.0
        self.oversleeps_s = oversleeps_s
        self.waits_s: list[float] = []

    def __call__(self) -> float:
        return self.now_s


def made(call: Call[Health], *replies: Reply, policy: Policy = POLICY, clock: Clock | None = None) -> tuple[Any, int]:
    """Drive a call with these replies; returns what came of it, and how often it was sent. None may be left over."""
    clock = clock or Clock()
    left = list(replies)
    plan = steps(call, policy, clock)
    reply: Reply | None = None
    result: Any
    while True:
        try:
            step = plan.send(reply)
        except StopIteration as done:
            result = done.value
            break
        except HoldfastError as error:
            result = error
            break
        if isinstance(step, Wait):
            clock.now_s += step.seconds + clock.oversleeps_s
            clock.waits_s.append(step.seconds)
            reply = None
        else:
            assert isinstance(step, Send)
            reply = left.pop(0)
    assert left == [], result
    return result, len(replies)


@pytest.mark.parametrize("call", [READ, KEYED, SETS, ADDS])
@pytest.mark.parametrize(
    "before",
    [
        NOT_SENT,
        problem(503, "overloaded"),
        problem(503, "store_unavailable"),
        problem(408, "request_timeout"),
        Answer(429, PAGE, b"slow down"),
    ],
)
def test_what_surely_was_not_processed_is_sent_again_whatever_it_does(call: Call[Health], before: Reply) -> None:
    assert made(call, before, OK)[0] == Health(status="ok")


UNKNOWN = [
    LOST,
    CUT,
    problem(503, "outcome_unknown"),
    problem(500, "internal_error"),
    problem(503, "documents_unavailable"),
    Answer(503, PAGE, b"<h1>"),
    Answer(502, PAGE, b"<h1>"),
    Answer(504, {}, b""),
    Answer(408, PAGE, b"<h1>"),
    Answer(425, {}, b""),
    Answer(200, PAGE, b"<h1>Sign in to this network</h1>"),
]


@pytest.mark.parametrize("call", [READ, KEYED, SETS])
@pytest.mark.parametrize("before", UNKNOWN)
def test_what_may_have_happened_is_sent_again_where_a_repeat_has_no_second_effect(
    call: Call[Health], before: Reply
) -> None:
    assert made(call, before, OK)[0] == Health(status="ok")


@pytest.mark.parametrize("before", UNKNOWN)
def test_what_may_have_happened_is_not_sent_again_where_a_repeat_would_add_to_it(before: Reply) -> None:
    error, _ = made(ADDS, before)

    assert isinstance(error, OutcomeUnknown)
    assert "To find out, read the order." in str(error)


@pytest.mark.parametrize(
    ("status", "outcome"), [(409, "out_of_stock"), (422, "unknown_sku"), (400, "invalid"), (401, "x")]
)
def test_a_refusal_is_not_sent_again(status: int, outcome: str) -> None:
    error, _ = made(KEYED, problem(status, outcome))

    assert isinstance(error, Refused)
    assert (error.status, error.outcome, error.earlier_lost) == (status, outcome, False)


def test_a_refusal_says_whether_an_earlier_try_may_still_arrive() -> None:
    error, _ = made(KEYED, LOST, problem(409, "out_of_stock"))

    assert isinstance(error, Refused)
    assert error.earlier_lost


@pytest.mark.parametrize(
    "after",
    [problem(401, "unauthorized"), problem(403, "forbidden"), Answer(404, PAGE, b"no such host"), Answer(301, {}, b"")],
)
def test_a_refusal_that_says_nothing_of_an_earlier_try_leaves_it_unknown(after: Reply) -> None:
    error, _ = made(KEYED, LOST, after)

    assert isinstance(error, OutcomeUnknown)
    assert error.key == "k-1"


def test_an_overload_after_a_lost_answer_does_not_say_that_nothing_happened() -> None:
    busy = problem(503, "overloaded")

    error, sent = made(KEYED, LOST, busy, busy, busy)

    assert isinstance(error, OutcomeUnknown)
    assert sent == POLICY.tries_max


def test_what_was_never_processed_is_unavailable_and_says_what_the_server_asked() -> None:
    busy = problem(503, "overloaded", **{"retry-after": "2"})

    error, _ = made(KEYED, busy, busy, busy, busy)

    assert isinstance(error, Unavailable)
    assert (error.outcome, error.retry_after_s) == ("overloaded", 2.0)


def test_a_read_without_an_answer_is_unavailable_too() -> None:
    assert isinstance(made(READ, LOST, LOST, LOST, CUT)[0], Unavailable)


def test_the_unknown_says_how_to_find_out_and_has_the_same_call() -> None:
    error, _ = made(KEYED, LOST, LOST, LOST, LOST)

    assert isinstance(error, OutcomeUnknown)
    assert error.call == KEYED
    assert "idempotency_key='k-1'" in str(error)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("0", 0),
        ("100000", 86_400),
        ("9" * 5_000, 86_400),
        ("-5", 0),
        ("1.5", 0),
        ("²", 0),
        ("soon", 0),
        ("", 0),
        ("Mon, 30 Nov 2026 12:00:20 GMT", 20),
        ("Mon, 30 Nov 2026 11:00:00 GMT", 0),
        ("Mon, 30 Nov 2099 12:00:00 GMT", 86_400),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", 0),
        ("Mon, 30 Nov 2026 12:00:20 +9999999999999999999", 0),
    ],
)
def test_what_is_no_time_to_wait_is_none_and_an_absurd_one_is_a_day(text: str, seconds: float) -> None:
    headers = {"retry-after": text, "date": "Mon, 30 Nov 2026 12:00:00 GMT"}

    assert retry_after_s_of(headers) == seconds


def test_a_date_to_wait_for_is_read_where_the_answer_has_no_date_that_can_be() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)

    assert 50 < retry_after_s_of({"retry-after": later, "date": "today"}) <= 60


def test_who_is_told_to_come_back_together_does_not() -> None:
    pauses_s = sorted(Policy().pause_after(1, retry_after_s=10) for _ in range(1_000))

    assert pauses_s[0] >= 10
    assert pauses_s[900] - pauses_s[100] > 3


def test_pauses_stay_what_they_are_however_often_it_was_tried() -> None:
    assert Policy().pause_after(100_000) <= Policy().pause_max_s


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_and_it_is_said_where_it_points(status: int) -> None:
    error, _ = made(KEYED, Answer(status, {"location": "https://elsewhere.example/v1/orders"}, b""))

    assert isinstance(error, Unavailable)
    assert error.outcome == "not_holdfast"
    assert "It points to 'https://elsewhere.example/v1/orders', and is not followed" in str(error)


@pytest.mark.parametrize("status", [200, 503])
def test_a_body_that_is_nested_without_end_is_no_answer(status: int) -> None:
    nested = Answer(status, {"content-type": "application/problem+json"}, b'{"status":"ok","x":' + b"[" * 100_000)

    assert isinstance(made(KEYED, nested, nested, nested, nested)[0], OutcomeUnknown)


def test_pauses_grow_and_retry_after_makes_them_longer() -> None:
    clock = Clock()
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=9), usegmt=True)

    made(
        KEYED,
        problem(503, "overloaded", **{"retry-after": "3"}),
        problem(503, "overloaded", **{"retry-after": later}),
        problem(503, "overloaded", **{"retry-after": "soon"}),
        OK,
        clock=clock,
    )

    first_s, second_s, third_s = clock.waits_s
    assert 3.05 <= first_s <= 4.6
    assert 7.0 <= second_s <= 13.7
    assert 0.2 <= third_s <= 0.4


def test_a_pause_that_the_deadline_does_not_allow_ends_the_call_at_once() -> None:
    clock = Clock()

    error, sent = made(KEYED, problem(503, "overloaded", **{"retry-after": "61"}), clock=clock)

    assert isinstance(error, Unavailable)
    assert (sent, clock.waits_s) == (1, [])


def test_a_try_gets_no_more_time_than_the_call_has_left() -> None:
    plan = steps(KEYED, Policy(deadline_s=3, try_s=10), Clock())

    step = next(plan)

    assert isinstance(step, Send)
    assert step.within_s == 3


@pytest.mark.parametrize("call", [KEYED, SETS])
def test_a_pause_that_takes_too_long_does_not_make_a_lost_try_one_that_changed_nothing(call: Call[Health]) -> None:
    error, sent = made(call, LOST, clock=Clock(oversleeps_s=90))

    assert isinstance(error, OutcomeUnknown), error
    assert (error.call, sent) == (call, 1)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (problem(429, "rate_limited", **{"retry-after": "7"}), "rate_limited"),
        (Answer(429, {**PAGE, "retry-after": "7"}, b""), "too_many_requests"),
    ],
)
def test_a_limit_is_heeded_and_named_as_the_server_names_it(answer: Answer, outcome: str) -> None:
    clock = Clock()

    error, _ = made(KEYED, *[answer] * POLICY.tries_max, clock=clock)

    assert isinstance(error, Unavailable)
    assert (error.outcome, error.retry_after_s) == (outcome, 7.0)
    assert all(pause_s >= 7 for pause_s in clock.waits_s)


def test_a_date_to_try_again_at_is_read_by_the_clock_that_wrote_it() -> None:
    clock = Clock()
    wrong = datetime.now(UTC) - timedelta(days=1)
    dates = {"date": wrong, "retry-after": wrong + timedelta(seconds=20)}
    headers = {name: format_datetime(value, usegmt=True) for name, value in dates.items()}

    made(KEYED, problem(503, "overloaded", **headers), OK, clock=clock)

    assert 20 <= clock.waits_s[0] <= 30.1


@pytest.mark.parametrize("outcome", ["already_committed", "already_released", "order_known"])
@pytest.mark.parametrize("before", [[], [LOST]])
def test_what_another_call_has_done_before_has_a_name_of_its_own(outcome: str, before: list[Reply]) -> None:
    error, _ = made(KEYED, *before, problem(409, outcome))

    assert isinstance(error, DoneBefore)
    assert (error.outcome, error.earlier_lost) == (outcome, bool(before))


@pytest.mark.parametrize("key", ["", "sipariş-1", "a\nb", "k" * 129])
def test_a_key_that_no_header_can_have_is_refused_before_anything_is_sent(key: str) -> None:
    with pytest.raises(ValueError, match="1 to 128 printable ASCII characters"):
        keyed("POST", "/v1/orders", Health, {}, key=key)


def test_a_call_whose_time_is_over_is_not_sent() -> None:
    error, sent = made(KEYED, policy=Policy(deadline_s=0))

    assert isinstance(error, Unavailable)
    assert sent == 0


def test_a_key_is_made_once_and_is_another_for_each_call() -> None:
    calls = [keyed("POST", "/v1/orders", Health, {}, key=None) for _ in range(2)]

    assert calls[0].repeat is Repeat.HAS_KEY
    assert [len(call.key) for call in calls] == [32, 32]
    assert calls[0].key != calls[1].key
    assert calls[0].headers == {"Idempotency-Key": calls[0].key}


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("basket-7", "basket-7"),
        ("S/2024/0001", "~Uy8yMDI0LzAwMDE"),
        ("#1001", "~IzEwMDE"),
        ("..", "~Li4"),
        ("ş", "~xZ8"),
    ],
)
def test_an_id_in_a_path_survives_every_proxy(text: str, written: str) -> None:
    assert id_in_path(text) == written


def test_a_name_in_a_path_is_encoded_and_one_that_no_path_can_have_is_refused() -> None:
    assert name_in_path("A/B ş") == "A%2FB%20%C5%9F"
    for name in ("", ".", ".."):
        with pytest.raises(ValueError, match="cannot stand in a path"):
            name_in_path(name)
