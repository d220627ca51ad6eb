"""The pages that hold results: each group of them stands between two marks, in the place of the ones before."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.harness.black_box import ROOT

README: Final = ROOT / "README.md"
REPORT: Final = ROOT / "docs" / "benchmarks.md"
END: Final = "<!-- end of results -->"


def begin(group: str, command: str = "python -m bench") -> str:
    """Name the mark behind which the results of a group stand, and which command writes them."""
    return f"<!-- {group}: written by {command} --save -->"


def put(page: Path, mark: str, parts: Sequence[str]) -> None:
    """Put parts behind a mark of a page, in the place of what is there.

    Raises
    ------
    ValueError
        The page has no such mark.

    """
    head, found, rest = page.read_text("utf-8").partition(mark)
    if not found:
        raise ValueError(f"{page.name} has no place for results: {mark}")
    tail = rest.partition(END)[2]
    page.write_text(f"{head}{mark}\n\n" + "\n".join(parts) + f"\n{END}{tail}", "utf-8")


def taken_on(machine: Sequence[tuple[str, str]]) -> list[str]:
    """Write when results were taken, and on what."""
    return [f"Taken on {today()} (UTC).\n", "".join(f"- {name}: {value}\n" for name, value in machine)]


def today() -> str:
    """Return the date, in UTC."""
    return f"{datetime.now(UTC):%Y-%m-%d}"
