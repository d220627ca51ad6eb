"""``holdfast demo``: real buyers over real HTTP, and what it says in the end."""

import re
from pathlib import Path

import pytest

from server.commands.demo import Units, _conclude
from server.commands.demo_buyers import UNITS, Figures, Shop
from tests.processes import Server, holdfast


def test_the_demo_sells_what_there_is_and_never_more(tmp_path: Path) -> None:
    ended = holdfast("demo", "--seconds", "3", "--buyers", "60", "--seed", "7", cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr
    assert "seed 7" in ended.stdout
    assert ended.stdout.count("oversold 0") >= 2
    assert re.search(rf"^Sold [1-9]\d* of {sum(UNITS.values())} units \(trendyol \d+, ", ended.stdout, re.MULTILINE)
    assert re.search(r"^Oversold: 0$", ended.stdout, re.MULTILINE)
    [(retries, replays)] = re.findall(
        r"^([\d,]+) requests sent twice, ([\d,]+) answered as replays", ended.stdout, re.MULTILINE
    )
    assert retries == replays != "0"
    assert ended.stdout.splitlines()[-1].startswith("verify: clean.")
    assert list(tmp_path.iterdir()) == [tmp_path / "out"] or not list(tmp_path.iterdir())


def test_the_demo_s_own_server_does_not_heed_the_environment(tmp_path: Path) -> None:
    url = f"unix://{tmp_path}/none.sock"

    ended = holdfast("demo", "--seconds", "0.5", "--buyers", "3", cwd=tmp_path, HOLDFAST_STORE_URL=url)

    assert ended.returncode == 0, ended.stderr


def test_the_demo_can_use_a_running_server_and_twice(tmp_path: Path) -> None:
    with Server("--sample", cwd=tmp_path) as server:
        words = ("demo", "--seconds", "1", "--buyers", "20", "--seed", "7", "--url", server.address)

        ends = [holdfast(*words, cwd=tmp_path) for _ in range(2)]

    assert [ended.returncode for ended in ends] == [0, 0], ends[1].stderr
    assert all("Oversold: 0" in ended.stdout for ended in ends)
    assert holdfast("verify", cwd=tmp_path).returncode == 0


def test_a_server_that_is_not_there_is_said_in_plain_words(tmp_path: Path) -> None:
    ended = holdfast("demo", "--seconds", "1", "--url", "http://127.0.0.1:1", cwd=tmp_path)

    assert ended.returncode == 1
    assert "The server does not answer" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.fixture
def shop() -> Shop:
    return Shop(None, "test")  # type: ignore[arg-type]  # it asks nothing


def test_an_oversold_unit_makes_the_demo_fail(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.figures = Figures()
    shop.figures.sold["emag"] = 4

    healthy = _conclude(shop, Units(on_hand=3, held=0, sold=4, left=0, oversold=1))

    assert not healthy
    assert "Oversold: 1" in capsys.readouterr().out


def test_a_sale_that_the_stock_does_not_know_makes_the_demo_fail(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.figures.sold["emag"] = 2

    healthy = _conclude(shop, Units(on_hand=3, held=0, sold=1, left=2, oversold=0))

    assert not healthy
    assert "told of 2 units, the stock says 1" in capsys.readouterr().err
