"""Hears what channels send by themselves: who sent it is proved first, then it is made durable, then answered.

Any process may hear. What a delivery means waits in the store for the process that holds the lease. Nothing of a
delivery that is not authentic is kept or believed. Buyers, and what they wrote, are left out: that is read for itself.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Final

import msgspec
import structlog
from msgspec.structs import replace

from adapters.contract.adapter import Adapter
from adapters.contract.http import Answer
from adapters.contract.orders import Delivery, ForgedError, Heard, Intake, ReturnCase, UnreadableError
from server.domain.intake import HeardAnswer, News
from server.store.errors import StoreError
from server.store.repositories.intake import IntakeStore
from server.telemetry.channel_metrics import heard_by

log = structlog.get_logger("holdfast.intake")

KNOWN_MAX: Final = 1_000
"""Deliveries of a channel that are known to be durable: a repeated one is answered at once."""
_DIGEST_BYTES: Final = 16
_SHARE: Final = 0.8
"""Of the channel's time limit: the rest is for the way of the answer."""
_REBUILD_S: Final = 60.0
"""A secret that was changed is read again, but not for every forged delivery."""
_pack = msgspec.msgpack.Encoder().encode


class Hearing:
    """The deliveries of one channel. ``build`` makes its adapter; ``on_news`` is called with the channel's name."""

    def __init__(
        self,
        channel: str,
        build: Callable[[], Adapter],
        store: IntakeStore,
        *,
        now_ms: Callable[[], int],
        on_news: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._channel = channel
        self._build = build
        self._store = store
        self._now_ms = now_ms
        self._on_news = on_news
        self._adapter = build()
        self._built_s = 0.0
        self._known: OrderedDict[bytes, Answer] = OrderedDict()

    @property
    def intake(self) -> Intake | None:
        """How the channel's orders come in; None: they do not."""
        return self._adapter.capabilities.intake

    async def hear(self, delivery: Delivery) -> HeardAnswer:
        """Understand a delivery, keep what it means, and return the answer that the channel expects."""
        intake = self.intake
        within_s = _SHARE * (intake.answer_within_s if intake else 1.0)
        try:
            async with asyncio.timeout(within_s):
                return await self._hear(delivery)
        except TimeoutError:
            heard_by(self._channel, "failed")
            return _AWAY

    async def _hear(self, delivery: Delivery) -> HeardAnswer:
        try:
            heard = self._understand(delivery)
        except ForgedError:
            heard_by(self._channel, "forged")
            return HeardAnswer("forged")
        except UnreadableError as error:
            heard_by(self._channel, "unreadable")
            log.warning("notification_unreadable", channel=self._channel, reason=str(error)[:300])
            return HeardAnswer("unreadable")
        except Exception as error:  # noqa: BLE001  # of an adapter's own; its traceback may hold personal data
            heard_by(self._channel, "unreadable")
            log.error("notification_not_understood", channel=self._channel, error=type(error).__name__)  # noqa: TRY400
            return HeardAnswer("unreadable")
        # By what it says, and not by its id alone: a channel may use that again.
        known_by = blake2b(delivery.body, digest_size=_DIGEST_BYTES, key=heard.id.encode()[:64]).digest()
        if heard.id and known_by in self._known:
            heard_by(self._channel, "repeated")
            return _answered(self._known[known_by])
        answer = await self._keep(heard)
        if heard.id and answer.result == "taken":
            self._known[known_by] = heard.answer
            if len(self._known) > KNOWN_MAX:
                self._known.popitem(last=False)
        return answer

    async def _keep(self, heard: Heard) -> HeardAnswer:
        if heard.orders or heard.returns or heard.hints:
            orders = [replace(order, buyer=None) for order in heard.orders]
            returns = [_without_reasons(case) for case in heard.returns]
            news = News("told", self._now_ms(), list(heard.hints), _pack(orders), _pack(returns))
            try:
                taken = await self._store.add_news(news)
            except StoreError:
                taken = False
            if not taken:
                heard_by(self._channel, "failed")
                return _AWAY
            self._on_news(self._channel)
        heard_by(self._channel, "taken")
        return _answered(heard.answer)

    def _understand(self, delivery: Delivery) -> Heard:
        now_s = self._now_ms() / 1000
        try:
            return self._adapter.hear(delivery, now_s)
        except ForgedError:
            loop_s = asyncio.get_running_loop().time()
            if loop_s - self._built_s < _REBUILD_S:
                raise
            self._built_s = loop_s
        self._adapter = self._build()  # its secret may have been changed
        return self._adapter.hear(delivery, now_s)


class Hearings:
    """All channels that this process hears, by name. ``loopback_only``: nobody else can reach it."""

    def __init__(self, channels: Mapping[str, Hearing], *, loopback_only: bool) -> None:
        self._channels = channels
        self._loopback_only = loopback_only

    def take_over(self, other: "Hearings") -> None:
        """Hear the channels of another one from now on."""
        self._channels = other._channels  # noqa: SLF001  # of the same class

    def body_bytes_max(self, channel: str) -> int | None:
        """Return how long a delivery of a channel may be; None: nothing of it is heard here."""
        hearing = self._channels.get(channel)
        intake = hearing.intake if hearing is not None else None
        return intake.body_bytes_max if intake is not None and intake.hears else None

    def is_heard(self, channel: str, *, is_local: bool) -> bool:
        """Whether a delivery may be looked at: it carries a secret, or comes from a program of this very machine."""
        hearing = self._channels.get(channel)
        intake = hearing.intake if hearing is not None else None
        proves_itself = intake is not None and intake.authentic_by != "none"
        return proves_itself or (self._loopback_only and is_local)

    async def hear(
        self, channel: str, *, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> HeardAnswer:
        """Hear one delivery."""
        hearing = self._channels.get(channel)  # it may have gone while the delivery was read
        if hearing is None:
            return _AWAY
        return await hearing.hear(Delivery(method=method, path=path, query=query, headers=dict(headers), body=body))


_AWAY: Final = HeardAnswer("away")


def _without_reasons(case: ReturnCase) -> ReturnCase:
    """Leave out what the buyer wrote; it comes when returns are read."""
    return replace(case, lines=tuple(replace(line, reason="") for line in case.lines))


def _answered(answer: Answer) -> HeardAnswer:
    return HeardAnswer("taken", answer.status, dict(answer.headers), answer.body)
