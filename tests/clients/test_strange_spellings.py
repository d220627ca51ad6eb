"""Names as people have them: each client counts, reserves and reads them at a real server, and gets them back."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.clients.js_side import js_side
from tests.clients.sides import MODES, PythonSide, RefusedError, Side, python_client
from tests.support.http import Server

NAMES = [
    "a/b",
    "a//b/",
    "/",
    "100%",
    "%2F",
    "%",
    "a?b=c&d#e",
    "a+b c",
    "..;",
    "...",
    "~Uy8x",
    "a\\b",
    "TS–1 İıŞş",
    "日本 🧺",
    "a:b@c",
    '"quoted" <b>',
    "x" * 128,
    "ş" * 64,
]
KINDS = [*MODES, "js"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(role="api") as started:
        yield started
        assert started.faults == []


@pytest.fixture(scope="module")
def sides(server: Server) -> Iterator[dict[str, Side]]:
    with ExitStack() as opened:
        found: dict[str, Side] = {
            mode: PythonSide(opened.enter_context(python_client(mode, server.url))) for mode in MODES
        }
        yield found | {"js": opened.enter_context(js_side(server.url))}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_goes_there_and_comes_back_as_it_is(sides: dict[str, Side], kind: str, name: str) -> None:
    side, number = sides[kind], KINDS.index(kind)
    counted = {"sku": name, "location": "main", "on_hand": 10 + number, "allow_similar": True}
    side.call("stock", "count", counted)
    assert side.call("availability", "read", {"sku": name})["sku"] == name
    assert side.call("stock", "read", {"sku": name})["levels"][0]["on_hand"] == 10 + number

    basket = f"#{name[:20]} {kind}"
    lines = [{"sku": name, "quantity": 1}]
    held = side.call("reservations", "reserve", {"channel": "shop", "reservation_id": basket, "lines": lines})
    assert (held["reservation_id"], held["lines"][0]["sku"]) == (basket, name)
    assert (
        side.call("reservations", "commit", {"reservation_id": basket, "order_ref": name[:40]})["state"] == "committed"
    )
    found = side.call("reservations", "read_many", {"sku": name, "state": "committed"})["reservations"]
    assert basket in [each["reservation_id"] for each in found]
    assert side.call("reservations", "cancel", {"reservation_id": basket})["state"] in ("cancelled", "released")


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_done_before_by_a_program_that_has_forgotten_it_is_told_apart(
    sides: dict[str, Side], kind: str
) -> None:
    side = sides[kind]
    side.call("stock", "count", {"sku": "TWICE", "location": "main", "on_hand": 10})
    basket = {"channel": "shop", "reservation_id": f"twice-{kind}", "lines": [{"sku": "TWICE", "quantity": 1}]}
    side.call("reservations", "reserve", basket)
    side.call("reservations", "commit", {"reservation_id": basket["reservation_id"]})

    with pytest.raises(RefusedError) as refused:
        side.call("reservations", "commit", {"reservation_id": basket["reservation_id"]})
    assert refused.value.problem["outcome"] == "already_committed"
