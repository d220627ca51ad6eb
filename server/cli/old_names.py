"""How ``holdfast verify --names`` shows the stored names that could not be stored so today."""

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from server.cli.terminal import console, print_json, say
from server.files.wording import counted
from server.store.repositories.old_names import OldName


def print_old_names(found: Mapping[str, list[OldName]], *, as_json: bool) -> None:
    """Print them, by partition, with what each means and how it is reached."""
    if as_json:
        print_json({partition: [_as_json(name) for name in names] for partition, names in found.items()})
        return
    for partition, names in found.items():
        if not names:
            say(f"{partition}: every name could be stored so today.")
            continue
        say(f"{partition}: {counted(len(names), 'name')} could not be stored so today. They stay reachable.")
        console().print(_table(names))


def _table(names: list[OldName]) -> Table:
    table = Table("kind", "stored", "meant", "what holds")
    for each in names:
        # As a literal: what is wrong with it may be invisible.
        table.add_row(*(Text(cell) for cell in (each.kind, ascii(each.stored), each.meant, _what_holds(each))))
    return table


def _what_holds(name: OldName) -> str:
    if name.is_double:
        return "both are stored: requests go to the meant one, so move the units of this one there"
    return "reached under both" if name.meant else "reached as it is stored; what was meant cannot be told"


def _as_json(name: OldName) -> dict[str, object]:
    return {"kind": name.kind, "stored": name.stored, "meant": name.meant or None, "both_stored": name.is_double}
