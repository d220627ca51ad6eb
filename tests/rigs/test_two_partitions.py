"""The rig of two partitions: that its books find what is planted, and a short run of it under faults."""

import random
import secrets
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.rigs.faults.kinds import absent
from tests.rigs.two_partitions.__main__ import arguments
from tests.rigs.two_partitions.book import Book, Unconfirmed
from tests.rigs.two_partitions.desk import Reply
from tests.rigs.two_partitions.drawing import first_requests
from tests.rigs.two_partitions.oracle import Oracle
from tests.rigs.two_partitions.requests import Names, Request, Sent
from tests.rigs.two_partitions.run import run
from tests.rigs.two_partitions.stage import KEYS, Plan, Stage
from tests.rigs.two_partitions.table import problems, table
from tests.rigs.two_partitions.tally import Findings, Tally
from tests.support.http import ROOT

# -- books against a server that is a model itself


class Played:
    """A book, and a server whose part a second oracle plays."""

    def __init__(self, seed: int = 0) -> None:
        self.tally = Tally()
        self.book = Book("north c1.0", Names(":c1.0"), random.Random(seed), self.tally)
        self.server = Oracle()

    async def begin(self) -> None:
        for request in first_requests():
            await self.ask(request)

    async def ask(self, request: Request) -> Reply:
        """Have a request answered, and entered."""
        answer = await self.server.answer(request)
        reply = Reply(answer.status, answer.body, answer.replayed, b"")
        await self.book.decide(Unconfirmed(request), reply)
        return reply

    async def play(self, requests: int) -> None:
        """Draw so many requests, and have them answered."""
        for _ in range(requests):
            if self.book.broken:
                return
            await self.ask(self.book.drawing.draw())
            due_ms = self.book.oracle.next_to_lapse_ms(5_000)
            if due_ms is not None:
                self.book.oracle.lapse(due_ms)
                self.server.lapse(due_ms)


def reserved(name: str, units: int = 1) -> Request:
    line = {"sku": "A", "quantity": units, "location": "main"}
    body = {"reservation_id": name, "channel": "shop", "lines": [line], "ttl_s": 3_600}
    return Request("reserve", "POST", "/v1/reservations", {}, body)


def committed(name: str, key: str) -> Request:
    return Request("commit", "POST", "/v1/reservations/{reservation_id}/commit", {"reservation_id": name}, {}, key)


@pytest.mark.parametrize("seed", range(4))
async def test_given_a_server_that_does_as_it_says_when_asked_everything_then_nothing_differs(seed: int) -> None:
    played = Played(seed)
    await played.begin()

    await played.play(150)

    assert played.tally.findings.clean, played.tally.findings.differing
    assert len({kind for kind, _ in played.tally.outcomes}) > 25, "every kind is drawn"
    assert played.tally.acknowledged() > 50


async def test_given_an_operation_that_was_done_twice_when_the_next_is_answered_then_it_is_found() -> None:
    played = Played()
    await played.begin()
    await played.ask(reserved("a"))
    await played.server.answer(reserved("unasked", units=2))

    await played.ask(reserved("b"))

    [found] = played.tally.findings.differing
    assert "availability[0].available: 88 became 86" in found


async def test_given_an_acknowledged_operation_that_is_lost_when_the_next_is_answered_then_it_is_found() -> None:
    played = Played()
    await played.begin()
    forgetful, played.server = played.server, Oracle()
    for request in first_requests():
        await played.server.answer(request)
    await forgetful.answer(reserved("a"))
    answer = await forgetful.answer(committed("a", "k1"))
    await played.book.oracle.answer(reserved("a"))
    await played.book.decide(Unconfirmed(committed("a", "k1")), Reply(answer.status, answer.body, False, b""))
    assert played.tally.findings.clean

    await played.ask(Request("fulfil", "POST", "/v1/reservations/{reservation_id}/fulfil", {"reservation_id": "a"}, {}))

    [found] = played.tally.findings.differing
    assert "answered 404" in found


async def test_given_a_request_that_was_done_before_when_it_is_said_to_be_done_anew_then_it_is_found() -> None:
    played = Played()
    await played.begin()
    first = await played.ask(reserved("a"))

    await played.book.decide(Unconfirmed(reserved("a")), replace(first, replayed=False))

    [found] = played.tally.findings.differing
    assert "done once more, although it was done before" in found


async def test_given_a_request_told_to_have_had_no_effect_when_it_proves_to_be_done_then_the_lie_is_found() -> None:
    played = Played()
    await played.begin()
    answer = await played.server.answer(reserved("a"))

    await played.book.decide(Unconfirmed(reserved("a"), lost=0), Reply(answer.status, answer.body, True, b""))

    [found] = played.tally.findings.differing
    assert "never sent before" in found


async def test_given_a_request_without_an_answer_when_asked_again_then_both_are_in_order() -> None:
    for replayed in (False, True):
        played = Played()
        await played.begin()
        answer = await played.server.answer(reserved("a"))

        await played.book.decide(Unconfirmed(reserved("a"), lost=1), Reply(answer.status, answer.body, replayed, b""))

        assert played.tally.findings.clean
        assert played.tally.resolved == {"done before" if replayed else "done now": 1}


