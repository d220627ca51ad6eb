"""The rig of the rolling upgrade: that its checks find what is planted, and, in the soak, a short run of it."""

import random
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web

from tests.rigs.rolling_upgrade.balancer import Balancer
from tests.rigs.rolling_upgrade.checks import Findings, check
from tests.rigs.rolling_upgrade.desk import Crossings, Desk, StoryEndsError
from tests.rigs.rolling_upgrade.expected import State, expected
from tests.rigs.rolling_upgrade.outcome import Outcome
from tests.rigs.rolling_upgrade.records import Ask, Diary, Move, Record, Reply
from tests.rigs.rolling_upgrade.releases import ROOT, Release, released
from tests.rigs.rolling_upgrade.servers import Server, Verified
from tests.rigs.rolling_upgrade.shelf import NEVER_PAID, received
from tests.rigs.rolling_upgrade.table import problems, table
from tests.support.stores import free_port, redis7_binary

VERSION: Final = "0.1.0"
SHORT_S: Final = 28
RUN_S: Final = 400
FREE: Final = dict.fromkeys(("held", "committed", "fulfilled", "released", "expired", "returned"), 0)


# -- a short run


@pytest.mark.soak
@pytest.mark.timeout(RUN_S + 20)
@pytest.mark.parametrize("store", ["valkey", "redis7"])
def test_given_the_last_release_under_load_when_rolled_to_this_one_and_back_then_nothing_is_lost(store: str) -> None:
    revision = released(VERSION)
    if not revision:
        pytest.skip(f"{VERSION} is not in the history of this clone: git fetch --tags --unshallow")
    if store == "redis7":
        redis7_binary()
    words = ("--from", revision, "--seconds", str(SHORT_S), "--store", store)

    done = subprocess.run(
        [sys.executable, "-m", "tests.rigs.rolling_upgrade", *words],
        cwd=ROOT, capture_output=True, text=True, timeout=RUN_S, check=False,
    )  # fmt: skip

    print(done.stdout)  # noqa: T201  # pytest shows it with -s, and on failure
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]


# -- what is planted is found


def reservation(name: str, state: str = "held", **units: int) -> dict[str, Any]:
    line = {"line": 1, "sku": "cup", "location": "main", "quantity": 2} | FREE | (units or {"held": 2})
    return {"reservation_id": name, "state": state, "lines": [line]}


def granted(ask: Ask, body: Any, release: str = "old") -> Record:
    return Record(ask, Reply(200, body, False, f"{release}-api-1", release, 0.01))


def records() -> list[Record]:
    """Ten cups came; two are held, two are shipped and one of those came back broken."""
    request = {"channel": "web", "lines": []}
    back = (Move("cup", "main", "on_hand", 1), Move("cup", "main", "damaged", 1))
    return [
        granted(received("k1", "cup", 10), {"results": [{"status": 200}]}),
        granted(Ask("reserve", "POST", "", request | {"reservation_id": "a"}), reservation("a")),
        granted(
            Ask("order", "POST", "", request | {"reservation_id": "b"}), reservation("b", "committed", committed=2)
        ),
        granted(Ask("fulfil", "POST", "", {}, "k2"), reservation("b", "fulfilled", fulfilled=2), "new"),
        granted(Ask("return", "POST", "", {}, "k3", back), reservation("b", "fulfilled", fulfilled=2, returned=1)),
    ]


def found() -> State:
    """Read back what those records have made, as it should be."""
    stock = {"on_hand": 9, "held": 2, "committed": 0, "damaged": 1, "quality_control": 0, "safety": 0}
    reservations = {"a": reservation("a"), "b": reservation("b", "fulfilled", fulfilled=2, returned=1)}
    return State(reservations, {}, {}, {("cup", "main"): stock}, {"shipped": 2, "returned": 1, "received": 10})


def test_given_all_that_was_acknowledged_when_checked_then_nothing_is_found() -> None:
    assert check(expected(records()), found()).clean


