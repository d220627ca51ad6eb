"""Which values a field may have, for messages."""

import re
from collections.abc import Iterator
from typing import Final

from msgspec import inspect

_STEP: Final = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[[^]]*\]")


def type_at(here: inspect.Type, path: str) -> inspect.Type:
    """Follow a path of msgspec's, such as ``$.receivers[0].url``, from a type to the type that it leads to."""
    for step in _STEP.finditer(path):
        below = tuple(each for kind in kinds(here) for each in _below(kind, step[1]))
        here = inspect.UnionType(below) if below else inspect.AnyType()
    return here


def kinds(here: inspect.Type) -> Iterator[inspect.Type]:
    """Go through the types that a union is made of, or the one that it is."""
    if isinstance(here, inspect.UnionType):
        for each in here.types:
            yield from kinds(each)
    elif isinstance(here, inspect.Metadata):
        yield from kinds(here.type)
    else:
        yield here


def _below(kind: inspect.Type, name: str | None) -> Iterator[inspect.Type]:
    if isinstance(kind, inspect.StructType) and name is not None:
        yield from (field.type for field in kind.fields if field.encode_name == name)
        if kind.tag is not None and kind.tag_field == name:
            yield inspect.LiteralType((kind.tag,))
    elif isinstance(kind, inspect.ListType | inspect.VarTupleType | inspect.SetType):
        yield kind.item_type
    elif isinstance(kind, inspect.DictType):
        yield kind.value_type


def choices(here: inspect.Type) -> str:
    """Return the values that a type allows, in words."""
    found: dict[object, None] = {}
    for kind in kinds(here):
        if isinstance(kind, inspect.LiteralType):
            found |= dict.fromkeys(kind.values)
        elif isinstance(kind, inspect.EnumType):
            found |= dict.fromkeys(member.value for member in kind.cls)
    return " or ".join(map(repr, found)) or "one of the allowed values"
