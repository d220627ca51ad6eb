"""The kinds that there are: those of this folder, and those of other packages that are installed beside Holdfast.

Another package names its kinds in its entry points, one for each, by the kind's own name::

    [project.entry-points."holdfast.adapters"]
    acme = "holdfast_acme:ADAPTER"

It is imported once a channel of the configuration is of that kind, or all kinds are listed. One that is broken, or
whose name another has, keeps no other from working.
"""

from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, NamedTuple, cast

import msgspec

from adapters.contract.adapter import CONTRACT, Kind, kinds

GROUP: Final = "holdfast.adapters"
OURS: Final = "holdfast"
_REASON_CHARACTERS_MAX: Final = 300
_SOME: Final = 2


class KindError(Exception):
    """A kind of another package cannot be used; the message has the package, the reason and the mend."""


class Found(NamedTuple):
    """A kind by its name: where it comes from, the kind itself, and why it is not used; empty: it is."""

    name: str
    origin: str
    kind: Kind | None
    problem: str = ""


def names() -> list[str]:
    """Name all kinds that a channel may be of, whether they can be used or not; no other package is imported."""
    return sorted({*kinds(), *(point.name for point in _points())})


def find(name: str) -> Kind | None:
    """Return a kind by its name; None: there is none.

    Raises
    ------
    KindError
        It is of another package, and cannot be used.

    """
    ours = kinds().get(name)
    if ours is not None:
        return ours
    points = _points(name)
    if len(points) >= _SOME:
        raise KindError(_claimed(name, points))
    return _load(points[0]) if points else None


def shadowed() -> list[str]:
    """Say which kinds of other packages have the name of one of ours; they are not used, and not imported."""
    ours = kinds()
    return [_taken(point) for point in _points() if point.name in ours]


def every() -> Iterator[Found]:
    """Say of every kind where it comes from, and of one that cannot be used why."""
    ours = kinds()
    yield from (Found(name, OURS, kind) for name, kind in ours.items())
    points = _points()
    for point in points:
        same = [each for each in points if each.name == point.name]
        if point.name in ours:
            yield Found(point.name, _origin(point), None, _taken(point))
        elif len(same) >= _SOME:
            yield Found(point.name, _origin(point), None, _claimed(point.name, same))
        else:
            yield _tried(point)


def _tried(point: EntryPoint) -> Found:
    try:
        return Found(point.name, _origin(point), _load(point))
    except KindError as error:
        return Found(point.name, _origin(point), None, str(error))


def _points(name: str | None = None) -> list[EntryPoint]:
    found = entry_points(group=GROUP) if name is None else entry_points(group=GROUP, name=name)
    return sorted(found, key=lambda point: (point.name, _origin(point)))


def _origin(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "a package without a name"


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "the package"


def _taken(point: EntryPoint) -> str:
    return (
        f"{_origin(point)} has a kind {point.name!r}, too, which is not used: a kind of Holdfast's own has that name."
        f" Rename it in its entry point and its ADAPTER, or run: pip uninstall {_package(point)}"
    )


def _claimed(name: str, points: list[EntryPoint]) -> str:
    packages = " and ".join(_origin(point) for point in points)
    return (
        f"{packages} have a kind {name!r}, and nobody can tell which is meant."
        f" Keep one of them, for example: pip uninstall {_package(points[-1])}"
    )


def _load(point: EntryPoint) -> Kind:
    who, package = f"the kind {point.name!r} of {_origin(point)}", _package(point)
    try:
        kind = point.load()
    except (Exception, SystemExit) as error:
        mend = f"Install a release of {package} that fits this Holdfast, or correct it"
        raise KindError(f"{who} cannot be imported from {point.value!r}: {_said(error)}. {mend}.") from error
    wrong = _wrong(kind, point.name)
    if wrong:
        raise KindError(f"{who} {wrong}")
    if kind.contract != CONTRACT:
        raise KindError(f"{who} {_of_another_contract(kind.contract, package)}")
    checked: Kind = kind
    return checked


def _of_another_contract(contract: int, package: str) -> str:
    written = f"is written for contract {contract} of adapters" if contract else "does not say for which contract it is"
    mend = f"install a release of {package} whose ADAPTER says contract={CONTRACT}"
    return f"{written}; this Holdfast has {CONTRACT}: {'install a later Holdfast, or ' * (contract > CONTRACT)}{mend}."


def _wrong(kind: Any, name: str) -> str:
    """Return what keeps something from being used as a kind, and the mend; empty: nothing does."""
    if not isinstance(kind, Kind):
        return (
            f"is no Kind but a {type(kind).__name__}. Its entry point must lead to a Kind of adapters.contract.adapter."
        )
    kind = cast("Any", kind)
    is_struct = isinstance(kind.options, type) and issubclass(kind.options, msgspec.Struct)
    faults = {
        f"calls itself {kind.name!r}. The name in its ADAPTER and that of its entry point must be the same.": (
            kind.name != name
        ),
        "has options that are no type of msgspec.Struct. Correct its ADAPTER.": not is_struct,
        "takes options that it does not know. Its options need forbid_unknown_fields=True.": (
            is_struct and not kind.options.__struct_config__.forbid_unknown_fields
        ),
        "has credentials that are no tuple of names. Correct its ADAPTER.": (
            not all(isinstance(each, tuple) for each in (kind.credentials, kind.optional_credentials))
        ),
        "has a contract that is no number. Correct its ADAPTER.": not isinstance(kind.contract, int),
        "has a build that cannot be called. Correct its ADAPTER.": not callable(kind.build),
    }
    return next((fault for fault, applies in faults.items() if applies), "")


def _said(error: BaseException) -> str:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text[:_REASON_CHARACTERS_MAX].rstrip(".: ")