def test_given_a_reservation_that_is_gone_when_checked_then_it_is_lost() -> None:
    there = found()
    del there.reservations["a"]

    findings = check(expected(records()), there, "new")

    assert findings.lost == ["new: reservation a was acknowledged as held and is not there"]


def test_given_a_reservation_in_an_earlier_state_when_checked_then_the_later_one_is_lost() -> None:
    there = found()
    there.reservations["b"] = reservation("b", "committed", committed=2)

    findings = check(expected(records()), there, "new")

    assert findings.lost[0] == "new: reservation b was acknowledged as fulfilled, is committed"


def test_given_a_reservation_that_was_never_acknowledged_when_checked_then_it_is_double() -> None:
    there = found()
    there.reservations["a-again"] = reservation("a-again")

    findings = check(expected(records()), there, "new")

    assert findings.double == ["new: reservation a-again is there, and it was never acknowledged"]


def test_given_a_refused_reservation_that_is_there_when_checked_then_it_is_double() -> None:
    refusal = Reply(409, {"outcome": "out_of_stock"}, False, "old-api-1", "old", 0.01)
    asked = [*records(), Record(Ask("reserve", "POST", "", {"reservation_id": "c"}), refusal)]
    there = found()
    there.reservations["c"] = reservation("c")

    findings = check(expected(asked), there, "new")

    assert findings.double == ["new: reservation c is there, and it was refused"]


def test_given_units_that_were_shipped_twice_when_checked_then_they_are_double() -> None:
    there = found()
    there.reservations["b"]["lines"][0]["fulfilled"] = 4

    findings = check(expected(records()), there, "new")

    assert findings.double == ["new: reservation b: line 1: fulfilled was acknowledged as 2, is 4"]


@pytest.mark.parametrize("bucket", ["on_hand", "held", "committed", "damaged"])
def test_given_a_counter_that_is_one_off_when_checked_then_it_is_miscounted(bucket: str) -> None:
    there = found()
    right = there.stock["cup", "main"][bucket]
    there.stock["cup", "main"][bucket] += 1

    findings = check(expected(records()), there, "new")

    message = f"new: cup at main: {bucket} is {right + 1}, all that was acknowledged makes {right}"
    assert findings.miscounted == [message]


def test_given_a_shipment_that_the_report_has_twice_when_checked_then_it_is_miscounted() -> None:
    there = found()
    there.figures["shipped"] = 4

    findings = check(expected(records()), there, "new")

    assert findings.miscounted == ["new: the report has 4 units shipped, all that was acknowledged makes 2"]


def test_given_a_count_when_worked_out_then_it_replaces_what_came_before() -> None:
    counted = Move("cup", "main", "on_hand", 5, absolute=True)
    asked = [*records(), granted(Ask("count", "PUT", "", {}, "k4", (counted,)), {"sku": "cup"})]

    state = expected(asked)

    assert state.stock["cup", "main"]["on_hand"] == 5 - 2, "less what was shipped, which no counted SKU of a run has"


def test_given_a_hold_that_is_never_paid_when_worked_out_then_it_has_expired() -> None:
    held = reservation("a") | {"order_ref": NEVER_PAID}
    state = expected([granted(Ask("reserve", "POST", "", {"reservation_id": "a"}), held)])

    assert state.reservations["a"]["state"] == "expired"
    assert state.reservations["a"]["lines"][0]["expired"] == 2
    assert state.stock["cup", "main"]["held"] == 0


def test_given_a_transfer_and_a_receipt_that_came_twice_when_checked_then_both_are_double() -> None:
    line = {"line": 1, "sku": "cup", "quantity": 3, "received": 2, "lost": 0, "in_transit": 1}
    wanted = State(transfers={"t": {"state": "in_transit", "lines": [line]}}, supplies={"po": 4})
    again = line | {"received": 3, "in_transit": 1}
    there = State(transfers={"t": {"state": "in_transit", "lines": [again]}}, supplies={"po": 8})

    findings = check(wanted, there, "new")

    assert findings.double == [
        "new: transfer t: line 1: received was acknowledged as 2, is 3",
        "new: of po 4 units came, 8 are noted",
    ]


