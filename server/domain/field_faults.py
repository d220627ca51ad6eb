"""All that is wrong with what was sent, in plain words: each field, its rule, and what is allowed there.

The library that reads bodies stops at the first fault. So what it has refused is looked at once more, along the type
that was wanted. What is sound is never looked at twice, and how much is looked at has a bound.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, Final, NamedTuple, Union, get_args, get_origin

import msgspec

from server.domain.similar_names import did_you_mean
from server.domain.type_words import in_words, what_came

FAULTS_MAX: Final = 30
"""More are not listed: who has so many corrects these first."""
LOOKS_MAX: Final = 500
"""Values that are looked at one by one; then only those elements of lists that the library refuses."""
NAME_CHARACTERS_MAX: Final = 64
"""A name in a body that is longer is not shown whole."""
_LISTED_MAX: Final = 12
_LIKE_FROM: Final = 0.65
"""So alike a field has to be to be the one that is meant; less, and all are named: ``after`` is not meant by state."""
_ROOT: Final = "body"
_LISTS: Final = (list, set, frozenset, tuple)
_NOT_TEXT: Final = "has a name that is not text"


class Fault(NamedTuple):
    """A field that breaks a rule; the rule says what is allowed."""

    field: str
    rule: str


class FaultsError(msgspec.ValidationError):
    """What was sent breaks rules: all that were found. ``sent``: the decoded value, where there is one."""

    def __init__(self, faults: list[Fault], sent: Any = None) -> None:
        self.faults = faults
        self.sent = sent
        super().__init__(f"{faults[0].field}: {faults[0].rule}")


Check = Callable[[str, Any, Any], Fault | None]
"""Looks at a value that fits its type: the field, the value, and the type with its annotations."""


class Looks:
    """How many values may still be looked at; shared by the parts of one body."""

    def __init__(self, left: int = LOOKS_MAX) -> None:
        self.left = left


def faults_of(
    value: Any,
    wanted: Any,
    *,
    strict: bool = True,
    check: Check | None = None,
    looks: Looks | None = None,
    fits: bool = False,
    whole_floats: bool = False,
) -> list[Fault]:
    """Return what is wrong with a decoded value, in its own order, at most :data:`FAULTS_MAX`.

    Parameters
    ----------
    value
        Of plain types, as JSON and MessagePack are decoded.
    wanted
        The type that it must have.
    strict
        False: numbers may be texts, as in a query.
    check
        Looks at what the type cannot express.
    looks
        The bound, where several parts share it.
    fits
        The value is known to have its type, so that only ``check`` is asked, and not about defaults.
    whole_floats
        ``2.0`` is no fault where a whole number belongs.

    """
    walk = _Walk(strict=strict, check=check, looks=looks or Looks(), fits=fits, whole_floats=whole_floats)
    walk.look("", value, wanted)
    return walk.faults


class _Walk:
    def __init__(self, *, strict: bool, check: Check | None, looks: Looks, fits: bool, whole_floats: bool) -> None:
        self.faults: list[Fault] = []
        self._strict = strict
        self._check = check
        self._looks = looks
        self._known_to_fit = fits
        self._takes_whole_floats = whole_floats

    def look(self, field: str, value: Any, wanted: Any) -> None:
        """Look at a value and all that is in it."""
        self._looks.left -= 1
        options = _options(wanted)
        if value is None and type(None) in options:
            return
        kinds = [each for each in options if each is not type(None)]
        if isinstance(value, list):  # a word or a list of words: a list is meant
            kinds = [each for each in kinds if _is_list(each)] or kinds
        structs = [kind for kind in map(_plain, kinds) if _is_struct(kind)]
        if structs and len(structs) == len(kinds):
            self._look_at_object(field, value, structs)
        elif len(kinds) == 1 and kinds[0] is not wanted:
            self.look(field, value, kinds[0])
        elif _is_list(wanted):
            self._look_at_list(field, value, wanted)
        elif get_origin(_plain(wanted)) in (dict, Mapping):
            self._look_at_map(field, value, _plain(wanted))
        else:
            self._look_at_leaf(field, value, wanted)

    def _look_at_object(self, field: str, value: Any, kinds: list[Any]) -> None:
        if not isinstance(value, Mapping):
            self._add(field, f"must be an object, not {what_came(value)}")
            return
        kind = kinds[0]
        tag_field = kind.__struct_config__.tag_field
        if tag_field:
            tags = {each.__struct_config__.tag: each for each in kinds}
            if tag_field not in value:
                self._add(_below(field, tag_field), f"is required: {_listed(tags)}")
                return
            tag = value[tag_field]
            if not isinstance(tag, str) or tag not in tags:
                meant = did_you_mean(tag[:NAME_CHARACTERS_MAX], tags) if isinstance(tag, str) else ""
                self._add(_below(field, tag_field), f"must be {_listed(tags)}, not {what_came(tag)}{meant}")
                return
            kind = tags[tag]
        self._look_at_fields(field, value, kind, tag_field)

    def _look_at_fields(self, field: str, value: Mapping[Any, Any], kind: Any, tag_field: str | None) -> None:
        fields = _fields(kind)
        for name, inside in value.items():
            if self._is_full():
                return
            known = fields.get(name) if isinstance(name, str) else None
            if not isinstance(name, str):
                self._add(field, _NOT_TEXT)
            elif known is not None:
                if not self._known_to_fit or inside != known.default:
                    self.look(_below(field, name), inside, known.type)
            elif kind.__struct_config__.forbid_unknown_fields and name != tag_field:
                self._add(_below(field, name), f"is not known here{_nearest(name, fields)}")
        for name, each in fields.items():
            if each.required and name not in value:
                self._add(_below(field, name), f"is required: {in_words(each.type)}")

    def _look_at_list(self, field: str, value: Any, wanted: Any) -> None:
        plain, rules = _plain(wanted), Annotated[list[Any], msgspec.Meta(), *_metas(wanted)]
        if not isinstance(value, list | tuple) or not self._fits(value, rules):
            self._add(field, f"must be {in_words(wanted)}, not {what_came(value)}")
            return
        kinds = [each for each in get_args(plain) if each is not ...]
        for number, each in enumerate(value):
            if self._is_full():
                return
            kind = kinds[min(number, len(kinds) - 1)]
            # Beyond the bound, only what the library itself refuses is worth a look.
            if self._looks.left > 0 or not self._fits(each, kind):
                self.look(f"{field}[{number}]", each, kind)

    def _look_at_map(self, field: str, value: Any, plain: Any) -> None:
        if not isinstance(value, Mapping):
            self._add(field, f"must be an object, not {what_came(value)}")
            return
        of_names, of_values = get_args(plain)
        for name, inside in value.items():
            if self._is_full():
                return
            if self._fits(name, of_names):
                self.look(_below(field, name), inside, of_values)
            else:
                self._add(field, f"has a name that must be {in_words(of_names)}, not {what_came(name)}")

    def _look_at_leaf(self, field: str, value: Any, wanted: Any) -> None:
        if not self._fits(value, wanted) and not (self._takes_whole_floats and self._is_whole(value, wanted)):
            self._add(field, f"must be {in_words(wanted)}, not {what_came(value)}")
            return
        fault = self._check(field or _ROOT, value, wanted) if self._check is not None else None
        if fault is not None:
            self._add(*fault)

    def _is_whole(self, value: Any, wanted: Any) -> bool:
        """Whether a number with a fraction of zero would fit as a whole one."""
        return isinstance(value, float) and value.is_integer() and self._fits(int(value), wanted)

    def _fits(self, value: Any, wanted: Any) -> bool:
        if self._known_to_fit:
            return True
        try:
            msgspec.convert(value, wanted, strict=self._strict)
        except msgspec.ValidationError:
            return False
        return True

    def _add(self, field: str, rule: str) -> None:
        if not self._is_full():
            self.faults.append(Fault(field or _ROOT, rule))

    def _is_full(self) -> bool:
        return len(self.faults) >= FAULTS_MAX


def _below(field: str, name: str) -> str:
    shown = name if len(name) <= NAME_CHARACTERS_MAX else f"{name[:NAME_CHARACTERS_MAX]}…"
    return f"{field}.{shown}" if field else shown


def _listed(names: Iterable[object]) -> str:
    return " or ".join(map(repr, names))


def _nearest(name: object, known: Iterable[object]) -> str:
    """Name the most similar one of the names that are known; where none is, all of them if they are few."""
    names = [each for each in known if isinstance(each, str)]
    if not isinstance(name, str) or not names:
        return ""
    close = did_you_mean(name[:NAME_CHARACTERS_MAX], names, cutoff=_LIKE_FROM)
    return close or (f"; known are {', '.join(names)}" if len(names) <= _LISTED_MAX else "")


def _plain(wanted: Any) -> Any:
    """Return a type without its annotations."""
    while get_origin(wanted) is Annotated:
        wanted = get_args(wanted)[0]
    return wanted


def _metas(wanted: Any) -> list[Any]:
    return list(get_args(wanted)[1:]) if get_origin(wanted) is Annotated else []


def _options(wanted: Any) -> list[Any]:
    """Return the types that a union is made of, without the one for what was not sent; or the one that it is."""
    plain = _plain(wanted)
    if get_origin(plain) not in (Union, UnionType):
        return [wanted]
    return [each for each in get_args(plain) if each is not msgspec.UnsetType]


@cache
def _fields(kind: Any) -> dict[str, msgspec.structs.FieldInfo]:
    """Return the fields of a type by the names that bodies have for them; to find them takes long."""
    return {each.encode_name: each for each in msgspec.structs.fields(kind)}


def _is_list(kind: Any) -> bool:
    plain = _plain(kind)
    return (get_origin(plain) or plain) in _LISTS and bool(get_args(plain))


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