# -- names


def test_given_a_request_when_sent_then_every_name_is_the_assortments_own_and_the_default_location_is_everybodys() -> (
    None
):
    body = {"lines": [{"sku": "A", "location": "depo"}, {"sku": "Ş", "location": "main"}], "reservation_id": "r1"}
    request = Request("x", "POST", "/v1/stock/{sku}/{location}/allocations/{channel}",
                      {"sku": "B 1/2", "location": "main", "channel": "shop"}, body, "k1")  # fmt: skip

    sent = Names(":c1.0").sent(request)

    lines = [{"sku": "A:c1.0", "location": "depo:c1.0"}, {"sku": "Ş:c1.0", "location": "main"}]
    path = "/v1/stock/B%201%2F2%3Ac1.0/main/allocations/shop"
    assert sent == Sent("POST", path, {"lines": lines, "reservation_id": "r1:c1.0"}, {"Idempotency-Key": "k1:c1.0"})


def test_given_a_move_between_buckets_when_sent_then_the_buckets_keep_their_names() -> None:
    body = {"kind": "move", "sku": "A", "from": "available", "to": "damaged", "location": "depo"}

    sent = Names(":c1.0").sent(Request("move", "POST", "/v1/stock/movements", {}, {"movements": [body]}))

    assert sent.body == {"movements": [body | {"sku": "A:c1.0", "location": "depo:c1.0"}]}


# -- against a real server


async def _spoil(stage: Stage) -> None:
    """Lose a reservation that has units, receive units twice, and let one partition read as the other."""
    north = stage.sides["north"]
    whole = [book for book in north.books if not book.broken]
    lost, name = next(
        (book, name)
        for book in whole
        for name, each in book.oracle.model.reservations.items()
        if each.state in ("held", "committed")
    )
    twice = next(book for book in whole if book is not lost)
    with stage.server.store() as store:
        for key in store.keys("hf:{north}:*"):
            if store.type(key) == b"hash":
                store.hdel(key, lost.names.outside(name))
    body = {"movements": [{"kind": "receive", "sku": twice.names.outside("A"), "quantity": 1}]}
    await north.desks[0].send(Sent("POST", "/v1/stock/movements", body, {"Idempotency-Key": "unasked"}))
    before, north.desks[0].key = north.desks[0].key, KEYS[2]
    await north.desks[0].send(Sent("GET", "/v1/snapshot", None, {}))
    north.desks[0].key = before


@pytest.mark.timeout(300)
async def test_given_faults_made_by_hand_when_compared_then_each_is_found() -> None:
    said: list[str] = []
    plan = Plan("valkey", secrets.randbelow(2**31), seconds=4, callers=12, rest_s=0.05, faults=())

    tally = await run(plan, said.append, _spoil)

    shown = "\n".join([f"seed {plan.seed}", *said, table(plan, tally), *problems(tally)])
    findings = tally.findings
    assert findings.differing + findings.lost, shown
    assert [each for each in findings.differing + findings.double if "A" in each or "changes" in each], shown
    assert [each for each in findings.seen if "GET /v1/snapshot" in each], shown
    assert findings.verify, shown
    assert not findings.servers, shown


@pytest.mark.timeout(400)
async def test_given_two_partitions_under_faults_when_all_is_compared_then_nothing_is_lost_double_or_seen() -> None:
    said: list[str] = []
    kinds = ("kill-worker", "kill-store", "freeze-store", "memory-full", "cut-connections")
    plan = Plan("valkey", secrets.randbelow(2**31), seconds=10, callers=16, rest_s=0.05, checkpoint_s=6, faults=kinds)

    tally = await run(plan, said.append)

    shown = "\n".join([f"seed {plan.seed}", *said, table(plan, tally), *problems(tally)])
    print(f"\n{shown}")  # noqa: T201  # pytest shows it with -s, and on failure
    assert tally.findings.clean, shown
    assert tally.faults, shown
    assert tally.acknowledged() > 100, shown


@pytest.mark.soak
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("store", ["valkey", "redis"])
def test_given_ten_minutes_of_every_fault_when_all_is_compared_then_nothing_is_lost_double_or_seen(store: str) -> None:
    if absent("redis") and store == "redis":
        pytest.skip(absent("redis"))
    words = [sys.executable, "-m", "tests.rigs.two_partitions", "--seconds", "600", "--store", store]

    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=1_700, check=False)

    print(done.stdout)  # noqa: T201  # pytest shows it with -s, and on failure
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-3_000:]


# -- what is shown


def test_given_a_finding_of_any_kind_when_shown_then_the_run_has_failed_and_the_table_says_so() -> None:
    for name in Findings().all():
        tally = Tally()
        tally.findings.all()[name].append("something")

        assert not tally.findings.clean
        assert problems(tally) == [f"{name}: something"]
        assert f"  {name:<28} 1" in table(Plan("valkey", 7, 1), tally)


def test_the_command_line_has_ten_minutes_and_32_callers_if_nothing_is_said() -> None:
    given = arguments([])

    assert (given.seconds, given.callers, given.store) == (600, 32, "valkey")