# -- what callers see


def outcome(**changes: Any) -> Outcome:
    """Make a run in which all held, but for what is changed."""
    crossings = Crossings(Counter({(kind, release): 1 for kind in KINDS for release in ("old", "new")}))
    good: dict[str, Any] = {
        "store": "valkey", "seed": 7, "diary": Diary(records()), "crossings": crossings, "findings": Findings(),
        "wrong_shown": [], "verified": [Verified("old", "at the end", 0, [])], "server_faults": [],
        "asked": Counter({("old alone", "old"): 5}), "retried_on_connect": Counter(), "slowest_s": {},
    }  # fmt: skip
    return Outcome(**(good | changes))


KINDS: Final = ("receive", "reserve", "order", "fulfil", "return")


def test_given_a_run_without_faults_when_judged_then_all_held() -> None:
    assert outcome().held
    assert problems(outcome()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"diary": Diary(records(), failed=["commit k9: no answer"])}, "failed: commit k9: no answer"),
        ({"diary": Diary(records(), odd=["commit k9: 404"])}, "odd answers: commit k9: 404"),
        ({"diary": Diary(records(), unlike=["commit k9"])}, "unlike replays: commit k9"),
        ({"findings": Findings(lost=["a"])}, "lost: a"),
        ({"findings": Findings(double=["a"])}, "double: a"),
        ({"findings": Findings(miscounted=["a"])}, "miscounted: a"),
        ({"wrong_shown": ["hook shows 3"]}, "wrong shown: hook shows 3"),
        ({"verified": [Verified("new", "at the end", 1, ["drift"])]}, "verify: new, at the end: ['drift']"),
        ({"verified": []}, "not tried: verify did not run"),
        ({"server_faults": ["old-api-1 ended with -9, not with 0"]}, "servers: old-api-1 ended with -9, not with 0"),
        ({"libraries_wanted": 2}, "not tried: the store has 0 function libraries, not 2"),
    ],
)
def test_given_one_fault_when_judged_then_the_run_has_failed_and_says_why(
    changes: dict[str, Any], message: str
) -> None:
    assert not outcome(**changes).held
    assert problems(outcome(**changes)) == [message]


def test_given_a_kind_that_was_never_replayed_in_one_direction_when_judged_then_the_run_has_failed() -> None:
    run = outcome()
    del run.crossings.replays["return", "new"]

    assert problems(run) == ["not tried: no return that new wrote was replayed by the other release"]


def test_given_a_run_when_shown_then_the_table_says_what_was_lost_and_what_failed() -> None:
    shown = table(outcome(findings=Findings(lost=["a"]), diary=Diary(records(), failed=["x", "y"])))

    assert "  lost             1\n" in shown
    assert "  failed requests  2\n" in shown


Handler = Callable[[web.Request], Any]
Open = Callable[..., Any]


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Open]:
    """Return a function that opens a server which answers as the handler does; handler None: no server."""
    runners: list[web.AppRunner] = []

    async def open_server(release: str, handler: Handler | None) -> Server:
        port = free_port()
        if handler is not None:
            app = web.Application()
            app.router.add_get("/readyz", _is_ready)
            app.router.add_route("*", "/{path:.*}", handler)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            runners.append(runner)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
        where = Release(release, release, tmp_path)
        return Server(f"{release}-api-1", where, "api", "", {}, tmp_path, f"http://127.0.0.1:{port}")

    yield open_server
    for runner in runners:
        await runner.cleanup()


async def _is_ready(_request: web.Request) -> web.Response:
    return web.Response()


def answering(status: int, body: Any, **headers: str) -> Handler:
    async def handle(_request: web.Request) -> web.Response:
        return web.json_response(body, status=status, headers=headers)

    return handle


