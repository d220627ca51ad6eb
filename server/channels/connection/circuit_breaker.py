"""How well one channel is: how long to leave it alone after a failure, and when to stop trusting it with whole pushes.

The pause after the n-th failure is drawn evenly from 0 to ``base_s * 2**(n - 1)``, ``cap_s`` at most: "full jitter",
from Marc Brooker's "Exponential Backoff and Jitter" on the AWS Architecture Blog (2015), where it did the least work
of all that were tried. The channel's own wish (``Retry-After``) is kept on top of that, also when another request that
was on its way meanwhile succeeds.

After ``open_after`` failures in a row the circuit opens: the channel is only probed, with one small push at a time,
until one succeeds. A channel that does not accept the credentials is probed slowly from the first time; one that has
closed this way of talking to it is halted: left alone until somebody acts.

By hand: pybreaker 1.4 and purgatory 3.0 look at the wall clock themselves and wrap the call, which here is a
conversation held elsewhere; neither knows halting. tenacity's jitter draws from the global random, so no test could say
what comes out, and the formula is one line.
"""

import math
from collections.abc import Callable
from typing import Final, Literal

from adapters.contract.errors import (
    ChannelError,
    ClosedError,
    CredentialsError,
    SpoiledError,
    ThrottledError,
    TicketLostError,
)
from server.domain.channels import Circuit

AFTER_S_MAX: Final = 3_600.0
"""As long as this a channel's wish is honoured. Whoever says days means, most of the time, something else."""
_DOUBLINGS_MAX: Final = 32
"""More than any cap allows; keeps the power of two a number."""

Transition = Literal["channel_circuit_opened", "channel_circuit_closed", "channel_halted"]
"""What is to be told once, when it happens."""


class CircuitBreaker:
    """One channel's backoff and circuit. ``now_s`` is the event loop's clock; ``random`` draws from 0 up to 1.

    ``circuit``: see :data:`server.domain.channels.Circuit`. ``reason``: what went wrong last and, where the channel
    cannot mend it, what to do; empty while all is well.
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
        """Whether to send one small push only, and see."""
        return self.circuit == "open"

    @property
    def resume_at_s(self) -> float:
        """From when on something may be sent; infinity while halted."""
        return math.inf if self.circuit == "halted" else max(self._backoff_until_s, self._asked_until_s)

    def wait_s(self, now_s: float) -> float:
        """Tell after how many seconds something may be sent; 0: now, infinity: not before :meth:`revive`."""
        return max(0.0, self.resume_at_s - now_s)

    def failed(self, error: ChannelError, now_s: float) -> Transition | None:
        """Take note of a call that failed as a whole.

        Returns
        -------
        Transition or None
            What has changed by it; also when an open circuit stays open for another cause that calls for action.

        """
        if isinstance(error, SpoiledError | TicketLostError):
            # The channel is well: it has said what is wrong with the push.
            return self.succeeded(now_s)
        if self.circuit == "halted":
            return None
        if asked_s := honoured_s(error.after_s):
            self._asked_until_s = max(self._asked_until_s, now_s + asked_s)
        self.reason = error.reason
        match error:
            case ClosedError():
                self.reason = f"Halted: the channel has closed this way of talking to it. It said: {error.reason}"
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

    def succeeded(self, now_s: float) -> Transition | None:  # noqa: ARG002  # told with its time, as its counterpart is
        """Take note of a call that the channel answered as it should. A halted channel stays halted.

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
        """Try again now: somebody asked for it, and may have changed something. What was not well is probed first."""
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
        told, self._refused = self._refused, True
        self.reason = f"The channel does not accept the credentials: change them. It said: {error.reason}"
        self.circuit = "open"
        # Each probe is a failed login, of which some channels bear only so many.
        self._backoff_until_s = now_s + self._refused_s * (1 + self._random()) / 2
        return None if told else "channel_circuit_opened"

    def _back_off(self, now_s: float) -> None:
        if now_s < self._backoff_until_s:
            return  # it was on its way when the one before failed: one breakdown, not two
        most_s = min(self._cap_s, self._base_s * 2.0 ** min(self._rounds, _DOUBLINGS_MAX))
        self._rounds += 1
        self._backoff_until_s = now_s + most_s * self._random()


def honoured_s(after_s: float | None) -> float:
    """Tell how much of a channel's wish is kept: none of what is no time, and an hour of what is longer."""
    return min(after_s, AFTER_S_MAX) if after_s is not None and after_s > 0 else 0.0
