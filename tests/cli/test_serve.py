"""``holdfast serve`` as real processes: starts, banner, stops, and several workers on one port."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from server.cli.demo.sample import lines_to_try
from server.telemetry.metrics_page import PAGE_LIFE_S
from server.telemetry.request_tally import HAND_OVER_S
from tests.support.http import ROOT
from tests.support.processes import Server, alive, children, ending, environment, holdfast
from tests.support.stores import start_valkey, wait_until

SKU_IN_URL = "TS-1001-S%C4%B0YAH-M"
CURL = re.compile(r"^  (curl (?:.*\\\n)*.*)$", re.MULTILINE)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_server_that_is_asked_to_stop_stops_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with Server(cwd=tmp_path) as server:
        assert server.get("/readyz") == {"status": "ok"}

        code = server.stop(number)

        assert code == 0
        assert server.output().splitlines()[-1] == "Stopping."
        assert "Traceback" not in server.errors()
        assert not (tmp_path / ".holdfast" / "store.pid").exists()


def test_the_banner_says_where_on_what_and_for_whom(tmp_path: Path) -> None:
    with Server(cwd=tmp_path) as server:
        banner = server.output()

    assert re.search(r"^Holdfast \S+ at http://127\.0\.0\.1:\d+$", banner, re.MULTILINE)
    assert f"store       embedded, in {tmp_path / '.holdfast'}" in banner
    assert "durability  durable: an answer leaves after the fsync" in banner
    assert "open to     this machine only, without a key" in banner


def test_the_banner_of_a_store_at_a_url_hides_its_password(tmp_path: Path) -> None:
    with Server(cwd=tmp_path) as server:
        url = f"unix://user:hush@{tmp_path}/.holdfast/store.sock"

        ended = holdfast("serve", "--port", "0", "--store-url", url, cwd=tmp_path)

    assert server.address
    assert ended.returncode == 1
    assert "hush" not in ended.stdout + ended.stderr


@pytest.mark.parametrize("is_on_path", [True, False])
def test_the_printed_commands_can_be_copied_where_the_program_is_called_by_its_path(
    tmp_path: Path, *, is_on_path: bool
) -> None:
    program = Path(sysconfig.get_path("scripts")) / "holdfast"
    path = f"{program.parent}:/usr/bin:/bin" if is_on_path else "/usr/bin:/bin"
    with (tmp_path / "out").open("wb") as out:
        words = [str(program), "serve", "--sample", "--port", "0"]
        server = subprocess.Popen(words, cwd=tmp_path, env=environment(PATH=path), stdout=out, stderr=out)
    with ending(server):
        wait_until(lambda: " orders\n" in (tmp_path / "out").read_text("utf-8"), "it prints what to try", 60)

    *_, last = [line for line in (tmp_path / "out").read_text("utf-8").splitlines() if line.endswith(" orders")]
    assert last == f"  {'holdfast' if is_on_path else program} orders"


def test_with_a_sample_the_printed_lines_work_as_they_stand(tmp_path: Path) -> None:
    with Server("--sample", cwd=tmp_path) as server:
        wanted = lines_to_try(server.address, needs_key=False)
        printed = server.output()  # all of it comes at once
        lines = CURL.findall(printed)

        answers = [run_line(line) for line in lines]
        wait_until(lambda: "available 20 = on_hand 25" in run_line(lines[3]), "one order came in, one was cancelled")

    assert wanted in printed
    available, held, committed, stock, channels, bought, other, cancelled = answers
    assert '"available":29' in available
    assert '"state":"held"' in held
    assert '"state":"committed"' in committed
    assert "available 21 = on_hand 25" in stock
    assert '"channel":"sim-shop","kind":"woocommerce"' in channels
    assert '"shows": ' in bought
    assert '"shows": ' in other
    assert '"state": "cancelled"' in cancelled


def test_after_a_restart_the_simulated_channels_know_their_open_orders(tmp_path: Path) -> None:
    with Server("--sample", cwd=tmp_path) as first:
        number = json.loads(run_line(line_with(first, "/buy/")))["order"]
        wait_until(lambda: state_of(first, number) == "booked", "the order came in")

    with Server("--sample", cwd=tmp_path) as second:
        cancelled = json.loads(run_line(line_with(second, "/cancel")))
        wait_until(lambda: state_of(second, number) == "cancelled", "the cancel came in")

    assert cancelled == {"order": number, "state": "cancelled"}


def line_with(server: Server, part: str) -> str:
    """Find the first printed line with a part."""
    found: list[str] = CURL.findall(server.output())
    return next(line for line in found if part in line)


def state_of(server: Server, number: int) -> str:
    """Read the state of an order's booking, empty while it has none."""
    orders = server.get(f"/v1/orders?number={number}")["orders"]
    return orders[0]["state"] if orders else ""


