"""Previews of imports: what needs a yes is not applied without one, and a terminal is asked before anything is."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.files.applying import Looked, Origin, apply, look
from server.files.file_import import ReadFile, Tally, Target
from server.files.stock import stock_import
from server.store.command_session import OpenStore, open_store
from server.store.keys import Keyspace
from server.store.repositories.imports import ImportStore
from tests.conftest import RETENTION
from tests.support.http import ROOT
from tests.support.operations import count
from tests.support.processes import END_S, ending, environment, holdfast

STOCK = "sku,on_hand\n" + "".join(f"S-{number},{100 + number}\n" for number in range(20))
SIGNALS = {"Ctrl-C": signal.SIGINT, "SIGTERM": signal.SIGTERM}
CTRL_D = "\x04"
TIMES = 1_000
"""Of the signals that are sent so, one in 250 comes in the moment in which input() hears none."""
ASKED_AGAIN = """
from server.cli.terminal import agreed
while True:
    assert not agreed("Apply it?")
"""
NOTHING = "Nothing was changed. If this is what you mean, add --yes."


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[OpenStore]:
    """Run the embedded store of ``tmp_path``, with twenty SKUs."""
    async with open_store(
        store_url="", data_dir=tmp_path / ".holdfast", durability="fast", retention=RETENTION, create=True
    ) as opened:
        ran(tmp_path, "import", STOCK)
        yield opened


def ran(cwd: Path, command: str, text: str, *words: str, code: int = 0) -> Any:
    """Run a command with a file."""
    (cwd / "rows.csv").write_text(text, "utf-8")
    ended = holdfast(*command.split(), "rows.csv", *words, cwd=cwd)
    assert ended.returncode == code, (ended.stdout, ended.stderr)
    return ended


async def on_hand(opened: OpenStore) -> dict[str, int]:
    return {level.sku: level.on_hand async for level in opened.levels("default")}


# -- what needs a yes


@pytest.mark.parametrize(
    ("text", "concern"),
    [
        ("sku,on_hand\nS-1,101\nS-NEW,5\n", "Check: 1 SKU is not known: S-NEW"),
        ("sku,on_hand,location\nS-1,5,izmir\n", "Check: 1 location is not known: izmir"),
        ("sku,on_hand\nS-1,101\nS-2,1020\n", "Check: 1 row would grow to 10 times or more: line 3"),
        ("sku,on_hand\nS-1,9\nS-2,102\n", "Check: 1 row would fall to a 10th or less: line 2"),
        (
            "sku,on_hand\n" + "".join(f"S-{number},0\n" for number in range(3)) + "S-9,109\n",
            "Check: 3 rows would fall to zero, more than 10% of those above it: lines 2, 3, 4",
        ),
    ],
)
async def test_what_needs_yes_is_not_applied_without_a_yes(
    opened: OpenStore, tmp_path: Path, text: str, concern: str
) -> None:
    before = await on_hand(opened)

    refused = ran(tmp_path, "import", text, code=3)

    assert concern in refused.stdout.splitlines()
    assert refused.stdout.splitlines()[-1] == NOTHING
    assert await on_hand(opened) == before
    assert await ImportStore(opened.client, Keyspace("default")).all() != []  # the one of the fixture alone
    ran(tmp_path, "import", text, "--yes")
    assert await on_hand(opened) != before


async def test_names_that_are_meant_need_no_yes_and_what_else_needs_yes_does(opened: OpenStore, tmp_path: Path) -> None:
    ran(tmp_path, "import", "sku,on_hand\nS-NEW,5\n", "--new")

    asked = ran(tmp_path, "import", "sku,on_hand\nS-NEWER,5\nS-2,1020\n", "--new", code=3)

    assert "S-NEWER is" not in asked.stdout
    assert (await on_hand(opened))["S-NEW"] == 5


@pytest.mark.usefixtures("opened")
def test_how_far_a_number_may_go_can_be_set(tmp_path: Path) -> None:
    text = "sku,on_hand\nS-1,400\n"

    assert "3 times or more" in ran(tmp_path, "import", text, "--factor", "3", code=3).stdout
    ran(tmp_path, "import", text)
    zero = "sku,on_hand\n" + "".join(f"S-{number},0\n" for number in range(3)) + "S-9,109\n"
    ran(tmp_path, "import", zero, "--to-zero", "80")


@pytest.mark.usefixtures("opened")
def test_the_first_import_names_what_there_is(tmp_path: Path) -> None:
    ended = ran(tmp_path, "import", "sku,on_hand\nS-1,5\n", "--partition", "other")

    assert ended.stdout.splitlines() == [
        "1 row: 1 set, 0 unchanged (same file imported before), 0 bad",
        "1 new, 0 raised, 0 lowered, 0 to zero, 0 unchanged, 0 bad.",
    ]


@pytest.mark.usefixtures("opened")
def test_the_summary_counts_what_the_rows_did(tmp_path: Path) -> None:
    text = "sku,on_hand\nS-1,150\nS-2,90\nS-3,0\nS-4,104\nS-5,x\nS-6 NEW,1\n"

    ended = ran(tmp_path, "import", text, "--new", code=1)

    assert ended.stdout.splitlines() == [
        "6 rows: 5 set, 0 unchanged (same file imported before), 1 bad",
        "1 new, 1 raised, 1 lowered, 1 to zero, 1 unchanged, 1 bad.",
    ]


@pytest.mark.usefixtures("opened")
def test_the_whole_preview_is_in_a_file_and_in_json(tmp_path: Path) -> None:
    text = "sku,on_hand\n" + "".join(f"S-{number},{120 + number}\n" for number in range(20))

    shown = ran(tmp_path, "import", text, "--dry-run", "--preview", "preview.csv", "--json")

    found = json.loads(shown.stdout)
    assert (found["applied"], found["counts"]["raised"], len(found["changes"])) == (False, 20, 20)
    first = {"line": 2, "change": "raised", "sku": "S-0", "location": "main"}
    assert found["changes"][0] == first | {
        "before": {"on_hand": 100, "safety": 0},
        "after": {"on_hand": 120, "safety": 0},
    }
    lines = (tmp_path / "preview.csv").read_text("utf-8").splitlines()
    assert lines[:2] == [
        "line,change,sku,location,on_hand_before,safety_before,on_hand,safety",
        "2,raised,S-0,main,100,0,120,0",
    ]
    assert len(lines) == 21


# -- other kinds of file


@pytest.mark.usefixtures("opened")
def test_movements_are_previewed_row_by_row(tmp_path: Path) -> None:
    text = (
        "kind,sku,quantity,from,to,reason\nreceive,S-1,5,,,\nadjust,S-1,-6,,,lost\nmove,S-1,2,available,damaged,torn\n"
        "adjust,S-1,-99,,,lost\nadjust,S-9 NOT,1,,,odd\nadjust,S-1,-2,,,lost\n"
    )

    shown = ran(tmp_path, "move", text, "--dry-run", code=1)

    assert shown.stdout.splitlines()[2:6] == [
        "S-1 at main: 101 → 106",
        "S-1 at main: 106 → 100",
        "S-1 at main: damaged 0 → 2",
        "S-1 at main: 100 → 1",
    ]
    done = ran(tmp_path, "move", text, "--yes", code=1)
    assert done.stderr == shown.stderr
    shown = json.loads(holdfast("show", "S-1", "--json", cwd=tmp_path).stdout)
    [level] = shown["levels"]
    assert (level["on_hand"], level["damaged"]) == (1, 2)


@pytest.mark.usefixtures("opened")
def test_a_count_that_takes_much_to_zero_needs_a_yes(tmp_path: Path) -> None:
    refused = ran(tmp_path, "count", "sku,on_hand\nS-1,101\n", "--missing-is-none", code=3)

    assert "Check: 19 rows would fall to zero" in refused.stdout
    assert json.loads(holdfast("show", "S-2", "--json", cwd=tmp_path).stdout)["levels"][0]["on_hand"] == 102
    assert "; 19 differences" in ran(tmp_path, "count", "sku,on_hand\nS-1,101\n", "--missing-is-none", "--yes").stdout


@pytest.mark.usefixtures("opened")
def test_lists_are_previewed_and_questioned_in_their_own_way(tmp_path: Path) -> None:
    ran(tmp_path, "barcodes import", "barcode,sku\n8690000000036,S-1\n")
    moved = ran(tmp_path, "barcodes import", "barcode,sku\n8690000000036,S-2\n", code=3)
    assert "8690000000036: 1 of S-1 → 1 of S-2" in moved.stdout
    assert "Check: 1 barcode would stand for another SKU: line 2" in moved.stdout

    ran(tmp_path, "locations import", "name,open\nmain,yes\nizmir,yes\n")
    closed = ran(tmp_path, "locations import", "name,open\nizmir,no\n", code=3)
    assert "Check: 1 location would be closed, so nothing there can be sold: line 2" in closed.stdout
    alike = ran(tmp_path, "locations import", "name\nİzmir\n", "--dry-run", code=1)
    assert "location İzmir is not known; did you mean izmir?" in alike.stderr

    new = ran(tmp_path, "rules categories", "sku,category\nS-1,shirts\nS-77,shirts\n", code=3)
    assert "S-1: none → shirts" in new.stdout
    assert "Check: 1 SKU is not known: S-77" in new.stdout
    ran(tmp_path, "rules categories", "sku,category\nS-1,shirts\nS-77,shirts\n", "--yes")


# -- on a terminal


@contextmanager
def terminal(cwd: Path, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run Python on a terminal of its own; the process, and the file by which one types and reads."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, *words], cwd=cwd, env=environment(COLUMNS="200", PYTHONPATH=str(ROOT)),
        stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
    )  # fmt: skip
    os.close(terminal)
    with ending(process):
        try:
            yield process, controller
        finally:
            os.close(controller)


def read(controller: int) -> bytes:
    """Read what a terminal shows next; empty: its process has ended."""
    ready, _, _ = select.select([controller], [], [], 60)
    assert ready, "nothing was shown"
    try:
        return os.read(controller, 65_536)
    except OSError:  # the other end is closed
        return b""


def at_terminal(cwd: Path, answer: str, *words: str) -> tuple[int, str]:
    """Run a command on a terminal of its own, and answer its question."""
    said, is_answered = b"", False
    with terminal(cwd, "-m", "server", *words) as (process, controller):
        while piece := read(controller):
            said += piece
            if b"[y/N]" in said and not is_answered:
                is_answered = True
                if answer in SIGNALS:
                    process.send_signal(SIGNALS[answer])
                else:
                    os.write(controller, answer.encode())
        return process.wait(END_S), said.decode()


async def test_a_terminal_shows_the_preview_and_asks(opened: OpenStore, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("sku,on_hand\nS-1,150\n")

    refused, said = at_terminal(tmp_path, "n\n", "import", "rows.csv")

    assert (refused, "S-1 at main: 101 → 150" in said, "Apply it? [y/N]" in said) == (3, True, True)
    assert (await on_hand(opened))["S-1"] == 101
    agreed, said = at_terminal(tmp_path, "y\n", "import", "rows.csv")
    assert (agreed, "holdfast undo takes it back." in said) == (0, True)
    assert (await on_hand(opened))["S-1"] == 150
    unchanged, said = at_terminal(tmp_path, "", "import", "rows.csv")
    assert (unchanged, "[y/N]" in said) == (0, False)


@pytest.mark.parametrize("answer", [*SIGNALS, CTRL_D, "maybe\nno\n"])
async def test_whatever_is_no_yes_changes_nothing(opened: OpenStore, tmp_path: Path, answer: str) -> None:
    (tmp_path / "rows.csv").write_text("sku,on_hand\nS-1,150\n")

    code, said = at_terminal(tmp_path, answer, "import", "rows.csv")

    assert (code, NOTHING in said, "Traceback" in said) == (3, True, False), said
    assert said.count("[y/N]") == 1 + answer.count("maybe")
    assert (await on_hand(opened))["S-1"] == 101


def test_ctrl_c_is_heard_at_every_moment_of_the_question(tmp_path: Path) -> None:
    with terminal(tmp_path, "-c", ASKED_AGAIN) as (process, controller):
        for _ in range(TIMES):
            said = b""
            while b"[y/N]" not in said:
                piece = read(controller)
                assert piece, said
                said += piece
            process.send_signal(signal.SIGINT)


# -- what came between preview and application


async def test_a_place_that_was_counted_since_the_preview_keeps_that_number(opened: OpenStore) -> None:
    kind, target = stock_import("import test.csv"), Target(opened, "default")
    file = kind.read(b"sku,on_hand\nS-1,150\nS-2,150\nS-3,150\n")
    origin = Origin("import", "test.csv")
    preview = await look(kind, target, file, Tally(), origin=origin)
    await target.ledger.run(count("S-1", 77))
    await target.ledger.run(count("S-3", 103))  # as it was: nothing contradicts

    tally = Tally()
    await apply(kind, target, file, Looked(preview, is_fresh=False), tally, origin=origin)

    assert [(row.line, row.reason) for row in tally.refused] == [
        (2, "S-1 at main was counted since the preview: it had 101 then, and has 77 now. Look at the file again")
    ]
    found = await on_hand(opened)
    assert (found["S-1"], found["S-2"], found["S-3"]) == (77, 150, 150)


async def applied(target: Target, file: ReadFile[Any], origin: Origin) -> None:
    kind = stock_import("import test.csv")
    looked = Looked(await look(kind, target, file, Tally(), origin=origin))
    await apply(kind, target, file, looked, Tally(), origin=origin)


async def test_what_was_a_repeat_in_the_preview_does_not_count_over_what_came_since(opened: OpenStore) -> None:
    kind, target = stock_import("import test.csv"), Target(opened, "default")
    file = kind.read(b"sku,on_hand\nS-1,150\nS-2,150\n")
    origin = Origin("import", "test.csv")
    await applied(target, file, origin)
    preview = await look(kind, target, file, Tally(), origin=origin)
    assert (preview.repeated, preview.settled, preview.differences) == (2, {2, 3}, [])
    other = kind.read(b"sku,on_hand\nS-1,7\n")
    await applied(target, other, origin)

    tally = Tally()
    await apply(kind, target, file, Looked(preview, is_fresh=False), tally, origin=origin)

    assert (tally.set, tally.unchanged, (await on_hand(opened))["S-1"]) == (0, 2, 7)


# -- what an interruption leaves


async def test_the_first_import_goes_on_as_the_first_until_another_one_came(opened: OpenStore, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(STOCK, "utf-8")
    kind = stock_import("import rows.csv")
    store, target = ImportStore(opened.client, Keyspace("shop")), Target(opened, "shop")
    origin, file = Origin("import", "rows.csv"), kind.read(STOCK.encode())
    looked = Looked(await look(kind, target, file, Tally(), origin=origin))
    await apply(kind, target, file._replace(rows=file.rows[:5]), looked, Tally(), origin=origin)
    [begun] = await store.all()
    assert begun.is_first
    await store.put(msgspec.structs.replace(begun, state="running"))  # as a kill leaves it

    other = ran(tmp_path, "import", "sku,on_hand\nS-99,5\n", "--partition", "shop", code=3)
    shown = ran(tmp_path, "import", STOCK, "--partition", "shop", "--dry-run")

    assert "Check: 1 SKU is not known: S-99" in other.stdout
    assert "Check: " not in shown.stdout
    ran(tmp_path, "import", "sku,on_hand\nS-99,5\n", "--partition", "shop", "--yes")
    since = ran(tmp_path, "import", STOCK, "--partition", "shop", code=3)
    assert "Check: 15 SKUs are not known: S-5, " in since.stdout
