"""Webhooks: each change as a CloudEvent, signed as Standard Webhooks says, to whoever wants to listen.

A channel of this kind is one receiver with a cursor of its own; several receivers are several channels, and one that
is down holds up none of the others.

What a receiver does with it: verify ``webhook-signature`` over the raw body with any Standard Webhooks library, take
note of ``webhook-id`` (the same id again is the same message again), drop an event whose ``data.version`` is lower than
the one it holds for that key, and answer 2xx. Quantities are absolute, so nothing needs to be counted.
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from adapters.contract.adapter import Adapter, Capabilities, Kind
from adapters.contract.errors import ChannelError, SpoiledError, UnavailableError, UnknownResultError
from adapters.contract.http import Answer, Exchange, Request, check_status, excerpt, retry_after_s
from adapters.contract.stock import Applied, Item, Notice, Outcome, Outcomes, Rejected, Retry, Unknown

EVENT_TYPE: Final = "stock.changed"
SINGLE: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
BODY_BYTES_MAX: Final = 20_000
"""Standard Webhooks asks for payloads below 20 kB; a batch that would be longer goes as several."""
BATCH_MAX: Final = 50
"""Some fifty usual events fill a body of that length."""
WHSEC: Final = "whsec_"
SECRET_BYTES: Final = range(24, 65)
"""How long Standard Webhooks allows a key to be."""

_RETRIED: Final = (408, 425)
"""These speak of the moment, not of the event: request timeout and too early."""
_ID_HEX_DIGITS: Final = 32

Text = Annotated[str, Meta(max_length=256)]


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a receiver listens and what it takes.

    ``source`` and ``type_prefix`` go into each event: its source is the one, its type the other and "stock.changed".
    ``batch_max`` above 1 sends CloudEvents batches, which a receiver must have agreed to. ``in_flight_max`` requests
    may be on their way at once, never two with one key.
    """

    url: str
    source: Annotated[str, Meta(min_length=1, max_length=256)] = "holdfast"
    type_prefix: Text = ""
    batch_max: Annotated[int, Meta(ge=1, le=BATCH_MAX)] = 1
    in_flight_max: Annotated[int, Meta(ge=1, le=64)] = 8

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"https", "http"} or not parts.hostname:
            raise ValueError("url must begin with https:// and name a host")
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise ValueError("url must be without user, password and fragment; a token goes into the credential bearer")


class Data(msgspec.Struct, frozen=True, omit_defaults=True):
    """What changed. Prices are decimal text and are there only where they are sent."""

    sku: str
    key: str
    quantity: int
    version: int
    price: str | None = None
    list_price: str | None = None
    currency: str | None = None


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """A CloudEvent 1.0 in JSON. ``time`` is when the change happened, and is left out where that is not known."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    datacontenttype: str
    data: Data | dict[str, Any]
    time: str | None = None


class Message(msgspec.Struct, frozen=True):
    """One request's items and body, not yet signed."""

    id: str
    body: bytes
    items: list[Item]
    content_type: str = SINGLE


class Webhook(Adapter):
    """One receiver. Keeps nothing."""

    def __init__(self, options: Options, signing_keys: Sequence[bytes], bearer: str | None = None) -> None:
        self._options = options
        self._signing_keys = signing_keys
        self._bearer = bearer

    @property
    def capabilities(self) -> Capabilities:
        """One verdict for each request. Cannot be read back."""
        return Capabilities(
            items_max=self._options.batch_max,
            result="per_item" if self._options.batch_max == 1 else "whole",
            requests_in_flight_max=self._options.in_flight_max,
            takes_price=True,
        )

    def push(self, items: Sequence[Item], now_s: float) -> Exchange[Outcomes]:
        """Send values, in as many requests as their length asks for.

        An error in a later request is told for its items, so that what is known of the earlier ones is kept.
        """
        outcomes: Outcomes = {}
        for message in self._messages(items):
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
        """Send an event that is no value, alone and under its own id."""
        event = Event(
            specversion="1.0",
            id=notice.id,
            source=self._options.source,
            type=self._options.type_prefix + notice.type,
            subject=notice.subject,
            datacontenttype="application/json",
            data=notice.data,
            time=_rfc3339(notice.at_ms),
        )
        return (yield from self._deliver(Message(event.id, msgspec.json.encode(event), []), now_s))

    def _deliver(self, message: Message, now_s: float) -> Exchange[Outcome]:
        """Send one message and read the verdict: only 2xx is a yes, as both specifications say."""
        answer = self._starred((yield self._request(message, now_s)))
        check_status(answer)
        if answer.status < 300:  # noqa: PLR2004  # the classes of HTTP
            return Applied()
        code, reason = f"http_{answer.status}", f"HTTP {answer.status}: {excerpt(answer.body)}"
        if answer.status in _RETRIED:
            raise UnavailableError(reason, retry_after_s(answer))
        if len(message.items) > 1:
            raise SpoiledError(code, reason)
        return Rejected(code, reason)

    def _starred(self, answer: Answer) -> Answer:
        """Take the bearer token out of an answer: receivers that echo what they were sent are not rare."""
        if self._bearer is None:
            return answer
        return Answer(answer.status, answer.headers, answer.body.replace(self._bearer.encode(), b"***"))

    # -- what is sent

    def _messages(self, items: Sequence[Item]) -> Iterator[Message]:
        """Pack values into bodies, by number and by length."""
        is_batch = self._options.batch_max > 1
        packed: list[tuple[Item, Event, bytes]] = []
        length_bytes = 0
        for item in items:
            event = self._event(item)
            encoded = msgspec.json.encode(event)
            is_full = len(packed) == self._options.batch_max or length_bytes + len(encoded) + 2 >= BODY_BYTES_MAX
            if packed and is_full:
                yield _message(packed, is_batch=is_batch)
                packed, length_bytes = [], 0
            packed.append((item, event, encoded))
            length_bytes += len(encoded) + 1  # and a comma
        if packed:
            yield _message(packed, is_batch=is_batch)

    def _event(self, item: Item) -> Event:
        return Event(
            specversion="1.0",
            id=_event_id(item),
            source=self._options.source,
            type=self._options.type_prefix + EVENT_TYPE,
            subject=item.sku,
            datacontenttype="application/json",
            data=Data(item.sku, item.key, item.quantity, item.version, item.price, item.list_price, item.currency),
            time=_rfc3339(item.changed_ms) if item.changed_ms else None,
        )

    def _request(self, message: Message, now_s: float) -> Request:
        timestamp_s = int(now_s)
        signed = f"{message.id}.{timestamp_s}.".encode() + message.body
        headers = {
            "Content-Type": message.content_type,
            "webhook-id": message.id,
            "webhook-timestamp": str(timestamp_s),
            "webhook-signature": " ".join(_signature(key, signed) for key in self._signing_keys),
        }
        if self._bearer is not None:
            headers["Authorization"] = f"Bearer {self._bearer}"
        return Request("POST", self._options.url, headers, message.body)


