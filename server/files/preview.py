"""What would come of a file: for each row before and after, what is new, and what needs a person's yes."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from server.domain.sudden_changes import BY_DEFAULT, ChangeRules, Suspicion, suspicions
from server.files.reader import BadRow
from server.files.wording import counted

Figure = int | str | bool | None
Figures = tuple[Figure, ...]


class Verdict(StrEnum):
    """What a row does to what it is about."""

    NEW = "new"
    RAISED = "raised"
    LOWERED = "lowered"
    ZEROED = "zeroed"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


class Difference(NamedTuple):
    """What a row would do. ``subject``: what it is about; ``before`` None: that was not there. See :class:`Form`."""

    line: int
    subject: tuple[str, ...]
    before: Figures | None
    after: Figures

    @property
    def verdict(self) -> Verdict:
        """Judge it by its first figure, where that is a number of units."""
        if self.before is None:
            return Verdict.NEW
        if self.before == self.after:
            return Verdict.UNCHANGED
        before, after = self.before[0], self.after[0]
        if type(before) is not int or type(after) is not int or before == after:
            return Verdict.CHANGED
        if after == 0:
            return Verdict.ZEROED
        return Verdict.RAISED if after > before else Verdict.LOWERED


class Form(NamedTuple):
    """How differences of a kind of file are shown: the names of their subjects and figures, and each in words."""

    subject: tuple[str, ...]
    figures: tuple[str, ...]
    tell: Callable[[Difference], str]


class Concern(NamedTuple):
    """What needs a yes: what it is about, in one word and in words, and the first lines of the file that have it."""

    concern: str
    detail: str
    lines: tuple[int, ...] = ()


LINES_NAMED_MAX: Final = 25
"""Lines that a concern names; there may be more of them."""
_WHY: Final[Mapping[Suspicion, str]] = {
    "fell": "{count} would fall to a {factor:g}th or less",
    "grew": "{count} would grow to {factor:g} times or more",
    "zeroed": "{count} would fall to zero, more than {share:.0%} of those above it",
    "gone": "{count} would be gone",
}


@dataclass(kw_only=True)
class Preview:
    """What would come of the rows that can be read.

    ``as_of``: the seq of the partition before anything was looked at. ``is_first``: there is nothing yet that names
    could be new beside, or only what this very import had done when it was interrupted. ``repeated``: how many rows
    were imported before. ``settled``: the lines of those among them that would count anew once another file has
    counted their places. ``concerns``: those of this kind of file alone.
    """

    form: Form
    as_of: int = 0
    is_first: bool = False
    repeated: int = 0
    settled: set[int] = field(default_factory=set)
    differences: list[Difference] = field(default_factory=list)
    refused: list[BadRow] = field(default_factory=list)
    new_skus: list[str] = field(default_factory=list)
    new_locations: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    concerns: list[Concern] = field(default_factory=list)

    @property
    def changes(self) -> list[Difference]:
        """The differences that are some."""
        return [each for each in self.differences if each.before != each.after]

    def counts(self, bad: int, without: Collection[int] = ()) -> dict[str, int]:
        """Count the rows by what they do; ``bad``: those that cannot be imported; ``without``: lines among these."""
        found = Counter(each.verdict for each in self.differences if each.line not in without)
        found[Verdict.UNCHANGED] += self.repeated
        names = [each for each in Verdict if "on_hand" in self.form.figures or each not in _OF_NUMBERS]
        if "on_hand" in self.form.figures and not found[Verdict.CHANGED]:
            names.remove(Verdict.CHANGED)
        return {**{each.value: found[each] for each in names}, "bad": bad}


_OF_NUMBERS: Final = frozenset({Verdict.RAISED, Verdict.LOWERED, Verdict.ZEROED})
_SAID: Final = {"zeroed": "to zero"}


def summary(counts: Mapping[str, int]) -> str:
    """Write the counts of a preview on one line."""
    return ", ".join(f"{count:,} {_SAID.get(name, name)}" for name, count in counts.items())


def concerns_of(preview: Preview, rules: ChangeRules = BY_DEFAULT, *, names_are_meant: bool = False) -> list[Concern]:
    """Return what of a preview needs a yes. ``names_are_meant``: new names need none."""
    found = [*_sudden(preview, rules), *preview.concerns]
    if names_are_meant or preview.is_first:
        return found
    found += _new("new_sku", "SKU", preview.new_skus) + _new("new_location", "location", preview.new_locations)
    found += [Concern("look_alike", each.removeprefix("Warning: ")) for each in preview.warnings]
    return found


def _sudden(preview: Preview, rules: ChangeRules) -> Iterable[Concern]:
    units = {
        (str(each.line), ""): (each.before[0], each.after[0])
        for each in preview.differences
        if each.before is not None and type(each.before[0]) is int and type(each.after[0]) is int
    }
    lines: dict[Suspicion, list[int]] = {}
    for (line, _), why in suspicions(units, rules).items():
        lines.setdefault(why, []).append(int(line))
    for why, those in lines.items():
        words = _WHY[why].format(count=counted(len(those), "row"), factor=rules.factor, share=rules.share)
        yield Concern(why, f"{words}: {named_lines(those)}", tuple(sorted(those)[:LINES_NAMED_MAX]))


def _new(concern: str, noun: str, names: Sequence[str]) -> list[Concern]:
    if not names:
        return []
    rest = " …" if len(names) > LINES_NAMED_MAX else ""
    is_one = len(names) == 1
    return [
        Concern(concern, f"{counted(len(names), noun)} {'is' if is_one else 'are'} not known:"
              f" {', '.join(names[:LINES_NAMED_MAX])}{rest}")
    ]  # fmt: skip


def named_lines(lines: Sequence[int]) -> str:
    """Name the first of some lines."""
    shown = ", ".join(str(line) for line in sorted(lines)[:LINES_NAMED_MAX])
    return f"line{'s' if len(lines) > 1 else ''} {shown}{' …' if len(lines) > LINES_NAMED_MAX else ''}"
