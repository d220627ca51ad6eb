"""A publisher in a process of its own that dies between the answer with new tokens and the store."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence

from server.channels.channel_plan import ChannelPlan
from server.channels.tokens import keeper
from server.domain.channels import ChannelSettings
from server.domain.kept_tokens import Given, KeptTokens
from server.store.repositories.channel_tokens import TokenStore
from server.store.repositories.publisher import PublisherStore
from server.store.repositories.sealing import Sealer
from tests.channels.engine import LOOPBACK, publishing
from tests.channels.guarded import Guarded, GuardedGrant


async def main(store: str, partition: str, url: str, key: str) -> None:
    real = TokenStore.write

    async def write(
        self: TokenStore, kept: KeptTokens, publisher: PublisherStore, token: int, done: Sequence[Given] = ()
    ) -> None:
        if not kept.renewing_ms:
            os.kill(os.getpid(), signal.SIGKILL)
        await real(self, kept, publisher, token, done)

    TokenStore.write = write  # type: ignore[method-assign]  # the point of death
    keeper.LOOK_S = 0.02  # type: ignore[misc]  # a test does not wait a second
    settings = ChannelSettings(name="guarded", kind="plain", listings="all", allow_private=LOOPBACK)
    plan = ChannelPlan(settings, lambda: Guarded(url), grant=lambda: GuardedGrant(url))
    async with publishing(store, partition, [plan], sealer=Sealer([bytes.fromhex(key)])):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
