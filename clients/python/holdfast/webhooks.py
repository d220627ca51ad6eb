"""Webhooks that Holdfast sends: the signature is checked in constant time, then the events are read.

They are Standard Webhooks that contain CloudEvents; see ``docs/webhooks.md`` and the channel of kind ``webhook``.
"""

import hmac
import re
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import msgspec

from holdfast.errors import HoldfastError

TOLERANCE_S: Final = 300.0
"""How old or how far ahead a delivery may be: a recorded one cannot be sent again later."""
_PREFIX: Final = "whsec_"
_SECONDS: Final = re.compile(r"[0-9]{1,15}")


class BadSignature(HoldfastError):
    """The delivery is not what Holdfast sent, or not now: answer 401, and do not read it."""


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event. ``data`` has what ``docs/webhooks.md`` says of its ``type``.

    A repeated ``id`` is a repeated event: keep the ids of the last days, and drop repetitions.
    """

    id: str
    type: str
    source: str
    subject: str = ""
    time: datetime | None = None
    data: dict[str, Any] = msgspec.field(default_factory=dict)


def read(
    body: bytes,
    headers: Mapping[str, str],
    secrets: str | Sequence[str],
    *,
    tolerance_s: float = TOLERANCE_S,
    clock: Callable[[], float] = time.time,
) -> list[CloudEvent]:
    """Check a delivery, and return its events.

    Parameters
    ----------
    body
        The raw body, as it came.
    headers
        Those of the request, in any case.
    secrets
        ``whsec_…``; several while you change it.
    tolerance_s
        How old it may be, or how far ahead, in seconds.
    clock
        What time it is, in seconds since 1970.

    Raises
    ------
    BadSignature
        It is not signed with one of the secrets, was changed, or is not of now.
    TypeError
        The body is not bytes: it was parsed before.
    ValueError
        A secret is none, or there is none, or the body holds no events.

    """
    verify(body, headers, secrets, tolerance_s=tolerance_s, clock=clock)
    try:
        found = msgspec.json.decode(body, type=CloudEvent | list[CloudEvent])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"it is signed by Holdfast, and its body holds no events: {error}") from error
    return found if isinstance(found, list) else [found]


def verify(
    body: bytes,
    headers: Mapping[str, str],
    secrets: str | Sequence[str],
    *,
    tolerance_s: float = TOLERANCE_S,
    clock: Callable[[], float] = time.time,
) -> None:
    """Check that Holdfast has signed this body, now; for parameters and errors see :func:`read`."""
    if not isinstance(body, bytes | bytearray | memoryview):
        raise TypeError("the body of a webhook is its raw bytes, as it came")
    given = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if not message_id or not _SECONDS.fullmatch(timestamp):
        raise BadSignature("webhook-id and webhook-timestamp are missing, or none")
    is_of_now = abs(clock() - int(timestamp)) <= tolerance_s  # a tolerance of NaN is none
    if not is_of_now:
        raise BadSignature("webhook-timestamp is too old or too far ahead; is the clock right?")
    signed = _raw(f"{message_id}.{timestamp}.") + body
    keys = [_key(secret) for secret in ([secrets] if isinstance(secrets, str) else secrets or [""])]
    expected = [b64encode(hmac.new(key, signed, sha256).digest()) for key in keys]
    sent = [_raw(each[len("v1,") :]) for each in given.get("webhook-signature", "").split() if each[:3] == "v1,"]
    # All are compared, so that how long it takes says nothing.
    matches = [hmac.compare_digest(one, other) for one in expected for other in sent]
    if not any(matches):
        raise BadSignature("no signature of the delivery fits the body and the secret")


def _raw(header: str) -> bytes:
    """Return the bytes of a header; servers keep those that are no UTF-8 as surrogates."""
    return header.encode("utf-8", "surrogateescape")


def _key(secret: str) -> bytes:
    try:
        key = b64decode(secret.strip().removeprefix(_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not key:
        raise ValueError("the secret of a webhook is whsec_ and bytes in base64, as it stands in the configuration")
    return key
