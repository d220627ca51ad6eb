"""What a preview says of new names: which there are, and which may be a known one written otherwise."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from server.domain.likeness import Kind, fold, loose
from server.files.file_import import Target
from server.files.wording import counted
from server.store.repositories.known_names import nearly_known

SHOWN_MAX: Final = 25
"""Changes, and warnings, on the terminal: about a screenful."""
_WORDS: Final[Mapping[Kind, str]] = {"sku": "SKU", "location": "location"}


async def name_warnings(target: Target, kind: Kind, new: Collection[str], *, also_alike: bool = False) -> list[str]:
    """Warn of new names that differ from a known one, or from each other, by a dash or a blank only.

    They may well be two. ``also_alike``: names that are alike otherwise are not refused, so warn of them as well.
    """
    store, keyspace = target.store, target.store.ledger(target.partition).keyspace
    known = await nearly_known(store.client, keyspace, kind, new, also_alike=also_alike)
    warnings, by_form = [], dict[str, str]()
    for name in new:
        is_known, other = name in known, known.get(name) or by_form.setdefault(loose(name), name)
        if other != name and (also_alike or fold(other) != fold(name)):
            what = f"and {other} is known" if is_known else f"and so is {other}"
            warnings.append(f"Warning: {_WORDS[kind]} {name} is new, {what}: {_difference(name, other)}.")
    return warnings


def key_warnings(new: Collection[str], known: Collection[str]) -> list[str]:
    """Warn of new keys of a channel that differ from a known one by a dash or a blank only, or by their spelling."""
    by_form = {loose(key): key for key in known}
    near = {key: by_form[loose(key)] for key in new if loose(key) in by_form}
    return [
        f"Warning: key {key} is new, and {other} is known: {_difference(key, other)}." for key, other in near.items()
    ]


def _difference(name: str, other: str) -> str:
    by = "by a dash or a blank" if fold(name) != fold(other) else "by case or by how letters are written"
    return f"they differ only {by}. Check that they are two"


def screenful(lines: Sequence[str], what: str) -> list[str]:
    """Return the first lines, and how many more there are of what they tell."""
    rest = len(lines) - SHOWN_MAX
    return [*lines[:SHOWN_MAX], f"… and {counted(rest, f'more {what}')}"] if rest > 0 else list(lines)


def names_of(kind: Kind, names: Sequence[str]) -> list[str]:
    """Name the first of those that are new."""
    rest = " …" if len(names) > SHOWN_MAX else ""
    return [f"New: {counted(len(names), _WORDS[kind])} ({', '.join(names[:SHOWN_MAX])}{rest})"] if names else []
