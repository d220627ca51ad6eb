"""Shows what would come of a file: on a terminal some of it, in a file or as JSON all of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from server.cli.common import failure
from server.domain.likeness import Kind
from server.domain.sudden_changes import BY_DEFAULT, ChangeRules
from server.files.harmless_cells import write_csv
from server.files.name_warnings import names_of, screenful
from server.files.preview import Concern, Difference, Form, Preview, Verdict
from server.files.reader import BadRow

NEEDS_A_YES: Final = 3
"""The exit code where what would change needs a person's yes, and nobody could be asked."""
CHECK: Final = "Nothing was changed. If this is what you mean, add --yes."

_FACTOR_MAX, _PERCENT_MAX = 1_000_000, 100


def _rules(_context: click.Context, parameter: click.Parameter, value: float) -> float:
    if parameter.name == "to_zero" and not value:
        raise click.BadParameter("must be more than 0 percent")
    return value


def concern_options(command: Any) -> Any:
    """Add the options of what needs a yes, and where all of the preview goes."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the preview, or the result, as JSON."),
        click.option(
            "--preview", "preview_file", type=click.Path(dir_okay=False, path_type=Path),
            help="Write before and after of all rows to this CSV file.",
        ),
        click.option(
            "--to-zero", type=click.FloatRange(0, _PERCENT_MAX), callback=_rules, show_default=True,
            default=100 * BY_DEFAULT.share, help="More than so many percent of the rows that fall to zero need a yes.",
        ),
        click.option(
            "--factor", type=click.FloatRange(2, _FACTOR_MAX), default=BY_DEFAULT.factor, show_default=True,
            help="A number that grows or falls to so many times of itself needs a yes.",
        ),
        click.option("--yes", is_flag=True, help="Apply it without asking, whatever the preview says."),
    ):  # fmt: skip
        command = option(command)
    return command


def rules_of(factor: float, to_zero: float) -> ChangeRules:
    """Make the rules of what needs a yes."""
    return ChangeRules(factor=factor, share=to_zero / 100)


def lines_of(preview: Preview, concerns: Sequence[Concern]) -> list[str]:
    """Write a screenful of what would change, of what is new, and of what needs a yes."""
    lines = screenful([preview.form.tell(each) for each in preview.changes] + preview.notes, "change")
    names: tuple[tuple[Kind, Sequence[str]], ...] = (("sku", preview.new_skus), ("location", preview.new_locations))
    asked = {each.concern for each in concerns}
    for kind, new in names:
        lines += [] if f"new_{kind}" in asked else names_of(kind, new)
    lines += screenful(preview.warnings, "warning")
    return lines + [f"Check: {each.detail}" for each in concerns if each.concern != "look_alike"]


def write_preview(path: Path, preview: Preview) -> None:
    """Write before and after of each row, or end the command with the reason why that cannot be."""
    form = preview.form
    names = (*form.subject, *(f"{name}_before" for name in form.figures), *form.figures)
    rows = ((each.line, each.verdict.value, *each.subject, *_before(form, each), *each.after)
            for each in preview.differences)  # fmt: skip
    try:
        write_csv(path, ("line", "change", *names), rows)
    except OSError as error:
        raise failure(f"The preview cannot be written to {path}: {error.strerror}. Choose another path.") from None


def _before(form: Form, each: Difference) -> Sequence[object]:
    return ("",) * len(form.figures) if each.before is None else each.before


def as_json(
    preview: Preview, counts: Mapping[str, int], bad: Sequence[BadRow], concerns: Sequence[Concern], *, applied: bool
) -> dict[str, Any]:
    """Show a preview, or what came of it, to programs: all of it."""
    return {
        "applied": applied,
        "counts": dict(counts),
        "new_skus": preview.new_skus,
        "new_locations": preview.new_locations,
        "concerns": [each._asdict() for each in concerns],
        "changes": [_shown(preview.form, each) for each in preview.differences if each.verdict != Verdict.UNCHANGED],
        "bad": [{"line": row.line, "reason": row.reason, "row": row.text} for row in bad],
    }


def _shown(form: Form, each: Difference) -> dict[str, Any]:
    before = None if each.before is None else dict(zip(form.figures, each.before, strict=True))
    return {
        "line": each.line,
        "change": each.verdict.value,
        **dict(zip(form.subject, each.subject, strict=True)),
        "before": before,
        "after": dict(zip(form.figures, each.after, strict=True)),
    }
