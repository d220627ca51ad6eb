"""The events of a webhook: values and notices as CloudEvents, packed into bodies of bounded length."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from adapters.contract.stock import Item, Notice

EVENT_TYPE: Final = "stock.changed"
SINGLE: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
BODY_BYTES_MAX: Final = 20_000
"""Standard Webhooks asks for payloads below 20 kB; a batch that would be longer goes as several."""
BATCH_MAX: Final = 50
"""Some fifty usual events fill a body of that length."""

_ID_HEX_DIGITS: Final = 32
"""128 bits: two events do not have one id by chance."""

Text = Annotated[str, Meta(max_length=256)]


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a receiver listens and what it accepts.

    ``source`` is the source of each event; its type is ``type_prefix`` and "stock.changed".
    ``batch_max`` above 1 sends CloudEvents batches, which a receiver must have agreed to. ``in_flight_max`` requests
    may be in flight at once, never two with one key.
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
            raise ValueError(
                "url must be without user, password and fragment; configure a token as the credential bearer"
            )


class Data(msgspec.Struct, frozen=True, omit_defaults=True):
    """What changed. Prices are decimal text, and left out where they are not sent.

    ``locations_version`` is left out while no location was ever closed.
    """

    sku: str
    key: str
    quantity: int
    version: int
    price: str | None = None
    list_price: str | None = None
    currency: str | None = None
    locations_version: int = 0


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


def messages(options: Options, items: Sequence[Item]) -> Iterator[Message]:
    """Pack values into bodies, by number and by length."""
    packed: list[tuple[Item, Event, bytes]] = []
    length_bytes = 0
    for item in items:
        event = _event(options, item)
        encoded = msgspec.json.encode(event)
        is_full = len(packed) == options.batch_max or length_bytes + len(encoded) + 2 >= BODY_BYTES_MAX
        if packed and is_full:
            yield _message(packed, is_batch=options.batch_max > 1)
            packed, length_bytes = [], 0
        packed.append((item, event, encoded))
        length_bytes += len(encoded) + 1  # and a comma
    if packed:
        yield _message(packed, is_batch=options.batch_max > 1)


def notification(options: Options, notice: Notice) -> Message:
    """Return the message of an event that is not a value, alone and under its own id."""
    event = Event(
        specversion="1.0",
        id=notice.id,
        source=options.source,
        type=options.type_prefix + notice.type,
        subject=notice.subject,
        datacontenttype="application/json",
        data=notice.data,
        time=_rfc3339(notice.at_ms),
    )
    return Message(event.id, msgspec.json.encode(event), [])


def _event(options: Options, item: Item) -> Event:
    return Event(
        specversion="1.0",
        id=_event_id(item),
        source=options.source,
        type=options.type_prefix + EVENT_TYPE,
        subject=item.sku,
        datacontenttype="application/json",
        data=Data(
            item.sku, item.key, item.quantity, item.version, item.price, item.list_price, item.currency,
            item.locations_version,
        ),
        time=_rfc3339(item.changed_ms) if item.changed_ms else None,
    )  # fmt: skip


def _message(packed: Sequence[tuple[Item, Event, bytes]], *, is_batch: bool) -> Message:
    items = [item for item, _, _ in packed]
    if not is_batch:
        [(_, event, encoded)] = packed
        return Message(event.id, encoded, items)
    ids = " ".join(event.id for _, event, _ in packed)
    body = b"[" + b",".join(encoded for _, _, encoded in packed) + b"]"
    return Message(_digest("msg", ids.encode()), body, items, BATCH)


def _event_id(item: Item) -> str:
    """Return the id of a value: the same when it is sent again with an unknown result, another after a definite answer.

    The time of the change is part of it, so that a value that is sent again long after it was confirmed, to a receiver
    that may have lost it, does not count as a repetition.
    """
    content: tuple[object, ...] = (
        item.key, item.sku, item.quantity, item.version, item.changed_ms, item.attempt,
        item.price, item.list_price, item.currency,
    )  # fmt: skip
    if item.locations_version:
        content += (item.locations_version,)
    return _digest("evt", msgspec.json.encode(content))


def _digest(kind: str, content: bytes) -> str:
    return f"{kind}_{hashlib.sha256(content).hexdigest()[:_ID_HEX_DIGITS]}"


def _rfc3339(time_ms: int) -> str:
    return f"{_second(time_ms // 1000)}.{time_ms % 1000:03d}Z"


@lru_cache(maxsize=256)
def _second(time_s: int) -> str:
    return f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%dT%H:%M:%S}"
