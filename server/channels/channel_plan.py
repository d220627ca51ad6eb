"""A channel as it is configured, and how its adapter is built."""

from collections.abc import Callable
from dataclasses import dataclass

from adapters.contract.adapter import Adapter
from adapters.contract.tokens import Grant
from server.domain.channels import ChannelSettings


@dataclass(frozen=True)
class ChannelPlan:
    """A channel as it is configured. ``build`` makes its adapter, with the credentials as they are at that moment.

    ``mask`` takes the credentials out of a text. ``grant``: how its tokens come about, where its credentials change.
    """

    settings: ChannelSettings
    build: Callable[[], Adapter]
    mask: Callable[[str], str] = str
    grant: Callable[[], Grant] | None = None
