"""Text from outside: what a name says to the terminal and to the spreadsheet of who looks at it."""

import asyncio
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from server.store.keys import Keyspace
from tests.rigs.neighbours.filling import fill
from tests.rigs.neighbours.ground import opened_ground
from tests.rigs.neighbours.registry import Checked, Functional, Pace, Row
from tests.support.operations import order, receive
from tests.support.processes import holdfast

CHANNEL: Final = "[/x]"
SKU: Final = "[/x][link=http://evil.example]a[/link]\u202e\u200b"
"""As an older release took it: control characters were refused even then."""
FORMULA: Final = "=HYPERLINK(A1)"
COUNTED: Final = "counted.csv"
_OBEYED: Final = ("\x1b", "\x07", "\x9b", "\u202e", "\u200b")


class Shown(Functional):
    """Orders and SKUs with names that a terminal or a spreadsheet would obey."""

    name = "shown"
    does = "an order with the channel [/x] and a SKU with colours and links, shown and exported by the command line"
    variants = ("order", "SKU", "exported-formula")

    async def check(self, variant: str, pace: Pace) -> Checked:  # noqa: ARG002  # it is short already
        async with opened_ground() as ground:
            shelf = FORMULA if variant == "exported-formula" else SKU
            await fill(ground, "default", [receive(shelf, 10), order("shown", (shelf, 1), channel=CHANNEL)])
            with ground.server.store() as store:  # as an older release leaves it, which took any name
                store.delete(Keyspace("default").names)
            with tempfile.TemporaryDirectory(prefix="hf-shown-") as folder:
                here = Path(folder)
                (here / COUNTED).write_text(f"sku,on_hand\n{FORMULA},3\n")
                words = {
                    "order": ("show", "shown"),
                    "SKU": ("show", SKU, "--history"),
                    "exported-formula": (
                        "count",
                        COUNTED,
                        "--as-written",
                        "--location",
                        "main",
                        "--differences",
                        "out.csv",
                    ),
                }[variant]
                done = await asyncio.to_thread(holdfast, *words, "--data-dir", ground.server.data_dir, cwd=here)
                return Checked(_wrong(done, here / "out.csv" if variant == "exported-formula" else None))


def _wrong(done: "subprocess.CompletedProcess[str]", exported: Path | None) -> list[str]:
    said = done.stdout + done.stderr
    found = ["the command ended with a traceback"] if "Traceback" in said else []
    found += [f"the terminal is sent {each!r}" for each in _OBEYED if each in said]
    if done.returncode not in (0, 1) or not said:
        found.append(f"the command ended with {done.returncode}: {said[-200:]}")
    if exported is not None:
        cells = exported.read_text() if exported.exists() else ""
        found += [] if f"'{FORMULA}" in cells else [f"the exported cell is not guarded: {cells[:100]!r}"]
    return found


ROWS: Final[tuple[Row, ...]] = (Shown(),)
