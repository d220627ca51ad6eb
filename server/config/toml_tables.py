"""Reads tables of a configuration file into types; an error names what to correct.

A message names the table and the field, what is allowed, and the nearest known name. It never shows a value: what
stands in the wrong place may be a secret.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

import msgspec
from msgspec import inspect

from server.domain.allowed_values import choices, type_at
from server.domain.similar_names import did_you_mean

T = TypeVar("T")

_MESSAGE: Final = re.compile(r"(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?", re.DOTALL)
_TYPE: Final = re.compile(r"`([^`]*)`")
_WORDS: Final = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}
"""The types of msgspec's messages, in words that a reader of TOML knows."""
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `(.*)`", re.DOTALL)


class ChannelConfigError(Exception):
    """The configuration of a channel or webhook is wrong; the message names the field and what is allowed, no value."""


def table_of(channel: str, *below: str, among: str = "channels") -> str:
    """Name a channel's table, or one below it, as it stands in the file; ``among`` is the section."""
    name = f'"{channel}"' if "." in channel else channel
    return f"[{'.'.join((among, name, *below))}]"


def listed(names: Iterable[str]) -> str:
    """List names for a message."""
    return ", ".join(names) or "none"


def refuse_unknown(where: str, given: Iterable[str], known: Iterable[str], what: str = "field") -> None:
    """Accept only known names.

    Raises
    ------
    ChannelConfigError
        There is another one; the message has the nearest and all known names.

    """
    known = list(known)
    for name in given:
        if name not in known:
            raise ChannelConfigError(f"{where}: {_no_such(what, name, known)}")


def convert(where: str, table: Mapping[str, object], wanted: type[T]) -> T:
    """Convert a table to the type ``wanted``.

    Raises
    ------
    ChannelConfigError
        A field is unknown, missing, or breaks its rule.

    """
    try:
        return msgspec.convert(dict(table), wanted)
    except msgspec.ValidationError as error:
        raise ChannelConfigError(f"{where}: {_explained(str(error), wanted)}") from None


def _explained(message: str, wanted: type) -> str:
    """Rewrite msgspec's message in plain words and without values."""
    found = _MESSAGE.fullmatch(message)
    what, path = (found["what"], found["path"] or "$") if found else (message, "$")
    place = path.removeprefix("$").removeprefix(".")
    inside = f"{place}: " if place else ""
    here = type_at(inspect.type_info(wanted), path)
    if unknown := _UNKNOWN.fullmatch(what):
        return f"{inside}{_no_such('field', unknown[1], _fields(here))}"
    if missing := _MISSING.fullmatch(what):
        return f"{inside}needs {missing[1]}."
    if what.startswith("Invalid enum value"):
        return f"{inside}must be {choices(here)}."
    return f"{inside}{_TYPE.sub(_in_words, what[:1].lower() + what[1:])}."


def _in_words(found: re.Match[str]) -> str:
    return " or ".join(_WORDS.get(name, name) for name in found[1].split(" | "))


def _no_such(what: str, name: str, known: list[str]) -> str:
    return f"there is no {what} {name!r}{did_you_mean(name, known) or '.'} Allowed: {listed(known)}."


def _fields(here: inspect.Type) -> list[str]:
    for kind in here.types if isinstance(here, inspect.UnionType) else (here,):
        if isinstance(kind, inspect.StructType):
            return [field.encode_name for field in kind.fields]
    return []
