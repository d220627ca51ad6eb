"""Reads ``2.0`` where a whole number belongs: languages with one kind of number write it so.

Only a body that was refused is looked at again, so those that are right cost nothing more.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

_AT: Final = re.compile(r"Expected `int(?: \| null)?`, got `float` - at `\$(?P<path>[^`]*)`", re.DOTALL)
_STEP: Final = re.compile(r"\.(?P<name>[A-Za-z_0-9]+)|\[(?:[0-9]+|\.\.\.)\]")
_EVERY: Final = ""
"""A step into each element of a list, or each value of a map: if one is written so, the others are."""
_EXACT_MAX: Final = 2**53
FIELDS_MAX: Final = 8
"""How many fields of a body may be written so: each costs a reading of it."""


def read_again(raw: bytes, codec: Any, decode: Callable[[bytes], Any], error: msgspec.ValidationError) -> Any:
    """Decode a body that was refused once more, with whole numbers where it has them with a fraction of zero.

    ``codec``: the module of its media type. Raises the error if that is no reason, or not the only one.
    """
    tree: Any = None
    for _ in range(FIELDS_MAX):
        found = _AT.fullmatch(str(error))
        if found is None:
            break
        tree = codec.decode(raw) if tree is None else tree
        steps = [step["name"] or _EVERY for step in _STEP.finditer(found["path"])]
        if not _made_whole(tree, steps):
            break
        try:
            return decode(codec.encode(tree))
        except msgspec.ValidationError as other:
            error = other
    raise error


def _made_whole(tree: Any, steps: list[str]) -> bool:
    """Make whole what a path leads to; return whether there was anything to do."""
    if not steps:
        return False
    step, *further = steps
    if step == _EVERY:
        keys: list[Any] = list(range(len(tree))) if isinstance(tree, list) else list(tree) if _is_map(tree) else []
    else:
        keys = [step] if _is_map(tree) and step in tree else []
    done = False
    for key in keys:
        value = tree[key]
        if further:
            done |= _made_whole(value, further)
        elif isinstance(value, float) and value.is_integer() and abs(value) < _EXACT_MAX:
            tree[key] = int(value)
            done = True
    return done


def _is_map(tree: Any) -> bool:
    return isinstance(tree, dict)
