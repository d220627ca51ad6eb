"""The peers of the bench: each reserves, runs out without overselling, and is seen to leak where it does."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.harness.bars import Bar
from bench.harness.load import LoadError, Result, Target, load
from bench.harness.stock import SPREAD_SKUS
from bench.http.contestants import MiscountError
from bench.peers import checks, line_up, table
from bench.peers.base import EXPIRY_SKU, RACE_SKU, Ask, MissingError, Peer, Recorded
from bench.peers.checks import Right, Sizes
from bench.peers.cluster import Cluster
from bench.peers.medusa import Medusa
from bench.peers.postgres_forms import FORMS
from bench.peers.table import HOLDFAST, MEDUSA, POSTGRES, REDIS, Found, Rival
from bench.peers.web import ask_at_once

SMALL = Sizes(units=5, requests=40, holds=20, grace_s=60.0)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    try:
        made = Cluster()
    except MissingError as missing:
        pytest.skip(str(missing))
    with made:
        yield made


@pytest.fixture(scope="module", params=FORMS)
def postgres(
    cluster: Cluster, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Peer]:
    with line_up.postgres(tmp_path_factory.mktemp("postgres"), cluster, request.param) as peer:
        yield peer


@pytest.fixture(scope="module")
def naive_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with line_up.naive_redis(tmp_path_factory.mktemp("redis")) as peer:
        yield peer


@pytest.fixture(scope="module")
def medusa(cluster: Cluster) -> Iterator[Peer]:
    try:
        made = Medusa(cluster)
    except MissingError as missing:
        pytest.skip(str(missing))
    with made:
        yield made


def reserve_one(peer: Peer, number: int) -> int:
    return ask_at_once(peer.url, lambda: peer.ask(number, 3600), requests=1, connections=1)


def assert_one_unit_is_taken(peer: Peer) -> None:
    before, left = peer.recorded(), peer.available(7)

    assert reserve_one(peer, 7) == 1

    after = peer.recorded()
    assert (after.reserved - before.reserved, after.gone - before.gone) == (1, 1)
    assert peer.available(7) == left - 1


# -- Postgres


@pytest.mark.soak
def test_the_postgres_peer_takes_a_unit_and_keeps_the_reservation(postgres: Peer) -> None:
    assert_one_unit_is_taken(postgres)


def test_the_postgres_peer_does_not_oversell(postgres: Peer) -> None:
    assert checks.race(postgres, SMALL) == SMALL.units
    assert postgres.available(RACE_SKU) == 0


def test_the_postgres_peer_releases_what_expired(postgres: Peer) -> None:
    assert checks.expire(postgres, SMALL) == 0


def test_the_postgres_peer_takes_all_lines_or_none(postgres: Peer) -> None:
    # given two SKUs, of which one is short
    postgres.put(3, 10)
    postgres.put(4, 0)
    path, body, headers = postgres.ask(3, 3600)
    body["lines"].append(postgres.ask(4, 3600).body["lines"][0])

    granted = ask_at_once(postgres.url, lambda: Ask(path, body, headers), requests=1, connections=1)

    assert (granted, postgres.available(3), postgres.available(4)) == (0, 10, 0)


# -- Redis as in most examples


def test_the_naive_redis_peer_takes_a_unit_and_keeps_the_hold(naive_redis: Peer) -> None:
    assert_one_unit_is_taken(naive_redis)


def test_the_naive_redis_peer_does_not_oversell(naive_redis: Peer) -> None:
    assert checks.race(naive_redis, SMALL) == SMALL.units


def test_units_that_the_naive_redis_peer_never_releases_are_counted(naive_redis: Peer) -> None:
    found = checks.expire(naive_redis, SMALL._replace(grace_s=0.5))

    assert found == SMALL.holds
    assert naive_redis.available(EXPIRY_SKU) == 0


# -- Holdfast and Medusa, as the bench sees them


@pytest.mark.soak
def test_holdfast_passes_the_checks_that_its_peers_must_pass(tmp_path: Path) -> None:
    with line_up.holdfast(tmp_path) as peer:
        assert_one_unit_is_taken(peer)
        right = checks.check(peer, SMALL)

    assert (right.granted, right.oversold, right.never_released) == (SMALL.units, 0, 0)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_medusa_reserves_and_does_not_oversell(medusa: Peer) -> None:
    assert_one_unit_is_taken(medusa)
    right = checks.check(medusa, SMALL)

    assert (right.granted, right.oversold, right.never_released) == (SMALL.units, 0, None)


# -- what is missing is said


def test_a_peer_that_is_missing_is_left_out_with_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # given a machine without Postgres
    def missing() -> Cluster:
        raise MissingError("Postgres is missing: apt-get install postgresql")

    monkeypatch.setattr(table, "Cluster", missing)
    found = Found({}, {}, [], {})

    with contextlib.ExitStack() as stack:
        starters = table.starters(stack, found, lambda _: None, ())

    assert set(starters) == {HOLDFAST, REDIS}
    assert found.skipped == [
        "Left out: Postgres, and Medusa, which needs it. Postgres is missing: apt-get install postgresql"
    ]


def test_a_load_of_another_kind_needs_wrk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.harness.load.loader", lambda: "aiohttp client")

    with pytest.raises(LoadError, match="apt-get install wrk"):
        load("http://127.0.0.1:1", 1, 1, 1, Target("/elsewhere", Path("other.lua")))


# -- the arithmetic


def result(rate: int) -> Result:
    return Result(rate, 1_000_000, 100, 200, 0, 0)


def found_where(rates: Callable[[str, int], int]) -> Found:
    rivals = table.rivals(table.PEERS)
    cells = {(number, rival): [result(rates(*rival))] for number in (1, 32) for rival in rivals}
    right = {HOLDFAST: Right(50, 200, 50, 500, 0), REDIS: Right(50, 200, 50, 500, 500)}
    right[MEDUSA] = Right(50, 200, 60, 500, None)
    return Found(cells, right, [], {})


def test_the_bars_hold_holdfast_against_postgres_at_the_same_load() -> None:
    # given a Holdfast that is 15 times as fast as Postgres when all want the same, and 3 times when they do not
    found = found_where(lambda peer, skus: 3_000 if peer == HOLDFAST else 200 if skus == 1 else 1_000)

    reached = {bar.title: bar.reached for bar in table.bars(found)}

    assert reached["Holdfast durable against Postgres, hot, 32 connections: requests/s"]
    assert not reached["Holdfast durable against Postgres, spread, 32 connections: requests/s"]


def test_units_that_were_reserved_and_are_not_there_are_oversold() -> None:
    rows = {row[0]: row for row in table.right_table(found_where(lambda *_: 1)).rows}

    assert rows[MEDUSA][4] == "10"
    assert rows[MEDUSA][5:] == ("none can", "–")
    assert rows[REDIS][4:] == ("0", "500", "500")


def test_every_peer_has_its_row_at_each_load() -> None:
    rows = table.table(found_where(lambda peer, _: 300 if peer == HOLDFAST else 100)).rows

    assert len(rows) == 2 * 2 * len(table.PEERS)
    assert [row[4] for row in rows if row[:2] == ("32", "hot")] == ["", *["3.0 ×"] * (len(table.PEERS) - 1)]
    assert Rival(POSTGRES, SPREAD_SKUS).title == "Postgres, spread"


def test_a_peer_that_could_not_be_had_is_a_row_that_says_so() -> None:
    found = found_where(lambda *_: 100)
    found.cells = {place: rounds for place, rounds in found.cells.items() if place[1].peer != MEDUSA}
    del found.right[MEDUSA]

    summary = table.summary(found)

    assert summary is not None
    assert summary.rows[-1] == (MEDUSA, "not run", "", "not run", "", "", "")
    assert [row[3] for row in table.table(found).rows if row[2] == MEDUSA] == ["not run"] * 4


def test_the_readme_says_how_far_ahead_and_what_leaks() -> None:
    summary = table.summary(found_where(lambda peer, _: 300 if peer == HOLDFAST else 100))

    assert summary is not None
    assert summary.rows[0] == (HOLDFAST, "300", "", "300", "", "0", "0 of 500")
    assert summary.rows[1] == (REDIS, "100", "3.0 ×", "100", "3.0 ×", "0", "500 of 500")


@pytest.mark.parametrize(
    "now",
    [Recorded(reserved=9, gone=9), Recorded(reserved=13, gone=13), Recorded(reserved=10, gone=11)],
    ids=["fewer than acknowledged", "more than asked", "its sums differ"],
)
def test_records_that_do_not_agree_give_no_figure(now: Recorded) -> None:
    with pytest.raises(MiscountError):
        checks.compare_with_records("a peer", Recorded(0, 0), now, acknowledged=10, unread=2)


def test_answers_that_failed_are_reported_and_not_in_the_rate() -> None:
    # given a peer that gave up on a quarter of its requests
    found = found_where(lambda *_: 100)
    found.cells[32, Rival(MEDUSA, 1)] = [Result(100, 1_000_000, 100, 200, 25, 0)]

    [row] = [row for row in table.table(found).rows if row[:3] == ("32", "hot", MEDUSA)]

    assert (row[3], row[-1]) == ("75", "25%")


def test_a_missed_bar_is_a_bar_nevertheless() -> None:
    bars = list(table.bars(found_where(lambda *_: 1)))

    assert all(isinstance(bar, Bar) for bar in bars)
    assert [bar.reached for bar in bars] == [False, False, False, False, True, True]
