"""The progress of a backup or a restore, on a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.progress import BarColumn, Progress, TaskID, TextColumn

from server.cli.terminal import progress_console
from server.store.backup.progress import Progress as Told

_WORDS: Final = {"snapshot": "the store's snapshot", "records": "records"}


@contextmanager
def shown_progress() -> Iterator[Told]:
    """Show what is done on a terminal; elsewhere nothing is shown."""
    shown = progress_console()
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:,.0f}", markup=False),
    )
    with Progress(*columns, console=shown, disable=not shown.is_terminal, transient=True) as progress:
        bars: dict[str, TaskID] = {}

        def told(what: str, done: int, total: int) -> None:
            if what not in bars:
                bars[what] = progress.add_task(_WORDS[what], total=None)
            progress.update(bars[what], completed=done, total=total or None)

        yield told
