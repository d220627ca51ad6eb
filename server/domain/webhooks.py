"""Webhook endpoints: each receives the events of its kinds, one after the other."""

import re
from typing import Final

import msgspec

from server.domain.alerts import PLACE_ALERTS, Alert
from server.domain.limits import DEFAULT_PARTITION, NAME_BYTES_MAX

WEBHOOK_PATTERN: Final = rf"[a-z0-9][a-z0-9_.-]{{0,{NAME_BYTES_MAX - 1}}}"
"""An endpoint's name becomes a metric's label."""
SOURCE: Final = "holdfast"


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint, without its secret. ``events``: the kinds that it receives.

    ``allow_private`` names hosts that may be called although their address is private, and without TLS.
    """

    name: str
    url: str
    partition: str = DEFAULT_PARTITION
    events: tuple[Alert, ...] = PLACE_ALERTS
    source: str = SOURCE
    allow_private: list[str] = []
    timeout_s: float = 15.0


def check_webhook_name(name: str) -> None:
    """Refuse a name that cannot be a label.

    Raises
    ------
    ValueError
        It is not 1–64 characters of a-z, 0-9, ``_``, ``.`` and ``-``, or does not start with a letter or digit.

    """
    if not re.fullmatch(WEBHOOK_PATTERN, name):
        raise ValueError(
            f"webhook {name!r} must be 1-{NAME_BYTES_MAX} of a-z, 0-9, '_', '.' and '-',"
            " and start with a letter or digit"
        )
