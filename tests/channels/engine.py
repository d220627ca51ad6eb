"""A publisher in this process, on a store of the tests, with channels of a test's own."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from adapters.contract.adapter import Adapter
from adapters.contract.tokens import Grant
from adapters.testing import engine
from adapters.testing.engine import LEASE_S, LOOPBACK, Engine
from adapters.testing.simulator import Simulator
from server.channels.channel_plan import ChannelPlan
from tests.channels.plain import Plain
from tests.support.stores import StoreProcess

__all__ = ["LEASE_S", "LOOPBACK", "Engine", "plan", "publishing"]


def plan(
    name: str,
    channel: Simulator,
    *,
    build: Callable[[], Adapter] | None = None,
    rules: dict[str, Any] | None = None,
    listings: str = "all",
    timeout_s: float = 2.0,
    orders: dict[str, Any] | None = None,
    grant: Callable[[], Grant] | None = None,
    mirror: dict[str, Any] | None = None,
    **capabilities: Any,
) -> ChannelPlan:
    """Plan a channel over a simulator; of the plain kind unless ``build`` is set."""
    return engine.plan(
        name,
        build or (lambda: Plain(channel.url, **capabilities)),
        rules=rules,
        listings=listings,
        timeout_s=timeout_s,
        orders=orders,
        grant=grant,
        mirror=mirror,
    )


def publishing(
    store: StoreProcess | str, partition: str, plans: Sequence[ChannelPlan], **settings: Any
) -> AbstractAsyncContextManager[Engine]:
    """Run a publisher meanwhile; ``settings`` as of :func:`adapters.testing.engine.publishing`."""
    return engine.publishing(store if isinstance(store, str) else store.url, partition, plans, **settings)
