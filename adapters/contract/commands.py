"""What the commands of all kinds share: several requests for one command, and the packages that it is about.

Nothing that was said once is said twice: as soon as one request of a command was carried out, a failure of a later one
leaves the result of the whole unknown, so that the order is read before anything is repeated.
"""

from collections.abc import Callable, Sequence
from typing import Final

from adapters.contract.errors import ChannelError, UnknownResultError
from adapters.contract.http import Answer, Exchange, Request, check_command
from adapters.contract.orders import CommandOutcome, Done, LineQuantities, Package, Refused, Ship, Superseded

PART_OF_PACKAGE: Final = "part_of_package"
"""Code of a shipment that is refused here, since the channel would take the whole package for it."""
Judge = Callable[[Answer], Refused | Superseded | None]
"""Reads an answer of 2xx or 4xx; None: it was carried out."""


def one_after_another(requests: Sequence[Request], judge: Judge) -> Exchange[CommandOutcome]:
    """Send the requests of one command.

    Raises
    ------
    ChannelError
        As the first request has it; UnknownResultError where an earlier one was carried out.

    """
    for number, request in enumerate(requests):
        try:
            answer = yield request
            check_command(answer)
        except ChannelError as error:
            if number:
                raise UnknownResultError(f"a part was carried out, then: {error.reason}") from None
            raise
        refused = judge(answer)
        if refused is not None:
            if number:
                raise UnknownResultError(f"a part was carried out, then: {refused.reason}")
            return refused
    return Done()


def over_packages(lines: LineQuantities, packages: Sequence[Package]) -> dict[str, list[tuple[str, int]]] | None:
    """Return which pieces of which package a command is about, the first packages first; None: they have not so many.

    Pieces that a command names for one line several times count together.
    """
    left = _counted(lines)
    found: dict[str, list[tuple[str, int]]] = {}
    for package in packages:
        for key, pieces in package.lines:
            taken = min(pieces, left.get(key, 0))
            if taken:
                found.setdefault(package.key, []).append((key, taken))
                left[key] -= taken
    return None if any(left.values()) else found


def whole_packages(lines: LineQuantities, packages: Sequence[Package]) -> list[Package] | None:
    """Return packages that hold just these pieces, one alone where there is one; None: they do not come out even.

    For a channel that tells of packages as a whole only. Pieces that are named for one line several times add up.
    """
    wanted = _counted(lines)
    alone = next((each for each in packages if each.lines and _counted(each.lines) == wanted), None)
    if alone is not None:
        return [alone]
    found = list[Package]()
    for package in packages:
        pieces = _counted(package.lines)
        if pieces and all(wanted.get(key, 0) >= of for key, of in pieces.items()):
            wanted = {key: of - pieces.get(key, 0) for key, of in wanted.items()}
            found.append(package)
    return None if any(wanted.values()) else found


def part_of_named(command: Ship, packages: Sequence[Package]) -> Refused | None:
    """Refuse a shipment that names a package and other pieces than it has: its tracking would be that of all."""
    named = next((each for each in packages if each.key == command.package), None)
    if not command.package or named is None or not named.lines or _counted(named.lines) == _counted(command.lines):
        return None
    has = ", ".join(f"{pieces} of {key}" for key, pieces in named.lines)
    return Refused(
        code=PART_OF_PACKAGE,
        reason=f"package {named.key} leaves as a whole: name all that it has ({has}), or divide it there first",
    )


def _counted(lines: LineQuantities) -> dict[str, int]:
    counted: dict[str, int] = {}
    for key, pieces in lines:
        counted[key] = counted.get(key, 0) + pieces
    return {key: pieces for key, pieces in counted.items() if pieces}
