"""The stream of changes of both clients, on a real server: it comes back, goes on where it was, and misses nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count

import pytest

import holdfast
from holdfast.types import CountMovement
from tests.clients.followers import END, KINDS, Follower, following
from tests.clients.lossy_proxy import LossyProxy
from tests.support.http import Server

pytest_plugins = ("tests.support.http_fixtures",)

ROUNDS = 60
STEP = 10
SEED = 5
_ends = count(1)
FAR_AHEAD = "99999999999999-0"


def counts(url: str, **on_hand: int) -> None:
    with holdfast.Client(url) as client:
        movements = [CountMovement(sku=sku, on_hand=units, allow_similar=True) for sku, units in on_hand.items()]
        assert all(result.status == 200 for result in client.stock.move_many(movements))


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    with Server(role="api") as started:
        yield started
        assert started.faults == []


@contextmanager
def followed(server: Server, kind: str, url: str, method: str, after: str = "") -> Iterator[Follower]:
    with following(kind, url, method, after, ends=partial(counts, server.url, **{END: next(_ends)})) as follower:
        yield follower


@pytest.mark.timeout(200)
@pytest.mark.parametrize("kind", KINDS)
def test_given_a_network_that_breaks_off_when_stock_changes_then_no_change_is_missed(
    own_server: Server, kind: str
) -> None:
    with LossyProxy(own_server.port, seed=SEED) as proxy:
        proxy.rages()
        with followed(own_server, kind, proxy.url, "stream") as follower:
            follower.wait_open()
            for number in range(ROUNDS):
                counts(own_server.url, **{f"{kind}-{number % 7}": number, f"{kind}-{number}-once": number})
                if number % STEP == STEP - 1:  # a group of changes that never fits between two breaks would never come
                    follower.wait_for({f"{kind}-{number}-once": number})
            last = {f"{kind}-{number % 7}": number for number in range(ROUNDS)}
            follower.wait_for(last | {f"{kind}-{number}-once": number for number in range(ROUNDS)})
        assert proxy.broken_streams > 3


@pytest.mark.timeout(200)
@pytest.mark.parametrize("kind", KINDS)
def test_given_a_proxy_that_ends_every_stream_after_a_second_when_stock_changes_then_no_change_is_missed(
    own_server: Server, kind: str
) -> None:
    with LossyProxy(own_server.port, seed=SEED) as proxy:
        proxy.cuts_streams_after(1)
        with followed(own_server, kind, proxy.url, "stream") as follower:
            follower.wait_open()
            number = 0
            while proxy.broken_streams < 4:
                counts(own_server.url, **{f"{kind} each second {number}": number})
                number += 1
            follower.wait_for({f"{kind} each second {each}": each for each in range(number)})
    assert follower.opened > 4


@pytest.mark.parametrize("kind", KINDS)
def test_given_a_place_of_before_when_followed_from_there_then_what_was_changed_meanwhile_comes(
    own_server: Server, kind: str
) -> None:
    with followed(own_server, kind, own_server.url, "stream") as follower:
        follower.wait_open()
        counts(own_server.url, **{f"{kind}-before": 1})
        follower.wait_for({f"{kind}-before": 1})
    counts(own_server.url, **{f"{kind}-meanwhile": 2})

    with followed(own_server, kind, own_server.url, "stream", follower.position) as later:
        later.wait_for({f"{kind}-meanwhile": 2})
    assert f"{kind}-before" not in later.known


@pytest.mark.parametrize("kind", KINDS)
def test_given_a_place_that_the_journal_does_not_have_when_followed_then_it_says_that_a_snapshot_is_needed(
    own_server: Server, kind: str
) -> None:
    with followed(own_server, kind, own_server.url, "stream", FAR_AHEAD) as follower:
        follower.wait_end()

    assert follower.ended == "SnapshotNeeded"


@pytest.mark.parametrize("kind", KINDS)
def test_given_the_same_when_all_is_followed_then_everything_is_read_and_then_followed(
    own_server: Server, kind: str
) -> None:
    counts(own_server.url, **{f"{kind}-there": 3})
    with followed(own_server, kind, own_server.url, "follow", FAR_AHEAD) as follower:
        follower.wait_for({f"{kind}-there": 3})
        assert follower.snapshot_values > 0
        counts(own_server.url, **{f"{kind}-there": 4})
        follower.wait_for({f"{kind}-there": 4})


@pytest.mark.parametrize("kind", KINDS)
def test_given_a_server_that_stops_and_starts_again_when_stock_changes_then_the_stream_goes_on(
    start_server: Callable[..., Server], kind: str
) -> None:
    server = start_server(role="api")
    with followed(server, kind, server.url, "stream") as follower:
        follower.wait_open()
        counts(server.url, A=1)
        follower.wait_for({"A": 1})
        server.stop()
        server.start()
        counts(server.url, A=2)
        follower.wait_for({"A": 2})
