"""A circuit breaker for one channel: how long to pause after a failure, and when to probe with one item only.

The pause after the n-th failure is drawn evenly from 0 to ``base_s * 2**(n - 1)``, ``cap_s`` at most: "full jitter",
from Marc Brooker's "Exponential Backoff and Jitter" on the AWS Architecture Blog (2015), where it did the least work
of all that were tried. The channel's own ``Retry-After`` is kept as well, also when another request that was in flight
meanwhile succeeds.

After ``open_after`` failures in a row the circuit opens: the channel is only probed, with one small push at a time,
until one succeeds. A channel that does not accept the credentials is probed slowly from the first time; one that has
closed this endpoint or version is halted: nothing is sent until an operator acts.

Why no library: pybreaker 1.4 and purgatory 3.0 read the wall clock themselves and wrap the call, which here is an
exchange held elsewhere; neither has a halted state. tenacity's jitter draws from the global random, so no test could
predict it, and the formula is one line.
"""

import math
from collections.abc import Callable
from typing import Final, Literal

from adapters.contract.errors import (
    ChannelError,
    ClosedError,
    CredentialsError,
    SignedOutError,
    SpoiledError,
    ThrottledError,
    TicketLostError,
)
from server.domain.channels import Circuit

AFTER_S_MAX: Final = 3_600.0
"""The longest ``Retry-After`` that is honoured: one of days is, most of the time, a mistake of the channel."""
_CLOSED: Final = "the channel has closed this endpoint or version"
_DOUBLINGS_MAX: Final = 32
"""More than any cap allows; keeps the power of two a number."""

Transition = Literal["channel_circuit_opened", "channel_circuit_closed", "channel_halted"]
"""What is logged once, when it happens."""


class CircuitBreaker:
    """One channel's backoff and circuit. ``now_s`` is the event loop's clock; ``random`` draws from 0 up to 1.

    ``base_s`` and ``cap_s``: the first and the longest pause. ``refused_s``: the pause after refused credentials, since
    some accounts are locked after a few failed logins. ``open_after``: failures in a row that open the circuit.

    ``circuit``: see :data:`server.domain.channels.Circuit`. ``reason``: what failed last and, where only
    an operator can correct it, what to do; empty after a success.
    """

    def __init__(
        self,
        *,
        base_s: float = 0.5,
        cap_s: float = 15.0,
        refused_s: float = 60.0,
        open_after: int = 5,
        random: Callable[[], float],
    ) -> None:
        self.circuit: Circuit = "closed"
        self.reason = ""
        self._base_s = base_s
        self._cap_s = cap_s
        self._refused_s = refused_s
        self._open_after = open_after
        self._random = random
        self._failures = 0
        self._rounds = 0
        self._refused = False
        self._backoff_until_s = 0.0
        self._asked_until_s = 0.0

    @property
    def probing(self) -> bool:
        """Whether to send one small push only, to find out whether the channel answers again."""
        return self.circuit == "open"

    @property
    def resume_at_s(self) -> float:
        """The time from which something may be sent; infinity while halted."""
        return math.inf if self.circuit == "halted" else max(self._backoff_until_s, self._asked_until_s)

    def wait_s(self, now_s: float) -> float:
        """Return after how many seconds something may be sent; 0: now, infinity: not before :meth:`revive`."""
        return max(0.0, self.resume_at_s - now_s)

    def failed(self, error: ChannelError, now_s: float) -> Transition | None:
        """Record a call that failed as a whole.

        Returns
        -------
        Transition or None
            What changed by it; also when an open circuit stays open for another cause that needs action.

        """
        if isinstance(error, SpoiledError | TicketLostError):
            # The channel works: it has answered what is wrong with the push.
            return self.succeeded(now_s)
        if self.circuit == "halted":
            return None
        if asked_s := honoured_s(error.after_s):
            self._asked_until_s = max(self._asked_until_s, now_s + asked_s)
        self.reason = error.reason
        match error:
            case ClosedError() | SignedOutError():
                closed = "" if isinstance(error, SignedOutError) else f"{_CLOSED}. Its answer: "
                self.reason = f"Halted: {closed}{error.reason}"
                self.circuit = "halted"
                return "channel_halted"
            case CredentialsError():
                return self._not_accepted(error, now_s)
            case ThrottledError():
                if error.after_s is None:
                    self._back_off(now_s)
                return None
            case _:
                return self._count(now_s)

    def succeeded(self, now_s: float) -> Transition | None:  # noqa: ARG002  # has its time, as its counterpart does
        """Record a call that the channel answered as it should. A halted channel stays halted.

        Returns
        -------
        Transition or None
            That the circuit has closed, if it has.

        """
        if self.circuit == "halted":
            return None
        before, self.circuit = self.circuit, "closed"
        self.reason = ""
        self._failures = self._rounds = 0
        self._refused = False
        self._backoff_until_s = 0.0
        return "channel_circuit_closed" if before == "open" else None

    def revive(self) -> None:
        """Allow a try now, since an operator asked for it; a halted channel is probed first."""
        if self.circuit == "halted":
            self.circuit = "open"
        self._rounds = 0
        self._backoff_until_s = self._asked_until_s = 0.0

    def _count(self, now_s: float) -> Transition | None:
        self._failures += 1
        self._back_off(now_s)
        if self.circuit == "open" or self._failures < self._open_after:
            return None
        self.circuit = "open"
        return "channel_circuit_opened"

    def _not_accepted(self, error: ChannelError, now_s: float) -> Transition | None:
        reported, self._refused = self._refused, True
        self.reason = f"The channel does not accept the credentials: change them. Its answer: {error.reason}"
        self.circuit = "open"
        # Each probe is a failed login, and some channels lock an account after a few.
        self._backoff_until_s = now_s + self._refused_s * (1 + self._random()) / 2
        return None if reported else "channel_circuit_opened"

    def _back_off(self, now_s: float) -> None:
        if now_s < self._backoff_until_s:
            return  # it was in flight when the one before failed: one outage, not two
        most_s = min(self._cap_s, self._base_s * 2.0 ** min(self._rounds, _DOUBLINGS_MAX))
        self._rounds += 1
        self._backoff_until_s = now_s + most_s * self._random()


def honoured_s(after_s: float | None) -> float:
    """Return the part of a ``Retry-After`` in seconds that is honoured: 0 where it is no time, an hour at most."""
    return min(after_s, AFTER_S_MAX) if after_s is not None and after_s > 0 else 0.0
