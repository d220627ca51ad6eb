"""Webhooks: each change as a signed CloudEvent to one receiver; several receivers are several channels."""

from collections.abc import Mapping
from typing import Final

from adapters.contract.adapter import Kind
from adapters.webhook.events import Options
from adapters.webhook.signing import checked_bearer, signing_key
from adapters.webhook.stock import Webhook

__all__ = ["ADAPTER", "Options", "Webhook"]


def _build(options: Options, credentials: Mapping[str, str]) -> Webhook:
    names = [name for name in ("secret", "previous_secret") if name in credentials]
    bearer = credentials.get("bearer")
    return Webhook(
        options,
        [signing_key(name, credentials[name]) for name in names],
        None if bearer is None else checked_bearer(bearer),
    )


ADAPTER: Final = Kind(
    name="webhook",
    summary="Signed CloudEvents to one receiver; several receivers are several channels",
    options=Options,
    credentials=("secret",),
    optional_credentials=("previous_secret", "bearer"),
    build=_build,
)