def _message(packed: Sequence[tuple[Item, Event, bytes]], *, is_batch: bool) -> Message:
    items = [item for item, _, _ in packed]
    if not is_batch:
        [(_, event, encoded)] = packed
        return Message(event.id, encoded, items)
    ids = " ".join(event.id for _, event, _ in packed)
    body = b"[" + b",".join(encoded for _, _, encoded in packed) + b"]"
    return Message(_digest("msg", ids.encode()), body, items, BATCH)


def _event_id(item: Item) -> str:
    """Name a value: the same when its fate is unknown and it is sent again, another once a definite answer came.

    The time of the change is part of it, so that a value that is sent anew long after it was confirmed, to a receiver
    that may have lost it, is not taken for a repetition.
    """
    content = (
        item.key, item.sku, item.quantity, item.version, item.changed_ms, item.attempt,
        item.price, item.list_price, item.currency,
    )  # fmt: skip
    return _digest("evt", msgspec.json.encode(content))


def _digest(kind: str, content: bytes) -> str:
    return f"{kind}_{hashlib.sha256(content).hexdigest()[:_ID_HEX_DIGITS]}"


def _signature(key: bytes, signed: bytes) -> str:
    return "v1," + b64encode(hmac.digest(key, signed, "sha256")).decode()


def _rfc3339(time_ms: int) -> str:
    return f"{_second(time_ms // 1000)}.{time_ms % 1000:03d}Z"


@lru_cache(maxsize=256)
def _second(time_s: int) -> str:
    return f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%dT%H:%M:%S}"


def _cut_short(error: ChannelError, *, is_carried: bool) -> Outcome:
    """Tell what an error means for an item, after others of its push were taken."""
    if is_carried and isinstance(error, UnknownResultError):
        return Unknown(error.reason)
    return Retry("cut_short", error.reason, error.after_s)


# -- credentials


def _signing_key(name: str, secret: str) -> bytes:
    """Read a secret in the form of Standard Webhooks. Raises ValueError without showing it."""
    try:
        text = secret.removeprefix(WHSEC)
        key = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(WHSEC) or len(key) not in SECRET_BYTES:
        least, most = SECRET_BYTES[0], SECRET_BYTES[-1]
        raise ValueError(
            f"{name} must be {WHSEC} and then {least} to {most} random bytes in base64;"
            f" `openssl rand -base64 {least + 8}` makes them"
        )
    return key


def _checked_bearer(bearer: str) -> str:
    if not bearer or not bearer.isascii() or not bearer.isprintable() or " " in bearer:
        raise ValueError("bearer must be a token of visible ASCII characters, without spaces or line breaks")
    return bearer


def _build(options: Options, credentials: Mapping[str, str]) -> Webhook:
    names = [name for name in ("secret", "previous_secret") if name in credentials]
    bearer = credentials.get("bearer")
    return Webhook(
        options,
        [_signing_key(name, credentials[name]) for name in names],
        None if bearer is None else _checked_bearer(bearer),
    )


ADAPTER: Final = Kind(
    name="webhook",
    summary="Signed CloudEvents to one receiver; several receivers are several channels",
    options=Options,
    credentials=("secret",),
    optional_credentials=("previous_secret", "bearer"),
    build=_build,
)