def run_line(line: str) -> str:
    """Run a printed line as a shell would."""
    ended = subprocess.run(["sh", "-c", line.replace("curl", "curl -sS --fail")], capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.decode()


@pytest.mark.soak
def test_a_second_start_prints_the_same_lines_and_has_the_same_stock(tmp_path: Path) -> None:
    with Server("--sample", cwd=tmp_path) as first:
        line = {"sku": "BAL-ÇAM-850G", "quantity": 4}
        first.post("/v1/orders", {"channel": "emag", "lines": [line]})
        lines = lines_of(first)

    with Server("--sample", "--port", str(first.port), cwd=tmp_path) as second:
        stock = second.get("/v1/stock/BAL-%C3%87AM-850G")

        assert lines_of(second) == lines
        assert (stock["levels"][0]["committed"], stock["available"]) == (4, 86)


def lines_of(server: Server) -> list[str]:
    """Find the printed lines that call the server itself; the simulated channels have new addresses at each start."""
    return [line for line in CURL.findall(server.output()) if server.address in line]


@pytest.mark.soak
def test_a_store_that_has_stock_is_left_as_it_is_by_sample(tmp_path: Path) -> None:
    (tmp_path / "stock.csv").write_text("sku,on_hand\nOURS,7\n")
    holdfast("import", "stock.csv", cwd=tmp_path)

    with Server("--sample", cwd=tmp_path):
        totals = holdfast("show", "--json", cwd=tmp_path)

    assert '"skus": 1,' in totals.stdout


SIMULATED = {
    "sim-marketplace": "trendyol",
    "sim-bazaar": "trendyol",
    "sim-shop": "woocommerce",
    "sim-webhook": "webhook",
}


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.soak)])
def test_a_sale_of_the_sample_arrives_on_its_simulated_channels(tmp_path: Path, workers: str) -> None:
    with Server("--sample", "--workers", workers, cwd=tmp_path) as server:
        listed = server.get("/v1/channels")["channels"]
        sell(server, 4)

        sell(server, 1)

        assert shows(server) == dict.fromkeys(SIMULATED, (86, 85))
        assert {each["channel"]: each["kind"] for each in listed} == SIMULATED
        assert all(f"  {name} " in server.output() for name in SIMULATED)


def sell(server: Server, quantity: int) -> None:
    """Sell some of ninety, and wait until every channel has confirmed that, and all that was before."""
    since_ms = time.time_ns() // 1_000_000
    server.post("/v1/orders", {"channel": "store", "lines": [{"sku": "BAL-ÇAM-850G", "quantity": quantity}]})
    wait_until(lambda: min(confirmed_ms(server, name) for name in SIMULATED) >= since_ms, "all have confirmed the sale")


def confirmed_ms(server: Server, channel: str) -> int:
    """Up to when in the journal a channel has confirmed everything."""
    cursor: str = server.get(f"/v1/channels/{channel}/status")["cursor"]
    return int(cursor.partition("-")[0] or 0)


def shows(server: Server) -> dict[str, tuple[int, int]]:
    """What each simulated channel last logged that it shows: the number before, and the new one."""
    lines = [msgspec.json.decode(line) for line in server.errors().splitlines() if '"simulated_channel_shows"' in line]
    return {line["channel"]: (line["before"], line["shows"]) for line in lines}


