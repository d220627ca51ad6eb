"""Publishes each change as a CloudEvent, signed as Standard Webhooks specify, to one receiver.

A channel of this kind is one receiver with a cursor of its own; several receivers are several channels, and one that
is down delays none of the others.

What a receiver does with it: verify ``webhook-signature`` over the raw body with any Standard Webhooks library, store
``webhook-id`` (the same id again is the same message again), drop an event whose ``data.version`` is lower than
the one it holds for that key, or equal with a lower ``data.locations_version``, and answer 2xx. Quantities are
absolute, so nothing needs to be counted.
"""

from collections.abc import Sequence
from typing import Final

from adapters.contract.adapter import Adapter, Capabilities
from adapters.contract.errors import ChannelError, SpoiledError, UnavailableError, UnknownResultError
from adapters.contract.http import Answer, Exchange, Request, check_status, excerpt, retry_after_s
from adapters.contract.stock import Applied, Item, Notice, Outcome, Outcomes, Rejected, Retry, Unknown
from adapters.webhook.events import Message, Options, messages, notification
from adapters.webhook.signing import signature

_RETRIED: Final = (408, 425)
"""Request timeout and too early: these are about the moment, not about the event."""


class Webhook(Adapter):
    """One receiver. Keeps nothing."""

    def __init__(self, options: Options, signing_keys: Sequence[bytes], bearer: str | None = None) -> None:
        self._options = options
        self._signing_keys = signing_keys
        self._bearer = bearer

    @property
    def capabilities(self) -> Capabilities:
        """One result for each request. Cannot be read back."""
        return Capabilities(
            items_max=self._options.batch_max,
            result="per_item" if self._options.batch_max == 1 else "whole",
            requests_in_flight_max=self._options.in_flight_max,
            takes_price=True,
        )

    def push(self, items: Sequence[Item], now_s: float) -> Exchange[Outcomes]:
        """Send values, in as many requests as their length requires.

        An error in a later request becomes the outcome of its items, so that the outcomes of earlier ones are kept.
        """
        outcomes: Outcomes = {}
        for message in messages(self._options, items):
            try:
                outcome = yield from self._deliver(message, now_s)
            except ChannelError as error:
                if not outcomes:
                    raise
                rest = (item.key for item in items if item.key not in outcomes)
                carried = {item.key for item in message.items}
                return outcomes | {key: _cut_short(error, is_carried=key in carried) for key in rest}
            outcomes |= {item.key: outcome for item in message.items}
        return outcomes

    def notify(self, notice: Notice, now_s: float) -> Exchange[Outcome]:
        """Send an event that is not a value, alone and under its own id."""
        return (yield from self._deliver(notification(self._options, notice), now_s))

    def _deliver(self, message: Message, now_s: float) -> Exchange[Outcome]:
        """Send one message and return its outcome: only 2xx confirms, as both specifications require."""
        answer = self._masked((yield self._request(message, now_s)))
        check_status(answer)
        if answer.status < 300:  # noqa: PLR2004  # the classes of HTTP
            return Applied()
        code, reason = f"http_{answer.status}", f"HTTP {answer.status}: {excerpt(answer.body)}"
        if answer.status in _RETRIED:
            raise UnavailableError(reason, retry_after_s(answer))
        if len(message.items) > 1:
            raise SpoiledError(code, reason)
        return Rejected(code, reason)

    def _masked(self, answer: Answer) -> Answer:
        """Mask the bearer token in an answer, since some receivers echo what they were sent."""
        if self._bearer is None:
            return answer
        return Answer(answer.status, answer.headers, answer.body.replace(self._bearer.encode(), b"***"))

    def _request(self, message: Message, now_s: float) -> Request:
        timestamp_s = int(now_s)
        signed = f"{message.id}.{timestamp_s}.".encode() + message.body
        headers = {
            "Content-Type": message.content_type,
            "webhook-id": message.id,
            "webhook-timestamp": str(timestamp_s),
            "webhook-signature": " ".join(signature(key, signed) for key in self._signing_keys),
        }
        if self._bearer is not None:
            headers["Authorization"] = f"Bearer {self._bearer}"
        return Request("POST", self._options.url, headers, message.body)


def _cut_short(error: ChannelError, *, is_carried: bool) -> Outcome:
    """Return what an error means for an item, after others of its push were applied."""
    if is_carried and isinstance(error, UnknownResultError):
        return Unknown(error.reason)
    return Retry("cut_short", error.reason, error.after_s)
