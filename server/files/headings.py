"""Finds the header of a file and what each of its columns means, and stops where that is not sure.

A column that is silently not taken is worse than a file that is refused: stock without its place lands in ``main``.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

from server.domain.similar_names import closest
from server.files.column_words import LOOKS_LIKE, NAMES_ANOTHER, NO, YES, Role, plain, role_of, words_of
from server.files.delimited import SEPARATORS
from server.files.reader import Columns, FileError, Head, HeadingError, Reading, Source, shown

RETURNED: Final = ("reason", "refused_because")
"""What the column is called in which bad rows come back; the second where a kind of file has a reason of its own."""
SAMPLE_ROWS: Final = 200
_NEAR: Final = 0.83
"""How much of two words must be the same: a letter of six may be wrong, left out, one too many or in another place."""
_SHORTEST_NEAR: Final = 4
_NUMBER: Final = re.compile(r"[+-]?[0-9][0-9., ]*|")
_PRICES: Final = re.compile(
    r"(?:^|_)(?:price|fiyat|fiyati|pret|tutar|tutari|url|image|date|tarih|tarihi|phone|tel)(?:_|$)"
)
_SURE_WORDS: Final = frozenset(word for word in YES | NO if len(word) > 1)
_ROLE_WORDS: Final[dict[Role, str]] = {"place": "a place", "quantity": "a quantity", "yes_no": "a yes or no"}


class Headings(NamedTuple):
    """What the columns of a file mean.

    ``positions``: known column -> where it is, counted from 0. ``others``: headings that are not known, as they are
    written. ``ignored``: headings that a person said do not matter. ``by_memory``: those that were said of an earlier
    file.
    """

    head: Head
    positions: dict[str, int]
    others: list[str]
    ignored: list[str]
    by_memory: list[str]

    def heading(self, column: str) -> str:
        """Return what a known column is called in the file."""
        return self.head.cells[self.positions[column]]

    @property
    def other_positions(self) -> dict[str, int]:
        """Where the columns are that are not known."""
        return {name: self.head.cells.index(name) for name in self.others}


def find_headings(source: Source, columns: Columns, reading: Reading) -> Headings:
    """Find the header among the first lines: the one that names all required columns, and most of the others.

    Raises
    ------
    FileError
        There is none, a column has two headings, or a heading nearly means something.

    """
    for column in reading.columns:
        if column not in columns.known:
            raise FileError(f"There is no column {shown(column)} here. Known: {', '.join(columns.known)}.")
    best: Headings | None = None
    nearest: tuple[int, Head] | None = None
    ambiguous: FileError | None = None
    for head in source.heads():
        try:
            found = _matched(head, columns, reading)
        except FileError as error:
            ambiguous = ambiguous or error
            continue
        if set(columns.required) <= found.positions.keys():
            best = found if best is None or len(found.positions) > len(best.positions) else best
        elif nearest is None or len(found.positions) > nearest[0]:
            nearest = len(found.positions), head
    if best is None or (nearest is not None and nearest[0] > len(best.positions)):
        # A line of values below the real header may have a word for a column among them, too.
        raise ambiguous or _no_header(columns, reading, nearest)
    _check_named(best.head, reading)
    _check_others(best, source, columns)
    return best


def _matched(head: Head, columns: Columns, reading: Reading) -> Headings:
    """Find out what the headings of one line mean."""
    names = [plain(cell) for cell in head.cells]
    said = {plain(heading): column for column, heading in reading.columns.items()}
    unwanted = {plain(each) for each in reading.ignored}
    returned = set(RETURNED) - set(columns.known)
    meanings = _meanings(columns, reading)
    claims: dict[str, list[int]] = {}
    others, ignored, by_memory = [], [], []
    for at, (cell, name) in enumerate(zip(head.cells, names, strict=True)):
        if not name or name in returned:
            continue
        remembered = name in reading.remembered and name not in said and name not in unwanted
        column = reading.remembered[name] if remembered else said.get(name) or meanings.get(name, "")
        if remembered and column in {"", *columns.known}:
            by_memory.append(cell)
        if name in unwanted or (remembered and not column) or (column in reading.columns and name not in said):
            ignored.append(cell)
        elif column in columns.known:
            claims.setdefault(column, []).append(at)
        else:
            others.append(cell)
    for column, places in claims.items():
        if len(places) > 1:
            raise _twice(head, column, places)
    return Headings(head, {column: places[0] for column, places in claims.items()}, others, ignored, by_memory)


def _meanings(columns: Columns, reading: Reading) -> dict[str, str]:
    """Return which column each word means, in plain form."""
    found = {word: column for column in reversed(columns.known) for word in words_of(column)}
    return found | {plain(column): column for column in columns.known if column not in reading.columns}


def _twice(head: Head, column: str, places: Sequence[int]) -> FileError:
    cells = [head.cells[at] for at in places]
    if len({plain(cell) for cell in cells}) == 1:
        return HeadingError(f"Line {head.line} names the column {column} twice. Remove one of them.")
    return HeadingError(
        f"Line {head.line} has several columns that may be {column}: {', '.join(map(shown, cells))}."
        f" Say which, for example with --columns {_quoted(f'{column}={cells[0]}')}."
    )


def _no_header(columns: Columns, reading: Reading, nearest: tuple[int, Head] | None) -> FileError:
    if nearest is None:
        return FileError(f"The file is empty. Its first line must name the columns: {','.join(columns.known)}")
    _, head = nearest
    _check_named(head, reading)
    optional = f" (and may name {_both(columns.optional)})" if columns.optional else ""
    between = f", with a {', '.join(SEPARATORS.values())} between them" if head.separator else ""
    found = _matched(head, columns, reading)
    missing = [column for column in columns.required if column not in found.positions]
    hints = [
        f" {column} may be {shown(cell)}: if so, add --columns {_quoted(f'{column}={cell}')}."
        for column in missing
        for cell in found.others
        if _near(plain(cell), [column])
    ]
    only_columns = " Say what they are called here with --columns, such as --columns " + _quoted(
        ",".join(f"{column}=…" for column in missing)
    )
    return HeadingError(
        f"Line {head.line} must name the columns {_both(columns.required)}{optional}{between}. It is:"
        f" {shown((head.separator or ', ').join(head.cells))}.{''.join(hints) or only_columns + '.'}"
    )


def _both(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'


def _check_named(head: Head, reading: Reading) -> None:
    """Refuse what a person said of headings that the file does not have."""
    given = {plain(cell) for cell in head.cells}
    for heading in (*reading.columns.values(), *reading.ignored):
        if plain(heading) not in given:
            names = ", ".join(shown(cell) for cell in head.cells if cell)
            raise HeadingError(f"Line {head.line} has no column {shown(heading)}. It has {names}.")


def _check_others(found: Headings, source: Source, columns: Columns) -> None:
    """Stop where a column that is not known looks as if it mattered."""
    unsure: list[str] = []
    sample: list[list[str]] | None = None
    for cell, at in found.other_positions.items():
        name = plain(cell)
        near = "" if NAMES_ANOTHER.search(name) else _near(name, columns.known)
        if near:
            unsure.append(
                f"The column {shown(cell)} is not known; did you mean {near}?"
                f" If so, add --columns {_quoted(f'{near}={cell}')}. {_or_ignore(cell)}"
            )
            continue
        if sample is None:
            sample = [record.cells for record in islice(source.records(found.head), SAMPLE_ROWS)]
        values = [row[at] for row in sample if at < len(row) and row[at]]
        if role := _looks_like(name, values, columns):
            can_be = " or ".join(column for column in columns.known if role_of(column) == role)
            unsure.append(
                f"The column {shown(cell)} is not known, and looks like {_ROLE_WORDS[role]}. If it is {can_be}, name it"
                f" with --columns. {_or_ignore(cell)}"
            )
    if unsure:
        raise HeadingError(f"Nothing was read. {' '.join(unsure)}")


def _or_ignore(cell: str) -> str:
    return f"If it does not matter, add --ignore-columns {_quoted(cell)}."


def _near(name: str, columns: Iterable[str]) -> str:
    """Return the column of which a heading is nearly a word; empty for none."""
    words = {word: column for column in columns for word in words_of(column) if len(word) >= _SHORTEST_NEAR}
    return words.get(closest(name, words, cutoff=_NEAR), "")


def _looks_like(name: str, values: Sequence[str], columns: Columns) -> Role | None:
    """Return what a column that is not known looks like, of what this kind of file has columns for."""
    roles = {role_of(column) for column in columns.known}
    if "place" in roles and LOOKS_LIKE["place"].search(name) and not _PRICES.search(name):
        return "place"
    numbers = sum(1 for value in values if _NUMBER.fullmatch(value))
    is_about = NAMES_ANOTHER.search(name) is not None
    if "quantity" in roles and not is_about and LOOKS_LIKE["quantity"].search(name) and numbers * 2 >= len(values):
        return "quantity"
    words = {plain(value) for value in islice(values, SAMPLE_ROWS)}
    says_so = LOOKS_LIKE["yes_no"].search(name) and words <= YES | NO
    if "yes_no" in roles and (says_so or (words and words <= _SURE_WORDS and not columns.others_count)):
        return "yes_no"
    return None


def remembered_of(reading: Reading) -> Mapping[str, str]:
    """Return what is to be remembered of what a person said: plain heading -> column, empty for ignored."""
    said = {plain(heading): column for column, heading in reading.columns.items()}
    return said | {plain(heading): "" for heading in reading.ignored} if said or reading.ignored else {}
