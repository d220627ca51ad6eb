"""A type in plain words, and what came in its place: ``a whole number from 1 to 100, not '1'``."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import inspect

from server.domain.allowed_values import choices, kinds

_SHOWN_CHARACTERS_MAX: Final = 40
"""A longer text is not repeated to who sent it."""
_SHOWN_DIGITS_MAX: Final = 20
_FORMS: Final = {"^[A-Za-z0-9_-]*$": "of letters without accents, digits, _ and -"}
"""Patterns that people are told in words."""
_OTHERS: Final = {bytes: "binary data", datetime: "a time", msgspec.msgpack.Ext: "an extension"}
"""What MessagePack has beside JSON."""


def in_words(wanted: Any) -> str:
    """Say what a type allows. That it also allows null is left out: whoever sent something did not mean nothing."""
    found = [_words(kind) for kind in kinds(inspect.type_info(wanted)) if not isinstance(kind, inspect.NoneType)]
    return " or ".join(dict.fromkeys(each for each in found if each)) or "null"


def _words(kind: inspect.Type) -> str:
    return next((say(kind) for types, say in _WORDS if isinstance(kind, types)), "")


def _number(kind: Any) -> str:
    word = "a whole number" if isinstance(kind, inspect.IntType) else "a number"
    if kind.ge is not None and kind.le is not None:
        return f"{word} from {kind.ge:,} to {kind.le:,}"
    bounds = {"of at least": kind.ge, "above": kind.gt, "of at most": kind.le, "below": kind.lt}
    limits = [f"{name} {bound:,}" for name, bound in bounds.items() if bound is not None]
    return " ".join((word, " and ".join(limits))).rstrip()


def _text(kind: Any) -> str:
    long = _range(kind.min_length, kind.max_length, "character")
    form = kind.pattern and _FORMS.get(kind.pattern, f"of the form {kind.pattern}")
    return " ".join(filter(None, ("text", long and f"of {long}", form)))


def _list(kind: Any) -> str:
    long = _range(kind.min_length, kind.max_length, "element")
    return f"a list of {long}" if long else "a list"


def _range(low: int | None, high: int | None, noun: str) -> str:
    if high is None:
        return f"at least {low:,} {noun}s" if low else ""
    return f"{low:,} to {high:,} {noun}s" if low else f"at most {high:,} {noun}s"


_WORDS: Final[tuple[tuple[Any, Callable[[Any], str]], ...]] = (
    (inspect.BoolType, lambda _: "true or false"),
    (inspect.IntType | inspect.FloatType, _number),
    (inspect.StrType, _text),
    (inspect.LiteralType | inspect.EnumType, choices),
    (inspect.DateTimeType, lambda _: "a time with its zone, such as 2026-12-01T09:30:00Z"),
    (inspect.DateType, lambda _: "a day, such as 2026-12-01"),
    (inspect.ListType | inspect.VarTupleType | inspect.SetType | inspect.FrozenSetType, _list),
    (inspect.StructType | inspect.DictType, lambda _: "an object"),
)


def what_came(value: object) -> str:
    """Say what was sent, without repeating anything long."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and abs(value) >= 10**_SHOWN_DIGITS_MAX:
        return f"one of more than {_SHOWN_DIGITS_MAX} digits"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return _came_as_text(value)
    if isinstance(value, list | tuple):
        return f"a list of {len(value):,}"
    return "an object" if isinstance(value, dict) else _OTHERS.get(type(value), "a value of another kind")


def _came_as_text(value: str) -> str:
    if not value:
        return "an empty text"
    is_short = len(value) <= _SHOWN_CHARACTERS_MAX and value.isprintable()
    return repr(value) if is_short else f"a text of {len(value):,} characters"
