"""The scaling bench and its pictures: it counts right, and what it draws can be read."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench.harness import pictures
from bench.harness.load import Result, loader
from bench.harness.stores import Store
from bench.http.contestants import MiscountError
from bench.scaling import fanout, inside, over_http, series
from bench.scaling.over_http import OverHttp, Served, serving
from bench.scaling.series import Series
from bench.store.store_table import State, filled
from server.store.embedded.binary import find_binary


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with filled(find_binary(), State(1_000, 0)) as store:
        yield store


# -- the arithmetic


def test_a_rate_is_held_against_the_smallest_size_of_its_own_round() -> None:
    # given a machine that was twice as slow in the second round
    grown = Series("SKUs", "reservations", {"1,000": [100.0, 50.0], "10,000": [90.0, 45.0]}, flat=True)

    assert grown.ratio("10,000").rounds == [0.9, 0.9]


def test_only_what_should_stay_flat_is_judged_and_at_its_largest() -> None:
    flat = Series("SKUs", "reservations", {"1": [100.0], "2": [80.0], "3": [86.0]}, flat=True)
    other = Series("lines", "requests", {"1": [100.0], "20": [10.0]})

    [bar] = series.bars([flat, other])

    assert bar.title == "SKUs: 3 against 1"
    assert bar.reached


def test_the_stores_that_two_series_need_are_filled_once() -> None:
    assert inside.USUAL.states.count(State(inside.SOME, 0)) == 1
    assert len(inside.USUAL.states) == len(inside.USUAL.skus) + len(inside.USUAL.live) - 1


def test_channels_are_as_many_as_asked_for_and_of_both_kinds() -> None:
    named = fanout.kinds(100)

    assert len(named) == 100
    assert set(named.values()) == {"webhook", "woocommerce"}


# -- over HTTP


def test_reservations_of_several_lines_and_in_batches_are_all_made(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    if loader() != "wrk":
        pytest.skip("wrk is not installed: apt-get install wrk")
    monkeypatch.setattr(over_http, "SOME", 1_000)
    monkeypatch.setattr(over_http, "LINES", (5,))
    monkeypatch.setattr(over_http, "BATCH", 20)
    http = OverHttp(inside.QUICK, seconds=1)

    with serving(store, 1) as served:
        http.shapes(served)  # which holds what was acknowledged against what the store has

    found = {(each.title, each.unit): each for each in http.series if each.points}
    assert found["lines of a reservation, 32 connections", "lines"].sizes == ["5"]
    assert found["reservations in one call", "reservations"].sizes == ["1", "20"]


def test_a_rate_without_its_reservations_gives_no_figure(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a load that says it was acknowledged more than was made
    monkeypatch.setattr(over_http, "load", lambda *_: Result(10, 1_000_000, 1, 1, 0, 0))

    with pytest.raises(MiscountError, match="10 reservations were acknowledged"):
        Served("http://127.0.0.1:1", store).rate(4, 1, 1)


# -- pictures

RESULTS: dict[str, pictures.Peers | pictures.Growth] = {
    "peers": pictures.Peers("2026-01-01", [1, 32], {"ours": [1.0, 2.0]}, {"ours": [1.0, 3.0]}),
    "scaling": pictures.Growth(
        "2026-01-01", {"SKUs": [(0, 1.0), (1_000, 0.9)]}, series.FLAT, [1, 20], [1.0, 2.0], [3.0, 4.0]
    ),
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_picture_is_an_svg_for_light_and_dark(name: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="make .venv/.installed-bench")

    pictures.save(name, RESULTS[name], tmp_path)

    drawn = (tmp_path / f"{name}.svg").read_text("utf-8")
    assert ET.fromstring(drawn).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314  # drawn by us
    assert "prefers-color-scheme: dark" in drawn
    assert "Helvetica" in drawn, "text is text, and can be searched"


def test_the_same_results_give_the_same_picture() -> None:
    pytest.importorskip("matplotlib", reason="make .venv/.installed-bench")

    assert pictures.draw(RESULTS["peers"]) == pictures.draw(RESULTS["peers"])
