"""Everything that a command prints goes through here, so that data cannot speak to the terminal.

A test finds commands that print in another way.
"""

import json
import os
import select
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import click
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from server.files.harmless_cells import write_rows
from server.telemetry.visible import visible, visible_json

_WIDTH_OF_A_FILE: Final = 200
_ANSWERS: Final = {"y": True, "yes": True, "n": False, "no": False, "": False}
_STOPPING: Final = (signal.SIGINT, signal.SIGTERM)


class SafeConsole(Console):
    """A console that reads no markup in text, and shows escapes for what a terminal would obey."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Make text of a string: before it is measured, so that columns fit."""
        return super().render_str(visible(text, keep="\n"), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Make the pieces that are written; the console's own controls are not text."""
        for piece in super().render(renderable, options):
            yield piece if piece.control else piece._replace(text=visible(piece.text, keep="\n"))


def console() -> SafeConsole:
    """Make the console for results: standard output. Without a terminal, lines are as long as they need to be."""
    console = SafeConsole()
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_FILE
    return console


def progress_console() -> SafeConsole:
    """Make the console for progress and remarks: standard error."""
    return SafeConsole(stderr=True)


def say(*lines: object, err: bool = False) -> None:
    """Print lines to standard output, or with ``err`` to standard error. A line break within one is shown, too.

    They are written together: who reads along sees all of them or none.
    """
    if lines:
        click.echo("\n".join(visible(str(line)) for line in lines), err=err)


def confirm(question: str) -> None:
    """Ask whether to go on, or end the command."""
    if not is_interactive():
        click.confirm(visible(question), abort=True)
    elif not agreed(question):
        raise click.Abort


def is_interactive() -> bool:
    """Whether there is a person to ask: both what is shown and what is typed are of a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def agreed(question: str) -> bool:
    """Ask a person at a terminal whether to go on. Ctrl-C, SIGTERM and the end of input mean no.

    It stops an event loop that runs meanwhile.
    """
    try:
        with _heard_signals() as signals:
            while True:
                click.echo(f"{visible(question)} [y/N]: ", nl=False)
                # Not input(): a signal that comes just before it goes to sleep is heard when somebody types.
                select.select([sys.stdin, signals], [], [])
                answer = sys.stdin.readline()
                if answer.strip().lower() in _ANSWERS:
                    return _ANSWERS[answer.strip().lower()]
                click.echo("Error: invalid input")
    except KeyboardInterrupt:
        click.echo()
        return False


@contextmanager
def _heard_signals() -> Iterator[int]:
    """Have SIGINT and SIGTERM raise KeyboardInterrupt; yields the end of a pipe that can be read once one came."""
    ready, write = os.pipe()
    os.set_blocking(write, False)
    # An event loop's own handlers would wait for the answer.
    handlers = {number: signal.signal(number, signal.default_int_handler) for number in _STOPPING}
    woken = signal.set_wakeup_fd(write)
    try:
        yield ready
    finally:
        signal.set_wakeup_fd(woken)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.close(write)
        os.close(ready)


def ask_secret(what: str) -> str:
    """Ask for something that is not shown while it is written."""
    answer: str = click.prompt(visible(what), hide_input=True)
    return answer


def print_json(value: object) -> None:
    """Print a value as JSON, for programs."""
    click.echo(visible_json(json.dumps(value, ensure_ascii=False, indent=2)))


def print_csv(names: Iterable[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows for a spreadsheet."""
    write_rows(sys.stdout, names, rows, line_end="\n")
