"""Problems over the wire, as RFC 9457 wants them."""

from typing import Literal

import msgspec


class LineProblem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was asked of one line, and what there was; ``similar``: the known name that one of its names is like."""

    line: int
    sku: str
    location: str
    requested: int
    available: int
    similar: str = ""


class QuotaProblem(msgspec.Struct, frozen=True):
    """A quota that has no room: of the key, or of one customer of it; how many units it holds, and may."""

    of: Literal["key", "customer"]
    used: int
    limit: int
    requested: int


class FieldProblem(msgspec.Struct, frozen=True):
    """A field that breaks a rule."""

    field: str
    rule: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """An RFC 9457 problem. ``outcome`` is what programs should look at; ``retryable``: the same may succeed later.

    ``half``: of an exchange, the field of the body that could not be. ``request_id``: as in the header X-Request-Id,
    and in the log.
    """

    type: str
    title: str
    status: int
    detail: str
    outcome: str
    retryable: bool
    errors: list[FieldProblem] = []
    lines: list[LineProblem] = []
    state: str = ""
    reservation_id: str = ""
    half: Literal["", "return", "reservation", "order"] = ""
    quota: QuotaProblem | None = None
    request_id: str = ""
