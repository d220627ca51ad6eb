"""``holdfast demo``: real buyers over real HTTP, and what it says in the end."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from server.cli.demo.buyers import UNITS, Figures, Shop
from server.cli.demo.demo import Units, _conclude
from tests.support.processes import END_S, Server, environment, holdfast

STUCK = """
from server.cli.main import main
from server.cli.demo import one_sale, simulated_channels

one_sale.SHOW_S = 4.0
honest = simulated_channels.SimulatedChannel.show
simulated_channels.Receiver.show = lambda self, key, quantity: honest(self, key, max(quantity, self.shown.get(key, 0)))
main()
"""
"""The demo with a receiver that says yes to everything, and whose numbers never fall."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def ended(folder: Path) -> "subprocess.CompletedProcess[str]":
    """One demo, which several tests examine."""
    return holdfast("demo", "--seconds", "3", "--buyers", "60", "--seed", "7", cwd=folder)


def test_no_lines_of_a_log_stand_between_those_of_the_demo(ended: "subprocess.CompletedProcess[str]") -> None:
    assert re.findall(r'"(?:level|event)": ?"(?:info|request)"', ended.stdout + ended.stderr) == []


def test_the_demo_sells_what_there_is_and_never_more(ended: "subprocess.CompletedProcess[str]", folder: Path) -> None:
    assert ended.returncode == 0, ended.stderr
    assert "seed 7" in ended.stdout
    assert ended.stdout.count("oversold 0") >= 2
    assert re.search(rf"^Sold [1-9]\d* of {sum(UNITS.values())} units \(trendyol \d+, ", ended.stdout, re.MULTILINE)
    assert re.search(r"^Oversold: 0$", ended.stdout, re.MULTILINE)
    [(retries, replays)] = re.findall(
        r"^([\d,]+) requests sent twice, ([\d,]+) answered as replays", ended.stdout, re.MULTILINE
    )
    assert retries == replays != "0"
    assert re.search(r"channels show \d+ \d+ \d+ \d+", ended.stdout)
    assert "\nChannels: all 4 show what is left\n" in ended.stdout
    assert ended.stdout.splitlines()[-1].startswith("verify: clean.")
    assert not list(folder.iterdir())


def test_the_demo_shows_one_sale_on_every_channel_with_the_milliseconds(
    ended: "subprocess.CompletedProcess[str]",
) -> None:
    lines = ended.stdout.splitlines()
    start = lines.index("One sale: ATLAS-TEE 8 → 7")
    drops = [re.fullmatch(r"  (\S+) \((\w+)\) +7   after (\d+) ms.*", line) for line in lines[start + 1 : start + 5]]
    assert [drop and drop.group(1, 2) for drop in drops] == [
        ("sim-marketplace", "trendyol"),
        ("sim-bazaar", "trendyol"),
        ("sim-shop", "woocommerce"),
        ("sim-webhook", "webhook"),
    ]


def test_the_demo_shows_orders_of_marketplaces_come_in_a_cancel_and_a_shipment(
    ended: "subprocess.CompletedProcess[str]",
) -> None:
    lines = ended.stdout.splitlines()
    start = lines.index("3 marketplaces sell one ATLAS-CAP each at the same moment; there are 2.")
    drop, *orders, cancel, shipment = lines[start + 1 : start + 7]
    assert re.fullmatch(r"  all 4 channels show 0 after \d+ ms", drop)
    found = [
        re.fullmatch(r"  (sim-\w+) +order (\d+) came in and (has its unit|is short of its unit)", each)
        for each in orders
    ]
    assert [each and each[1] for each in found] == ["sim-marketplace", "sim-bazaar", "sim-shop"]
    assert sorted(each[3] for each in found if each) == ["has its unit", "has its unit", "is short of its unit"]
    assert re.fullmatch(r"  the buyer of \d+ cancels: the order that was short has the unit after \d+ ms", cancel)
    assert re.fullmatch(r"  \d+ is shipped: sim-\w+ has its tracking after \d+ ms", shipment)


@pytest.mark.soak
def test_a_channel_that_does_not_show_what_is_left_makes_the_demo_fail(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", STUCK, "demo", "--seconds", "0.5", "--buyers", "5"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=END_S,
        check=False,
    )

    assert ended.returncode == 1
    assert re.search(r"^  sim-webhook \(webhook\) +8   not in time$", ended.stdout, re.MULTILINE)
    assert re.search(r"^  sim-shop \(woocommerce\) +7   after \d+ ms$", ended.stdout, re.MULTILINE)
    assert "Channels: not all show what is left" in ended.stdout
    assert re.search(r"^Wrong: sim-webhook shows 8 of DEMO-\w+ ATLAS-TEE, 7 are left$", ended.stderr, re.MULTILINE)
    assert "Oversold: 0" in ended.stdout


@pytest.mark.soak
def test_the_demo_s_own_server_does_not_heed_the_environment(tmp_path: Path) -> None:
    url = f"unix://{tmp_path}/none.sock"

    ended = holdfast("demo", "--seconds", "0.5", "--buyers", "3", cwd=tmp_path, HOLDFAST_STORE_URL=url)

    assert ended.returncode == 0, ended.stderr


@pytest.mark.soak
def test_the_demo_can_use_a_running_server_and_twice(tmp_path: Path) -> None:
    with Server("--sample", cwd=tmp_path) as server:
        words = ("demo", "--seconds", "1", "--buyers", "20", "--seed", "7", "--url", server.address)

        ends = [holdfast(*words, cwd=tmp_path) for _ in range(2)]

    assert [ended.returncode for ended in ends] == [0, 0], ends[1].stderr
    assert all("Oversold: 0" in ended.stdout for ended in ends)
    assert all(ended.stdout.startswith("Leave out --url to see simulated channels as well.") for ended in ends)
    assert "One sale" not in ends[0].stdout
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
    assert "answers add up to 2 units sold, the stock API to 1" in capsys.readouterr().err