@pytest.mark.soak
def test_after_a_new_start_the_simulated_channels_show_what_they_showed(tmp_path: Path) -> None:
    with Server("--sample", cwd=tmp_path) as first:
        sell(first, 4)

    with Server("--sample", cwd=tmp_path) as second:
        sell(second, 1)

        assert shows(second) == dict.fromkeys(SIMULATED, (86, 85))


def test_with_a_configuration_of_one_s_own_no_channels_are_simulated(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("")

    with Server("--sample", "--config", "own.toml", cwd=tmp_path) as server:
        assert server.get("/v1/channels") == {"channels": []}
        assert "sim-" not in server.output()


def test_a_shared_store_that_keeps_real_channels_gets_no_simulated_ones(tmp_path: Path) -> None:
    with start_valkey() as store:
        (tmp_path / "shop.csv").write_text("sku,key\nTSHIRT,1\n")
        words = ("listings", "my-shop", "shop.csv", "--new", "--store-url", store.url)
        listed = holdfast("channels", *words, cwd=tmp_path)

        with Server("--sample", "--store-url", store.url, cwd=tmp_path) as server:
            assert listed.returncode == 0, listed.stderr
            assert server.get("/v1/channels") == {"channels": []}
            assert (
                "No simulated channels: another server publishes the channels of this store (my-shop)."
                in server.output()
            )


def test_without_a_key_a_server_for_other_machines_does_not_start(tmp_path: Path) -> None:
    ended = holdfast("serve", "--host", "0.0.0.0", "--port", "0", cwd=tmp_path)

    assert ended.returncode == 1
    assert "holdfast keys new --scope admin" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_with_a_key_it_starts_and_says_that_it_wants_one(tmp_path: Path) -> None:
    holdfast("keys", "new", "--scope", "read", cwd=tmp_path)

    with Server("--host", "0.0.0.0", cwd=tmp_path) as server:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{server.port}/v1/availability/NONE")

        with refused.value as answer:
            assert answer.status == 401
        assert "callers with an API key" in server.output()


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_taken_port_is_named(tmp_path: Path, taken_port: int, workers: str) -> None:
    ended = holdfast("serve", "--port", str(taken_port), "--workers", workers, cwd=tmp_path)

    assert ended.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{taken_port}" in ended.stderr
    assert "--port" in ended.stderr
    assert not (tmp_path / ".holdfast" / "store.pid").exists()


def test_a_misspelled_setting_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    ended = holdfast("serve", cwd=tmp_path, HOLDFAST_PROT="9000")

    assert ended.returncode == 1
    assert "HOLDFAST_PROT is not a setting; did you mean HOLDFAST_PORT?" in ended.stderr


def test_a_data_directory_that_another_server_has_is_refused(tmp_path: Path) -> None:
    with Server(cwd=tmp_path) as server:
        ended = holdfast("serve", "--port", "0", cwd=tmp_path)

        assert ended.returncode == 1
        assert f"in use by a running Holdfast (process {server.process.pid})" in ended.stderr
        assert server.get("/readyz") == {"status": "ok"}


# -- several workers


def counted(server: Server) -> float:
    """Return how many readings of an availability the metrics count."""
    found = re.search(
        r'^holdfast_http_request_seconds_count\{method="GET",route="/v1/availability/\{sku\}",status="200"\} ([\d.]+)$',
        server.read("/metrics").decode(),
        re.MULTILINE,
    )
    return float(found[1]) if found else 0


def test_the_metrics_of_two_workers_add_up_at_one_scrape(tmp_path: Path) -> None:
    with Server("--workers", "2", "--sample", cwd=tmp_path) as server:
        for _ in range(40):  # each on a connection of its own, so both workers get some
            server.get(f"/v1/availability/{SKU_IN_URL}")

        # The worker that is not asked hands its tally over a moment later.
        wait_until(lambda: counted(server) >= 40, "every request is counted")
        time.sleep(PAGE_LIFE_S + HAND_OVER_S)  # then no worker shows an older page
        assert counted(server) == 40
        assert len(children(server.process.pid)) == 3  # one of them for the channels


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.soak), signal.SIGTERM])
def test_workers_stop_with_their_parent(tmp_path: Path, number: signal.Signals) -> None:
    with Server("--workers", "2", cwd=tmp_path) as server:
        pids = children(server.process.pid)

        code = server.stop(number)

        assert code == 0
        assert len(pids) == 2
        assert not any(alive(pid) for pid in pids)
        assert not (tmp_path / ".holdfast" / "store.pid").exists()
        assert "Traceback" not in server.errors()


