"""Renamed SKUs and locations under test: operations use any of their names, and the first one is compared.

The further names are the first one with a tilde and a number behind it, so that nothing else looks so.
"""

import re
from typing import Any, Final, TypeVar, cast

import msgspec

from tests.support.written import SKU

T = TypeVar("T")

_FURTHER: Final = re.compile(r"~\d+")
_FURTHER_BYTES: Final = re.compile(rb"~\d+")


class Spellings:
    """The names of each SKU, or of what other fields of operations name, the newest last."""

    def __init__(self, *fields: str) -> None:
        self._fields = frozenset(fields or ("sku",))
        self._names: dict[str, list[str]] = {}
        self._asked = 0

    def next_of(self, sku: str) -> str:
        """Return the name that a SKU would have next."""
        return f"{sku}~{len(self._names.get(sku, [sku]))}"

    def newest(self, sku: str) -> str:
        """Return what a SKU is called now."""
        return self._names.get(sku, [sku])[-1]

    def renamed(self, sku: str) -> None:
        """Note that a SKU has its next name."""
        self._names.setdefault(sku, [sku]).append(self.next_of(sku))

    def any_of(self, sku: str) -> str:
        """Return one of the names of a SKU, each in its turn."""
        self._asked += 1
        names = self._names.get(sku, [sku])
        return names[self._asked % len(names)]

    def further(self) -> list[str]:
        """Return all names but the first ones."""
        return [name for names in self._names.values() for name in names[1:]]

    def spelled(self, operation: T) -> T:
        """Return an operation as it is sent: each SKU under one of its names. The fingerprint stays."""
        return cast("T", self._spelled(operation)) if self._names else operation

    def _spelled(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._spelled(each) for each in value]
        if not isinstance(value, msgspec.Struct):
            return value
        fields = {name: getattr(value, name) for name in value.__struct_fields__}
        if "sku" in self._fields and isinstance(named := fields.get("line"), str) and named.startswith(SKU):
            return msgspec.structs.replace(value, line=SKU + self.any_of(named.removeprefix(SKU)))
        changed = {
            name: self.any_of(field) if name in self._fields and isinstance(field, str) else self._spelled(field)
            for name, field in fields.items()
        }
        return msgspec.structs.replace(value, **changed)


def plain(value: T) -> T:
    """Return what was read, with the first name of each SKU."""
    return cast("T", _plain(value))


def _plain(value: Any) -> Any:  # one for each kind
    match value:
        case str():
            return _FURTHER.sub("", value)
        case bytes():
            return _FURTHER_BYTES.sub(b"", value)
        case list() | frozenset():
            return type(value)(map(_plain, value))
        case tuple():
            return tuple(_plain(each) for each in value)
        case msgspec.Struct():
            return msgspec.structs.replace(
                value, **{name: _plain(getattr(value, name)) for name in value.__struct_fields__}
            )
    return value
