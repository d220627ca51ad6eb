"""Tables that can be read in a terminal and in Markdown."""

from rich import box
from rich.console import Console
from rich.table import Table as TerminalTable

from bench.harness.bars import Bar
from bench.harness.figures import Figure


class Table:
    """Rows of text under a title."""

    def __init__(self, title: str, columns: list[str]) -> None:
        self.title = title
        self.columns = columns
        self.rows: list[tuple[str, ...]] = []
        self._ends: set[int] = set()

    def add(self, *row: str) -> None:
        """Add a row."""
        if len(row) != len(self.columns):
            raise ValueError(f"{len(row)} cells for {len(self.columns)} columns")
        self.rows.append(row)

    def end_section(self) -> None:
        """Draw a line below the last row."""
        self._ends.add(len(self.rows) - 1)

    def show(self, console: Console) -> None:
        """Print it."""
        table = TerminalTable(box=box.SIMPLE_HEAD, pad_edge=False)
        for column, name in enumerate(self.columns):
            table.add_column(name, justify="left" if self._is_text(column) else "right")
        for number, row in enumerate(self.rows):
            table.add_row(*row, end_section=number in self._ends)
        console.print(f"[bold]{self.title}[/bold]", highlight=False)
        console.print(table)

    def markdown(self) -> str:
        """Write it as Markdown."""
        sides = [":--" if self._is_text(column) else "--:" for column in range(len(self.columns))]
        lines = [self.columns, sides, *self.rows]
        return f"**{self.title}**\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)

    def _is_text(self, column: int) -> bool:
        return any(row[column][:1].isalpha() or row[column][:1] in ("≥", "≤") for row in self.rows)


def interval(figure: Figure, digits: str) -> str:
    """Write the median, and behind it the extremes where there are several rounds."""
    middle = format(figure.median, digits)
    if len(figure.rounds) == 1:
        return middle
    return f"{middle} ({format(figure.low, digits)} – {format(figure.high, digits)})"


def bars_table(bars: list[Bar]) -> Table:
    """Lay out the bars as a check list."""
    table = Table("Figures to reach", ["figure", "wanted", "measured", "reached"])
    for bar in bars:
        table.add(bar.title, bar.wanted, bar.found, "yes" if bar.reached else "NO")
    return table
