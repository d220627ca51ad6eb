"""The keepers of all channels of one publisher whose credentials change."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from adapters.contract.tokens import Grant
from server.channels.connection.access import Access
from server.channels.connection.clock import Clock
from server.channels.connection.http_transport import Transport
from server.channels.running import keep_running
from server.channels.tokens.keeper import TokenKeeper
from server.config.toml_tables import ChannelConfigError, table_of
from server.domain.channels import ChannelSettings
from server.domain.kept_tokens import Given, KeptTokens
from server.store.repositories.channel_tokens import TokenStore
from server.store.repositories.publisher import PublisherStore
from server.store.repositories.sealing import Sealer, SealError

NO_KEY: Final = (
    "keeps tokens that change, and stores them encrypted: set HOLDFAST_SECRET_KEY to 32 random bytes in Base64, such as"
    " `openssl rand -base64 32` prints, and keep a copy of it apart from the backups"
)
_CLOSE_S: Final = 1.0
"""How long a renewal may go on when the lease is gone: what it brings cannot be stored any more."""


class Keepers:
    """The keepers of one publisher; ``sealer`` None: there is no key to encrypt with."""

    def __init__(
        self, store: PublisherStore, sealer: Sealer | None, clock: Clock, held: Callable[[], Awaitable[None]]
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._clock = clock
        self._held = held
        self._keepers: dict[str, TokenKeeper] = {}

    async def open(
        self,
        settings: ChannelSettings,
        grant: Callable[[], Grant] | None,
        transport: Transport,
        *,
        mask: Callable[[str], str],
        token: int,
    ) -> Access:
        """Return the access to a channel, with what is stored of it. ``token`` is that of the lease.

        Raises
        ------
        ChannelConfigError
            There is no key, or not the one with which its tokens were encrypted.

        """
        if grant is None:
            return Access(mask)
        if self._sealer is None:
            raise ChannelConfigError(f"{table_of(settings.name)}: {settings.kind} {NO_KEY}.")
        stored = TokenStore(self._store.client, self._store.keyspace, settings.name, self._sealer)

        async def write(kept: KeptTokens, done: list[Given]) -> None:
            await stored.write(kept, self._store, token, done)

        keeper = TokenKeeper(
            settings.name,
            settings.kind,
            grant=grant,
            write=write,
            given=stored.given,
            transport=transport,
            clock=self._clock,
            held=self._held,
            mask=mask,
        )
        try:
            kept = await stored.read()
        except SealError as error:
            raise ChannelConfigError(f"{table_of(settings.name)}: its tokens cannot be opened: {error}.") from None
        if kept is not None and await stored.is_of_an_old_key():
            await write(kept, [])
        keeper.load(kept)
        self._keepers[settings.name] = keeper
        return keeper

    def start(self, group: asyncio.TaskGroup) -> None:
        """Have each of them look for new tokens in a task of its own."""
        for name, keeper in self._keepers.items():
            group.create_task(keep_running(name, keeper.run, lambda: None), name=f"tokens-{name}")

    async def finish(self) -> None:
        """Wait for renewals that are on their way."""
        await asyncio.gather(*(keeper.finish() for keeper in self._keepers.values()))

    async def close(self) -> None:
        """Let go of all."""
        await asyncio.gather(*(keeper.close(_CLOSE_S) for keeper in self._keepers.values()))
        self._keepers = {}
