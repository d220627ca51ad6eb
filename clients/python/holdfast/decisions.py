"""What to do after each try of a call: take its answer, refuse, wait and try again, or say that nobody knows.

Nothing here touches a network or a clock: who drives a call sends what it yields, and says what came back.
"""

import random
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from holdfast.calls import Call, Repeat
from holdfast.errors import HoldfastError, OutcomeUnknown, Unavailable, refusal
from holdfast.types import Problem
from holdfast.verdicts import Done, NotProcessed, Reply, Said, Unknown, judge

T = TypeVar("T")

_BEFORE_THE_OPERATION: Final = frozenset({401, 403, 405, 407, 413, 415, 429, 431})
"""Statuses of refusals that say nothing about what an earlier try of the same call did."""
_DOUBLINGS_MAX: Final = 32
"""A stream counts its failures for as long as the server is away, and 2 ** 1024 is no float."""


@dataclass(frozen=True)
class Policy:
    """How long a call may take, and how often it is tried.

    Parameters
    ----------
    deadline_s
        For a call with all its tries and pauses.
    try_s
        For one try. ``Client`` looks at the clock when something comes, so where a server sends little by little a try
        may take twice as long; ``AsyncClient`` ends it in time.
    tries_max
        How often a call is sent at most.
    pause_s, pause_max_s
        The pause after the first try, which doubles with each, and its limit; each is spread at random.
        ``Retry-After`` makes it longer.

    """

    deadline_s: float = 30.0
    try_s: float = 10.0
    tries_max: int = 6
    pause_s: float = 0.1
    pause_max_s: float = 5.0

    def pause_after(self, tries: int, retry_after_s: float = 0.0) -> float:
        """Return how long to wait after so many tries, in seconds; never less than the server asked for.

        All who were told to come back after the same time are spread over a half of it: together they would be refused
        together again.
        """
        longest_s = min(self.pause_max_s, self.pause_s * 2.0 ** min(tries - 1, _DOUBLINGS_MAX))
        asked_s = random.uniform(1, 1.5) * retry_after_s  # noqa: S311  # it spreads the load and keeps no secret
        return asked_s + random.uniform(0.5, 1) * longest_s  # noqa: S311  # the same


@dataclass(frozen=True)
class Send:
    """Send a call now, and wait no longer than this for the whole answer."""

    call: Call[Any]
    within_s: float


@dataclass(frozen=True)
class Wait:
    """Wait before the next step."""

    seconds: float


Steps = Generator[Send | Wait, Reply | None, T]
Plan = Generator[Call[Any] | Wait, Any, T]
"""Several calls that make one: each call that is yielded comes back as its decoded answer."""


class Tries(Generic[T]):
    """The tries of one call.

    Parameters
    ----------
    ends_at
        When the call has to be over, by ``clock``, in seconds.

    """

    def __init__(self, call: Call[T], policy: Policy, ends_at: float, clock: Callable[[], float]) -> None:
        self._call = call
        self._policy = policy
        self._ends_at = ends_at
        self._clock = clock
        self._tries = 0
        self._lost = ""

    def steps(self) -> Steps[T]:
        """Try until there is an answer, or no more time.

        Raises
        ------
        Refused, Unavailable, OutcomeUnknown
            As they say.

        """
        while True:
            reply = yield Send(self._call, min(self._policy.try_s, self._left_s()))
            self._tries += 1
            verdict = judge(self._call, reply) if reply is not None else Unknown("it was interrupted")
            if isinstance(verdict, Done):
                return verdict.value
            if isinstance(verdict, Said):
                raise self._refused(verdict.problem)
            yield Wait(self._pause_s(verdict))

    def _left_s(self) -> float:
        """Return how much time the call has left, or raise where there is none: a pause may take longer than asked."""
        left_s = self._ends_at - self._clock()
        if left_s > 0:
            return left_s
        if self._lost:
            raise self._unknown(f"{self._lost}; then its time was over")
        again = " again" if self._tries else ""
        raise Unavailable(f"{self._call} was not sent{again}: its time was over. Nothing changed.", "deadline")

    def _refused(self, problem: Problem) -> HoldfastError:
        says_nothing = problem.status in _BEFORE_THE_OPERATION or not problem.outcome
        if self._lost and says_nothing:
            return self._unknown(f"{self._lost}; then {problem.status} {problem.outcome}".strip())
        return refusal(problem, earlier_lost=bool(self._lost))

    def _pause_s(self, verdict: NotProcessed | Unknown) -> float:
        """Return how long to wait before the next try, or raise where there is none."""
        if isinstance(verdict, Unknown) and self._call.repeat is not Repeat.READS:
            self._lost = verdict.why
        if self._lost and self._call.repeat is Repeat.ADDS:
            raise self._unknown(verdict.why)
        policy = self._policy
        pause_s = policy.pause_after(self._tries, verdict.retry_after_s)
        if self._tries < policy.tries_max and self._clock() + pause_s < self._ends_at:
            return pause_s
        if self._lost:
            raise self._unknown(verdict.why if verdict.why == self._lost else f"{self._lost}; then {verdict.why}")
        outcome = verdict.outcome if isinstance(verdict, NotProcessed) else "unreachable"
        message = (
            f"{self._call} could not be made in {self._tries} tries: {verdict.why}. Nothing changed; try again later."
        )
        raise Unavailable(message, outcome, verdict.retry_after_s)

    def _unknown(self, why: str) -> OutcomeUnknown:
        return OutcomeUnknown(self._call, f"{why}, after {self._tries} tries" if self._tries > 1 else why)


def steps(asked: Call[T] | Plan[T], policy: Policy, clock: Callable[[], float]) -> Steps[T]:
    """Carry out a call, or several that make one, within one deadline."""
    ends_at = clock() + policy.deadline_s
    if isinstance(asked, Call):
        return (yield from Tries(asked, policy, ends_at, clock).steps())
    value: Any = None
    error: HoldfastError | None = None
    while True:
        try:
            step = asked.send(value) if error is None else asked.throw(error)
        except StopIteration as done:
            result: T = done.value
            return result
        value = error = None
        if isinstance(step, Wait):
            yield Wait(max(0.0, min(step.seconds, ends_at - clock())))
            continue
        try:
            value = yield from Tries(step, policy, ends_at, clock).steps()
        except HoldfastError as raised:
            error = raised
