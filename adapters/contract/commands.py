"""What the commands of all kinds share: several requests for one command, and the packages that it is about.

Nothing that was said once is said twice: as soon as one request of a command was carried out, a failure of a later one
leaves the result of the whole unknown, so that the order is read before anything is repeated.
"""

from collections.abc import Callable, Sequence

from adapters.contract.errors import ChannelError, UnknownResultError
from adapters.contract.http import Answer, Exchange, Request, check_command
from adapters.contract.orders import CommandOutcome, Done, LineQuantities, Package, Refused, Superseded

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
    left: dict[str, int] = {}
    for key, pieces in lines:
        left[key] = left.get(key, 0) + pieces
    found: dict[str, list[tuple[str, int]]] = {}
    for package in packages:
        for key, pieces in package.lines:
            taken = min(pieces, left.get(key, 0))
            if taken:
                found.setdefault(package.key, []).append((key, taken))
                left[key] -= taken
    return None if any(left.values()) else found