def test_a_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    with Server("--workers", "2", cwd=tmp_path) as server:
        first, second = children(server.process.pid)

        os.kill(first, signal.SIGKILL)

        wait_until(lambda: len(set(children(server.process.pid)) - {first}) == 2, "there are two workers again")
        assert second in children(server.process.pid)
        assert '"worker_ended"' in server.errors()
        assert all(server.get("/livez") == {"status": "ok"} for _ in range(10))
        assert server.stop() == 0


def connect(port: int, times: int = 16) -> int:
    """How many of so many new connections are answered soon."""
    answered = 0
    for _ in range(times):
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=0.5):
            answered += 1
    return answered


def metrics_directory(pid: int) -> Path:
    [found] = re.findall(rb"PROMETHEUS_MULTIPROC_DIR=([^\0]+)", Path(f"/proc/{pid}/environ").read_bytes())
    return Path(os.fsdecode(found))


@pytest.mark.parametrize("which", [0, 1])
def test_a_worker_that_hangs_is_killed_and_replaced_and_connections_succeed_again(tmp_path: Path, which: int) -> None:
    with Server("--workers", "2", cwd=tmp_path, HOLDFAST_WORKER_HANG_S="1.5") as server:
        pids = children(server.process.pid)
        assert connect(server.port) == 16

        os.kill(pids[which], signal.SIGSTOP)

        wait_until(lambda: '"worker_hung"' in server.errors(), "it is noticed")
        wait_until(lambda: len(set(children(server.process.pid)) - {pids[which]}) == 2, "there are two again")
        wait_until(lambda: connect(server.port) == 16, "every connection is answered")
        assert pids[1 - which] in children(server.process.pid)
        replaced = 'holdfast_worker_restarts_total{reason="hung"} 1.0'
        wait_until(lambda: replaced in server.read("/metrics").decode(), "the new one has told whom it replaces")
        assert server.stop() == 0


def test_a_worker_that_hangs_while_it_starts_is_replaced_too(tmp_path: Path) -> None:
    # Outside of tests its first sign of life is waited for longer.
    code = "import server.workers as workers; workers._START_SILENT_S = 12.0; from server.cli.main import main; main()"
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        words = [sys.executable, "-c", code, "serve", "--port", "0", "--workers", "2"]
        given = environment(HOLDFAST_DATA_DIR=str(tmp_path / "data"), PYTHONPATH=str(ROOT))
        parent = subprocess.Popen(words, cwd=tmp_path, env=given, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
    try:
        wait_until(lambda: b"Holdfast" in (tmp_path / "out").read_bytes(), "it serves", 60)
        before = children(parent.pid)
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: len(set(children(parent.pid)) - set(before)) == 1, "the next one begins", 30)
        [begun] = set(children(parent.pid)) - set(before)

        os.kill(begun, signal.SIGSTOP)

        wait_until(lambda: "worker_hung" in (tmp_path / "err").read_text(), "it is noticed", 30)
        wait_until(lambda: begun not in children(parent.pid) and len(children(parent.pid)) == 2, "it is replaced", 30)
    finally:
        parent.terminate()
        assert parent.wait(30) == 0