async def hang_up(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def first_bad(bad: Handler, good: Handler) -> Handler:
    count = iter(range(1_000))

    async def handle(request: web.Request) -> Any:
        return await (bad if next(count) == 0 else good)(request)

    return handle


COMMIT: Final = Ask("commit", "POST", "/v1/reservations/a/commit", {}, "k")
REPLAYED: Final = {"Idempotent-Replayed": "true"}


def desk(balancer: Balancer) -> Desk:
    return Desk(balancer, Diary(), random.Random(7), rest_s=0.0)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (answering(503, {"outcome": "store_unavailable"}), "commit k: old-api-1 answered 503 store_unavailable"),
        (answering(500, {"outcome": "internal_error"}), "commit k: old-api-1 answered 500 internal_error"),
        (hang_up, "commit k: no answer: old-api-1: ServerDisconnectedError Server disconnected"),
    ],
)
async def test_given_a_request_that_failed_once_when_asked_then_it_is_noted_and_asked_again(
    bad: Handler, message: str, serve: Open
) -> None:
    async with Balancer() as balancer:
        await balancer.add(await serve("old", first_bad(bad, answering(200, reservation("a", "committed")))))
        at = desk(balancer)

        await at.ask(COMMIT)

    assert at.diary.failed == [message]
    assert (at.diary.asked_again, len(at.diary.records)) == (1, 1)


async def test_given_a_server_that_refuses_connections_when_asked_then_the_next_one_answers(serve: Open) -> None:
    async with Balancer() as balancer:
        gone = await serve("old", None)
        balancer._watch.cancel()  # it was not noticed yet
        here = await serve("old", answering(200, reservation("a", "committed")))
        await balancer.add(here)
        balancer._backends.insert(0, type(balancer._backends[0])(gone, ready=True))
        at = desk(balancer)

        for _ in range(2):
            await at.ask(COMMIT)

    assert at.diary.failed == []
    assert sum(balancer.retried_on_connect.values()) == 1, "it is out of rotation after that"


async def test_given_a_release_that_returns_another_answer_when_replayed_then_it_is_unlike(serve: Open) -> None:
    async with Balancer() as balancer:
        await balancer.add(await serve("old", answering(200, reservation("a", "committed", committed=2))))
        at = desk(balancer)
        await at.ask(COMMIT)
        other = reservation("a", "committed", committed=1)
        await balancer.add(await serve("new", answering(200, other, **REPLAYED)))

        await at.replay(at.diary.records[0])

    assert at.diary.unlike == ["commit k, written by old, replayed by new: lines[0].committed: 2 became 1"]


def test_given_a_reading_with_a_field_that_one_release_does_not_have_when_compared_then_it_is_the_same() -> None:
    notes = {"tracking": "T", "parcel": "1:2"}
    shown = reservation("a") | {"unconfigured_channel": True, "notes": {"tracking": "T"}}
    new = Reply(200, shown, False, "new-api-1", "new", 0.01)
    old = Reply(200, reservation("a") | {"notes": notes}, False, "old-api-1", "old", 0.01)

    assert new.answer == old.answer
    assert new.answer != Reply(200, reservation("b"), False, "old-api-1", "old", 0.01).answer


async def test_given_a_release_that_does_it_again_when_replayed_then_it_is_unlike(serve: Open) -> None:
    async with Balancer() as balancer:
        same = answering(200, reservation("a", "committed", committed=2))
        await balancer.add(await serve("old", same))
        at = desk(balancer)
        await at.ask(COMMIT)
        await balancer.add(await serve("new", same))

        await at.replay(at.diary.records[0])

    assert at.diary.unlike == ["commit k, written by old, replayed by new: not said to be a replay"]


async def test_given_a_refusal_that_nothing_explains_when_asked_then_it_is_odd(serve: Open) -> None:
    async with Balancer() as balancer:
        await balancer.add(await serve("new", answering(404, {"outcome": "unknown_reservation"})))
        at = desk(balancer)

        with pytest.raises(StoryEndsError):
            await at.ask(COMMIT)

    assert at.diary.odd == ["commit k: new-api-1 answered 404 unknown_reservation"]
