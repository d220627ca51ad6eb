"""What is sent and answered: problems.

Written by ``python -m clients.generate``; a test compares it with the API.
"""

import msgspec


class FieldProblem(msgspec.Struct, frozen=True, kw_only=True):
    """A field that breaks a rule."""

    field: str
    rule: str


class LineProblem(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked of one line, and what there was; ``similar``: the known name that one of its names is like."""

    line: int
    sku: str
    location: str
    requested: int
    available: int
    similar: str | None = None


class QuotaProblem(msgspec.Struct, frozen=True, kw_only=True):
    """A quota that has no room: of the key, or of one customer of it; how many units it holds, and may."""

    of: str
    """One of: customer, key."""
    used: int
    limit: int
    requested: int


class Problem(msgspec.Struct, frozen=True, kw_only=True):
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
    errors: list[FieldProblem] = msgspec.field(default_factory=list)
    lines: list[LineProblem] = msgspec.field(default_factory=list)
    state: str | None = None
    reservation_id: str | None = None
    half: str | None = None
    """One of: , order, reservation, return."""
    quota: QuotaProblem | None = None
    request_id: str | None = None