def test_a_worker_that_is_busy_is_not_taken_for_one_that_hangs(tmp_path: Path) -> None:
    with Server("--workers", "2", cwd=tmp_path, HOLDFAST_WORKER_HANG_S="2") as server:
        pids = children(server.process.pid)
        for _ in range(3):
            os.kill(pids[0], signal.SIGSTOP)
            time.sleep(0.7)  # busy for a third of the time after which it would be taken for hung
            os.kill(pids[0], signal.SIGCONT)
            time.sleep(0.5)  # it answers again

        assert children(server.process.pid) == pids


def test_the_figures_of_a_dead_worker_stay_and_its_files_are_used_again(tmp_path: Path) -> None:
    with Server("--workers", "2", "--sample", cwd=tmp_path) as server:
        pids = children(server.process.pid)
        for _ in range(40):
            server.get(f"/v1/availability/{SKU_IN_URL}")

        wait_until(lambda: counted(server) == 40, "every request is counted")
        folder = metrics_directory(pids[0])
        files = sorted(path.name for path in folder.iterdir())

        for number, pid in enumerate(pids, start=1):
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: server.errors().count('"worker_ended"') == number, "its end is noticed")  # noqa: B023
            wait_until(lambda: len(set(children(server.process.pid)) - set(pids[:number])) == 3, "it is replaced")  # noqa: B023

        wait_until(lambda: connect(server.port) == 16, "all of them serve")
        restarted = 'holdfast_worker_restarts_total{reason="ended"} 3.0'
        wait_until(lambda: restarted in server.read("/metrics").decode(), "each has said that it replaces one")
        wait_until(lambda: sorted(path.name for path in folder.iterdir()) == files, "there are the same files")
        assert counted(server) == 40


def test_a_worker_that_always_ends_is_started_less_and_less_often(tmp_path: Path) -> None:
    with Server("--workers", "2", cwd=tmp_path) as server:
        for number in range(1, 4):
            *_, victim = children(server.process.pid)  # the newest: numbers begin anew, the order is that of the starts
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda: server.errors().count('"worker_ended"') == number, "its end is noticed")  # noqa: B023
            wait_until(lambda: len(children(server.process.pid)) == 2, "it is replaced")

        pauses = [float(found) for found in re.findall(r'"restart_in_s": ([\d.]+)', server.errors())]
        assert pauses == [0.4, 0.8, 1.6]


def test_workers_notice_that_their_parent_was_killed(tmp_path: Path) -> None:
    with Server("--workers", "2", cwd=tmp_path) as server:
        pids = children(server.process.pid)

        server.process.kill()
        server.process.wait()

        wait_until(lambda: not any(alive(pid) for pid in pids), "both workers are gone")


def test_after_the_parent_was_killed_the_next_start_takes_the_store_over(tmp_path: Path) -> None:
    with Server("--workers", "2", "--sample", cwd=tmp_path) as killed:
        killed.process.kill()
        killed.process.wait()

        with Server("--workers", "2", cwd=tmp_path) as server:
            assert server.get(f"/v1/availability/{SKU_IN_URL}")["available"] == 29
            assert "store_adopted" in server.errors()


@pytest.mark.soak
def test_two_holdfasts_with_workers_do_not_share_a_port(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with Server("--workers", "2", cwd=tmp_path) as server:
        ended = holdfast("serve", "--workers", "2", "--port", str(server.port), cwd=tmp_path / "other")

    assert ended.returncode == 1
    assert "Cannot listen on" in ended.stderr


def test_workers_that_cannot_start_say_why_once(tmp_path: Path) -> None:
    ended = holdfast("serve", "--host", "0.0.0.0", "--port", "0", "--workers", "2", cwd=tmp_path)

    assert ended.returncode == 1
    assert ended.stderr.count("There is no API key yet") == 1
    assert "The workers could not start. Correct the error above." in ended.stderr


def test_a_second_ctrl_c_does_not_wait(tmp_path: Path) -> None:
    with Server(cwd=tmp_path) as server, socket.create_connection(("127.0.0.1", server.port)) as busy:
        busy.sendall(
            b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
        )
        server.process.send_signal(signal.SIGINT)
        wait_until(lambda: "Stopping." in server.output(), "it heard the first one")

        code = server.stop()

    assert code != 0
