"""The client of one channel: holds every exchange with it, within its rate limits and as its circuit breaker allows.

It knows nothing of stock. What it keeps is about the channel as a whole: limits, circuit, and bodies sent lately.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from hashlib import blake2b
from typing import Final, TypeVar

import structlog
from msgspec.structs import replace

from adapters.contract.adapter import Adapter, Capabilities
from adapters.contract.errors import (
    ChannelError,
    CredentialsError,
    NotSentError,
    SignedOutError,
    ThrottledError,
    UnavailableError,
    UnreadableOrderError,
)
from adapters.contract.http import COMMANDS, ORDERS, WRITE, Answer, Exchange, Request
from adapters.contract.stock import Applied, Item, Outcomes, PriceRejected, Rejected, Retry, Ticket
from server.channels.connection.access import Access
from server.channels.connection.circuit_breaker import CircuitBreaker, honoured_s
from server.channels.connection.clock import Clock
from server.channels.connection.faults import fault_of
from server.channels.connection.guarded import AdapterFaultError, cost_left, guarded, is_pushed
from server.channels.connection.http_transport import Transport, converse
from server.channels.connection.rate_limits import RateLimits

T = TypeVar("T")
_OF_ORDERS: Final = (ORDERS, COMMANDS)
_WITH_REASON: Final = (Rejected, PriceRejected, Retry)
log = structlog.get_logger("holdfast.channel")

_DIGEST_BYTES: Final = 16
"""128 bits: two different bodies do not have one digest by chance."""
TOO_MANY: Final = 429
THROTTLED_S: Final = 5.0
"""Pause of a group of requests that the channel throttled without naming a time: a dozen tries a minute."""


class ChannelClient:
    """Exchanges with one channel.

    Parameters
    ----------
    build
        Builds the adapter with the current credentials; called again after the channel has refused them.
    transport
        Sends one request.
    access
        What lets requests in; None: credentials that stay as they are. It masks them, as a channel may quote them.
    held
        Returns while this process holds the lease, or raises; nothing is sent before it has returned.
    rate_limits
        Those of another client of the same channel; None: its own.

    """

    def __init__(
        self,
        channel: str,
        build: Callable[[], Adapter],
        transport: Transport,
        *,
        clock: Clock,
        circuit_breaker: CircuitBreaker,
        held: Callable[[], Awaitable[None]],
        access: Access | None = None,
        rate_limits: RateLimits | None = None,
    ) -> None:
        self.circuit_breaker = circuit_breaker
        self.access = access or Access()
        self.access.tell(self.revive)
        self.adapter = build()
        self.capabilities: Capabilities = self.adapter.capabilities
        self._channel = channel
        self._build = build
        self._transport = transport
        self._clock = clock
        self._held = held
        self._last_error: ChannelError | None = None
        self._rate_limits = rate_limits or RateLimits(self.capabilities.limits, clock.now_s())
        self._bodies: dict[bytes, float] = {}

    def beside(self, circuit_breaker: CircuitBreaker) -> "ChannelClient":
        """Return a client of the same channel for other work: within the same limits, and with failures of its own.

        So an interface for orders that is down, or that the credentials do not open, keeps no quantity back.
        """
        return ChannelClient(
            self._channel,
            self._build,
            self._transport,
            clock=self._clock,
            circuit_breaker=circuit_breaker,
            held=self._held,
            access=self.access,
            rate_limits=self._rate_limits,
        )

    # -- what may be sent now

    def wait_s(self, group: str = WRITE) -> float:
        """Return after how many seconds a request of a group may go; infinity: not before an operator acts."""
        now_s = self._clock.now_s()
        return max(self.circuit_breaker.wait_s(now_s), self._rate_limits.wait_s(group, now_s, items=1))

    def items_max(self) -> int:
        """Return how many items the next push may carry: one while the channel is being probed."""
        if self.circuit_breaker.probing:
            return 1
        left = self._rate_limits.items_left(WRITE, self._clock.now_s())
        return self.capabilities.items_max if left is None else min(self.capabilities.items_max, max(1, left))

    def item_wait_s(self, key: str, priced: bool) -> float:
        """Return after how many seconds an item may be sent again by the limits that count single items."""
        if not self._rate_limits.limits_items:
            return 0.0
        return self._rate_limits.item_wait_s(key, self._clock.now_s(), priced=priced)

    # -- exchanges

    async def push(self, items: Sequence[Item]) -> Outcomes | Ticket:
        """Push items; what it returns and raises is the adapter's."""
        now_s = self._clock.now_s()
        if self._rate_limits.limits_items:
            for item in items:
                self._rate_limits.spend_item(item.key, now_s, priced=item.price is not None)
        result = await self.talk(
            lambda adapter: adapter.push(items, self._clock.wall_s()), items=len(items), returns=is_pushed
        )
        return result if isinstance(result, Ticket) else self.masked(result)

    def masked(self, outcomes: Outcomes) -> Outcomes:
        """Mask credentials in the reasons that the channel gave."""
        mask = self.access.mask
        return outcomes | {
            key: replace(outcome, reason=mask(outcome.reason))
            for key, outcome in outcomes.items()
            if type(outcome) is not Applied
            and isinstance(outcome, _WITH_REASON)
            and mask(outcome.reason) != outcome.reason
        }

    async def talk(
        self,
        begin: Callable[[Adapter], Exchange[T]],
        *,
        items: int = 0,
        returns: Callable[[T], bool] | None = None,
    ) -> T:
        """Run an exchange to its end, and update the circuit breaker by its result.

        ``returns``: whether something is what it may return; the rest is a fault of the adapter's own.

        Raises
        ------
        ChannelError
            It failed as a whole. A fault of the adapter's own is raised as UnavailableError, and logged.

        """
        if isinstance(self._last_error, CredentialsError):
            self._rebuild()
        carried = [items]  # the first request that writes is charged with the items
        group = WRITE

        async def send(request: Request) -> Answer:
            nonlocal group
            group = request.group
            return await self._send(request, carried.pop() if request.group == WRITE and carried else 0)

        try:
            result = await converse(guarded(begin, self.adapter, returns), send)
        except UnreadableOrderError:
            self._succeeded()  # the channel is well; one of its orders is not
            raise
        except ChannelError as error:
            error.reason = self.access.mask(error.reason)
            self._failed(error, group)
            raise
        except AdapterFaultError as error:
            # An answer that the adapter's author did not expect. It must not stop the other channels.
            if group in _OF_ORDERS:  # its words, and those of a traceback, may hold personal data
                log.error("channel_answer_not_understood", channel=self._channel, **fault_of(error.fault))  # noqa: TRY400
            else:
                log.error("channel_answer_not_understood", channel=self._channel, exc_info=error.fault)  # noqa: TRY400
            unreadable = UnavailableError(f"an answer that the adapter cannot read ({type(error.fault).__name__})")
            self._failed(unreadable, group)
            raise unreadable from error.fault
        self._succeeded()
        return result

    def revive(self) -> None:
        """Try the channel again now, since an operator asks for it."""
        self.circuit_breaker.revive()

    def fail(self, reason: str) -> None:
        """Count a failure whose reason is not the channel's."""
        self._failed(UnavailableError(reason), WRITE)

    # -- identical bodies

    def repeats(self, items: Sequence[Item]) -> bool:
        """Return whether the channel would refuse a push of these items as identical to one it was sent lately.

        Builds no body for a channel that accepts identical ones.
        """
        window_s = self.capabilities.identical_body_window_s
        if not window_s:
            return False
        try:
            exchange = self.adapter.push(items, self._clock.wall_s())
            body = next(exchange).body
            exchange.close()
        except Exception:  # noqa: BLE001  # the push itself meets it, and says so
            return False
        return self._bodies.get(_digest(body), 0.0) > self._clock.now_s()

    # -- the details

    async def _send(self, request: Request, items: int) -> Answer:
        wait_s = self._wait_s(request, items)
        while wait_s > 0:
            await asyncio.sleep(wait_s)
            wait_s = self._wait_s(request, items)
        now_s = self._clock.now_s()
        self._rate_limits.spend(request.group, now_s, cost=request.cost, items=items)
        self._remember(request, now_s)
        try:
            answer = await self._let_in(request)
        except (NotSentError, SignedOutError):
            self._bodies.pop(_digest(request.body), None)
            raise
        except ChannelError:
            await self._held()
            raise
        # An answer after the lease has expired is not ours to apply: this raises, and what was in flight is reported.
        await self._held()
        if answer.status == TOO_MANY or answer.status >= 500:  # noqa: PLR2004  # the channel took nothing
            self._bodies.pop(_digest(request.body), None)
        left = cost_left(self.adapter, answer)
        if left is not None:
            self._rate_limits.learn(left, self._clock.now_s(), request.group)
        return answer

    async def _let_in(self, request: Request) -> Answer:
        """Send a request with what lets it in now; once more with a newer one where the channel did not let it in."""
        while True:
            async with self.access.using(request) as signed:
                await self._held()
                answer = await self._transport.send(signed)
            if not self.access.refused(signed, answer):
                return answer

    def _wait_s(self, request: Request, items: int) -> float:
        return self._rate_limits.wait_s(request.group, self._clock.now_s(), cost=request.cost, items=items)

    def _remember(self, request: Request, now_s: float) -> None:
        window_s = self.capabilities.identical_body_window_s
        if window_s and request.group == WRITE:
            # In the order in which they expire, so the old ones are in front.
            while self._bodies and next(iter(self._bodies.values())) <= now_s:
                del self._bodies[next(iter(self._bodies))]
            digest = _digest(request.body)
            self._bodies.pop(digest, None)
            self._bodies[digest] = now_s + window_s

    def _rebuild(self) -> None:
        self._last_error = None
        try:
            self.adapter = self._build()
        except Exception as error:  # noqa: BLE001  # the old adapter's next error has the reason, and no secret is logged
            log.warning("channel_credentials_unreadable", channel=self._channel, reason=type(error).__name__)

    def _failed(self, error: ChannelError, group: str) -> None:
        self._last_error = error
        now_s = self._clock.now_s()
        if isinstance(error, ThrottledError) and group != WRITE:
            # Throttled reads must not stop writes.
            self._rate_limits.throttled(group, now_s, honoured_s(error.after_s) or THROTTLED_S)
            return
        transition = self.circuit_breaker.failed(error, now_s)
        failure = {"channel": self._channel, "reason": error.reason, "error": type(error).__name__}
        match transition:
            case "channel_circuit_opened":
                log.error(transition, **failure)
            case "channel_halted" if isinstance(error, SignedOutError):
                log.error(transition, advice="sign in: holdfast channels sign-in", **failure)
            case "channel_halted":
                log.error(transition, advice="correct the cause, then: holdfast channels reconcile", **failure)
            case "channel_circuit_closed":
                log.warning(transition, channel=self._channel)
            case _:
                log.info("channel_call_failed", after_s=error.after_s, **failure)

    def _succeeded(self) -> None:
        self._last_error = None
        if self.circuit_breaker.succeeded(self._clock.now_s()):
            log.warning("channel_circuit_closed", channel=self._channel)


def _digest(body: bytes) -> bytes:
    return blake2b(body, digest_size=_DIGEST_BYTES).digest()
