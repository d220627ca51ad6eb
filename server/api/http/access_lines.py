"""What the access log says of a request: ids, route, outcome, who asked, and of a refused one what it was about.

Names of the caller's own choice are there where they identify an order: its id, its reference, its SKUs. What was sent
in other fields is not: of those that break a rule, their names are.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import structlog

from server.api.http.answer import Answer
from server.domain.principal import Principal
from server.schemas.problems import Problem
from server.telemetry.access_log import AccessLog, Line
from server.telemetry.logs import redact

NAMES_MAX: Final = 10
"""SKUs or fields in one line."""
_ABOUT: Final = ("reservation_id", "order_ref", "channel")
_CHARACTERS_MAX: Final = 256
_REFUSED: Final = 400
_WELL: Final = "ok"

log = structlog.get_logger("holdfast.http")


class Asked(NamedTuple):
    """What is known of a request when it was answered. ``about``: bodies and the like that may name an order."""

    request_id: str
    principal: Principal | None
    answer: object
    about: Sequence[object] = ()


class RequestNotes:
    """Which requests of one route are noted, and how.

    Parameters
    ----------
    access
        Where; None: there is no access log.
    method, path
        Of the route.
    slow_s
        A request that took longer is a warning; 0: none is.
    has_items
        Answers have a result for each item of the body.

    """

    def __init__(
        self, access: AccessLog | None, method: str, path: str, slow_s: float = 0.0, *, has_items: bool = False
    ) -> None:
        self._access = access
        self._access_of_items = access if has_items else None
        self._method = method
        self._path = path
        self._slow_s = slow_s

    def wants(self, status: int, elapsed_s: float) -> bool:
        """Whether an answer is to be noted."""
        access = self._access
        return (access is not None and access.wants(status)) or 0 < self._slow_s < elapsed_s

    def note(self, asked: Asked, status: int, elapsed_s: float) -> None:
        """Note one request, and each refused item of an answer that has several."""
        seconds = round(elapsed_s, 6)
        if 0 < self._slow_s < elapsed_s:
            log.warning("slow_request", route=self._path, status=status, seconds=seconds, request_id=asked.request_id)
        if self._access is None:
            return
        outcome = asked.answer.outcome if isinstance(asked.answer, Answer | Problem) else ""
        outcome = outcome or (_WELL if status < _REFUSED else "")
        line = self._line(asked) | {"status": status, "outcome": outcome, "seconds": seconds}
        self._access.note(line | about(*asked.about) | _of_problem(asked.answer), is_stranger=asked.principal is None)

    def note_items(self, request_id: str, principal: Principal, answer: object) -> None:
        """Note each refused item of an answer that has several: as a whole it is no refusal."""
        access = self._access_of_items
        if access is None:
            return
        for number, item in enumerate(_results(answer)):
            if item.status >= _REFUSED:
                line = self._line(Asked(request_id, principal, answer)) | {
                    "item": number,
                    "status": item.status,
                    "outcome": item.outcome,
                }
                access.note(line | about(item) | _of_problem(getattr(item, "problem", None)))

    def _line(self, asked: Asked) -> Line:
        line: Line = {"request_id": asked.request_id, "method": self._method, "route": self._path}
        if asked.principal is not None:
            line |= {"actor": asked.principal.key, "partition": asked.principal.partition}
        return line


def _results(answer: object) -> Iterator[Any]:
    for item in getattr(answer, "results", ()):
        if isinstance(getattr(item, "status", None), int):
            yield item


def about(*sources: object) -> Line:
    """Read from bodies, views or decoded objects what identifies an order."""
    found: Line = {}
    for source in sources:
        for name in _ABOUT:
            value = source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)
            if isinstance(value, str) and value and name not in found:
                found[name] = _shown(value)
    return found


def _of_problem(problem: object) -> Line:
    if not isinstance(problem, Problem):
        return {}
    found: Line = {}
    if problem.errors:
        found["fields"] = _few([each.field for each in problem.errors])
    if problem.lines:
        found["skus"] = _few([each.sku for each in problem.lines])
    return found


def _few(names: Sequence[str]) -> list[str]:
    return [_shown(name) for name in list(dict.fromkeys(names))[:NAMES_MAX]]


def _shown(value: str) -> str:
    text = redact(value[:_CHARACTERS_MAX])
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
