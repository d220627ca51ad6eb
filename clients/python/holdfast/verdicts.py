"""What one try of a call came to: its answer, a refusal, surely nothing, or nobody knows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final, Generic, TypeVar

import msgspec

from holdfast.calls import Call
from holdfast.types import Problem

T = TypeVar("T")

_PROBLEM: Final = "application/problem+json"
NOT_PROCESSED: Final = frozenset({"overloaded", "store_unavailable", "request_timeout"})
"""Outcomes that promise that nothing happened, of a request or of an element of a batch."""
_BY_PROXIES: Final = frozenset({408, 425})
"""Statuses of proxies that ask for the request again."""
_SHOWN_CHARACTERS: Final = 200
_RETRY_AFTER_MAX_S: Final = 86_400.0
"""Who asks for more than a day does not mean it."""
_DIGITS: Final = re.compile(r"[0-9]+")


@dataclass(frozen=True)
class Answer:
    """What came back, whole. ``headers`` have names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Lost:
    """No whole answer came. ``sent`` False: the request surely did not leave."""

    why: str
    sent: bool


Reply = Answer | Lost


@dataclass(frozen=True)
class Done(Generic[T]):
    """The call has its answer."""

    value: T


@dataclass(frozen=True)
class NotProcessed:
    """Surely nothing happened."""

    why: str
    outcome: str
    retry_after_s: float = 0.0


@dataclass(frozen=True)
class Unknown:
    """It may have happened."""

    why: str
    retry_after_s: float = 0.0


@dataclass(frozen=True)
class Said:
    """The server refused it, or something else did, whose outcome is empty."""

    problem: Problem


Verdict = Done[T] | NotProcessed | Unknown | Said


def judge(call: Call[T], reply: Reply) -> Verdict[T]:
    """Say what one try of a call came to."""
    if isinstance(reply, Lost):
        return Unknown(reply.why) if reply.sent else NotProcessed(reply.why, "unreachable")
    if HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
        return _decoded(call, reply)
    problem = _problem(reply)
    retry_after_s = retry_after_s_of(reply.headers)
    why = f"{reply.status} {problem.outcome or problem.detail}".strip()
    if problem.outcome in NOT_PROCESSED:
        return NotProcessed(why, problem.outcome, retry_after_s)
    if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
        return NotProcessed(why, problem.outcome or "too_many_requests", retry_after_s)
    if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR or (reply.status in _BY_PROXIES and not problem.outcome):
        return Unknown(why, retry_after_s)
    return Said(problem)


def _decoded(call: Call[T], answer: Answer) -> Verdict[T]:
    if call.answer is bytes:
        return Done(answer.body)  # type: ignore[arg-type]  # T is bytes here
    try:
        return Done(msgspec.json.decode(answer.body, type=call.answer))
    except (msgspec.MsgspecError, RecursionError) as error:
        return Unknown(f"{answer.status} with a body that is not the answer: {error}")


def _problem(answer: Answer) -> Problem:
    """Read a refusal; what is no problem of Holdfast's, such as a proxy's page, has an empty outcome."""
    if answer.headers.get("content-type", "").startswith(_PROBLEM):
        try:
            return msgspec.json.decode(answer.body, type=Problem)
        except (msgspec.MsgspecError, RecursionError):
            pass
    said = " ".join(answer.body.decode("utf-8", "replace").split())[:_SHOWN_CHARACTERS]
    title = "An answer that is not Holdfast's; is there a proxy, or another server at this address?"
    if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
        said = f"It points to {answer.headers.get('location', 'nowhere')[:_SHOWN_CHARACTERS]!r}, and is not followed"
    return Problem(
        type="about:blank", title=title, status=answer.status, detail=said or "empty", outcome="", retryable=False
    )


def retry_after_s_of(headers: Mapping[str, str]) -> float:
    """Read the header, in seconds or as a date; 0 where there is none that can be read, and never more than a day.

    A date is compared with the one of the answer, since our clock may be another.
    """
    text = headers.get("retry-after", "").strip()
    if _DIGITS.fullmatch(text):
        return min(_RETRY_AFTER_MAX_S, float(text))
    until = _date(text)
    now = _date(headers.get("date", "")) or datetime.now(UTC)
    return min(_RETRY_AFTER_MAX_S, max(0.0, (until - now).total_seconds())) if until else 0.0


def _date(text: str) -> datetime | None:
    """Read the date of a header; None where it is none."""
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
