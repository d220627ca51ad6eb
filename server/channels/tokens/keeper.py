"""Keeps the tokens of one channel: new ones are asked for in time, stored, and only then used.

While new tokens are asked for, nothing of the channel is on its way. So no request carries an old one once the channel
has answered with a new one. What a kill between the answer and the store takes away is lost: the channel then refuses
the old ones, and a person has to sign in again.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import structlog
from msgspec.structs import replace

from adapters.contract.errors import ChannelError, CredentialsError, NotSentError, SignedOutError
from adapters.contract.http import Answer, Exchange, Request
from adapters.contract.tokens import Grant, Tokens
from server.channels.connection.access import Access
from server.channels.connection.clock import Clock
from server.channels.connection.http_transport import Transport, converse
from server.channels.tokens.gate import Gate
from server.config.toml_tables import ChannelConfigError
from server.domain.kept_tokens import GIVEN_LIFE_MS, Given, KeptTokens
from server.store.errors import StoreUnavailableError

log = structlog.get_logger("holdfast.channel")

LOOK_S: Final = 1.0
"""How often is looked whether somebody has signed in, or new tokens are due: some codes live for ten seconds."""
EARLY_MS: Final = 600_000
"""New tokens are asked for so long before the old ones end, or after nine tenths of a shorter life."""
REFUSED_AGAIN_MS: Final = 60_000
"""Tokens that are younger are not renewed when a request is refused: it has another cause then."""
PAUSE_S: Final = 5.0
"""After new tokens could not be had."""
LIFE_S_MIN: Final = 1.0
"""Of new tokens, whatever the channel says: else they were renewed without an end."""
_STORE_RETRY_S: Final = 0.2
NEVER: Final = "nobody has signed in yet"
OTHER_KIND: Final = "the channel was of another kind when somebody signed in"
LOST: Final = "the answer to an earlier renewal may have been lost by a crash"

Write = Callable[[KeptTokens, list[Given]], Awaitable[None]]


class TokenKeeper(Access):
    """The access to one channel of a kind whose credentials change.

    Parameters
    ----------
    grant
        Makes the kind's grant, with the configured credentials as they are at that moment.
    write
        Stores what is kept, fenced, and drops what persons have brought; it returns once that is durable.
    given
        Reads what persons have brought, the newest last.
    held
        Returns while this process holds the lease, or raises.

    """

    def __init__(
        self,
        channel: str,
        kind: str,
        *,
        grant: Callable[[], Grant],
        write: Write,
        given: Callable[[], Awaitable[list[Given]]],
        transport: Transport,
        clock: Clock,
        held: Callable[[], Awaitable[None]],
        mask: Callable[[str], str] = str,
    ) -> None:
        super().__init__(mask)
        self._channel = channel
        self._make = grant
        self._grant = grant()
        self._names = {name.lower() for name in self._grant.headers({})}
        self._write = write
        self._given = given
        self._transport = transport
        self._clock = clock
        self._held = held
        self._gate = Gate()
        self._turn = asyncio.Lock()
        self._kept = KeptTokens(kind=kind, signed_out=NEVER)
        self._headers: dict[str, str] = {}
        self._seen: set[str] = set()
        self._is_refused = False
        self._retry_at_s = 0.0
        self._failure: Callable[[], ChannelError] | None = None
        self._on_signed_in: list[Callable[[], None]] = []
        self._works: set[asyncio.Future[None]] = set()
        self._ends = False

    def load(self, kept: KeptTokens | None) -> None:
        """Take over what is stored."""
        if kept is None:
            return
        if kept.kind != self._kept.kind:
            kept = KeptTokens(kind=self._kept.kind, signed_out=OTHER_KIND)
        self._take(kept)

    # -- for the clients

    @property
    def signed_out(self) -> str:
        """What keeps every request back until a person signs in; empty where nothing does."""
        if not self._kept.signed_out:
            return ""
        return self.mask(f"sign in: holdfast channels sign-in {self._channel}. Why: {self._kept.signed_out}")

    def mask(self, text: str) -> str:
        """Take tokens, too, out of a text; also those of before."""
        for value in sorted(self._seen, key=len, reverse=True):
            text = text.replace(value, "***")
        return super().mask(text)

    def tell(self, on_signed_in: Callable[[], None]) -> None:
        """Have a function called each time somebody has signed in."""
        self._on_signed_in.append(on_signed_in)

    @asynccontextmanager
    async def using(self, request: Request) -> AsyncIterator[Request]:
        """Return a request with the newest tokens, and keep new ones from coming until its answer is there."""
        if not any(name.lower() in self._names for name in request.headers):
            yield request
            return
        while True:
            if not self._lets_in():
                await self.renew()
            async with self._gate.shared():
                if self._lets_in():
                    yield self._signed(request)
                    return

    def refused(self, request: Request, answer: Answer) -> bool:
        """Return whether a request was turned away, and may be let in when it is sent again: with newer tokens."""
        if not self._grant.is_turned_away(answer):
            return False
        if any(request.headers.get(name, value) != value for name, value in self._headers.items()):
            return True  # there are newer ones by now
        if not self._headers or self._headers.items().isdisjoint(request.headers.items()):
            return False
        if self._clock.store_ms() - self._kept.obtained_ms < REFUSED_AGAIN_MS:
            return False
        self._is_refused = True
        return True

    # -- renewing

    async def run(self) -> None:
        """Look for ever whether somebody has signed in, and whether new tokens are due."""
        while True:
            with contextlib.suppress(StoreUnavailableError, ChannelError):  # each was logged, and comes again
                await self._sign_in()
                if self._is_due():
                    await self.renew()
            await asyncio.sleep(LOOK_S)

    async def renew(self) -> None:
        """Ask for new tokens, unless somebody else has done so meanwhile; they are stored when this returns.

        Raises
        ------
        ChannelError
            There are none: SignedOutError, CredentialsError, or NotSentError where it may be tried again.

        """
        await self._undisturbed(self._renew_if_due())

    async def finish(self) -> None:
        """Wait for a renewal that is on its way, and begin none any more."""
        self._ends = True
        async with self._turn:
            pass

    async def close(self, within_s: float) -> None:
        """Let what is on its way end, within a time."""
        works = {work for work in self._works if not work.done()}
        if works:
            await asyncio.wait(works, timeout=within_s)
        for work in works:
            work.cancel()

    async def _undisturbed(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Do something to its end, although its caller is cancelled: an answer that is not stored is lost."""
        work = asyncio.ensure_future(coroutine)
        self._works.add(work)
        work.add_done_callback(self._ended)
        await asyncio.shield(work)

    def _ended(self, work: asyncio.Future[None]) -> None:
        self._works.discard(work)
        if not work.cancelled():
            work.exception()  # whoever waited has it; nobody may have waited to the end

    async def _renew_if_due(self) -> None:
        async with self._turn:
            if self._kept.signed_out:
                raise SignedOutError(self.signed_out)
            if self._ends:
                raise NotSentError("the publisher stops")
            if self._lets_in() and not self._is_due():
                return
            if self._failure is not None and self._clock.now_s() < self._retry_at_s:
                raise self._failure()
            async with self._gate.alone():
                await self._renew()

    async def _renew(self) -> None:
        before = self._kept
        await self._put(replace(before, renewing_ms=self._clock.store_ms()))
        try:
            tokens = await self._talk(lambda grant: grant.renew(before.values))
        except SignedOutError as error:
            why = self.mask(f"{error.reason} ({LOST})" if before.renewing_ms else error.reason)
            await self._put(replace(self._kept, values={}, renewing_ms=0, signed_out=why))
            log.error("channel_signed_out", channel=self._channel, reason=why)  # noqa: TRY400  # the reason is enough
            raise SignedOutError(self.signed_out) from None
        except ChannelError as error:
            raise self._put_off(error) from None
        await self._put(self._fresh(before, tokens))
        log.info("channel_tokens_renewed", channel=self._channel, life_s=round(tokens.expires_s))

    def _put_off(self, error: ChannelError) -> ChannelError:
        """Have it tried again after a while; return what is raised until then."""
        reason, after_s = f"no new tokens: {self.mask(error.reason)}", error.after_s
        kind = CredentialsError if isinstance(error, CredentialsError) else NotSentError
        self._failure = partial(kind, reason, after_s)
        self._retry_at_s = self._clock.now_s() + max(PAUSE_S, after_s or 0.0)
        log.warning("channel_tokens_not_renewed", channel=self._channel, reason=reason)
        return kind(reason, after_s)

    def _fresh(self, before: KeptTokens, tokens: Tokens) -> KeptTokens:
        self._failure, self._is_refused = None, False
        now_ms = self._clock.store_ms()
        return replace(
            before,
            values={**before.values, **tokens.values},
            obtained_ms=now_ms,
            expires_ms=now_ms + int(1000 * max(LIFE_S_MIN, tokens.expires_s)),
            renewing_ms=0,
            signed_out="",
        )

    # -- signing in

    async def _sign_in(self) -> None:
        brought = await self._given()
        if brought and not self._ends:
            await self._undisturbed(self._begin(brought))

    async def _begin(self, brought: list[Given]) -> None:
        """Use what was brought last; what fails leaves everything as it was."""
        newest = brought[-1]
        self._seen.add(newest.secret)
        async with self._turn, self._gate.alone():
            try:
                if self._clock.store_ms() - newest.given_ms > GIVEN_LIFE_MS:
                    raise NotSentError("it has waited too long for a publisher; bring another one")
                tokens = await self._talk(lambda grant: grant.begin(newest.what, newest.secret))
            except ChannelError as error:
                fault = self.mask(error.reason)
                await self._put(replace(self._kept, sign_in=newest.id, sign_in_fault=fault), brought)
                log.warning("channel_not_signed_in", channel=self._channel, reason=fault)
                return
            before = replace(self._kept, values={}, sign_in=newest.id, sign_in_fault="")
            await self._put(self._fresh(before, tokens), brought)
        log.info("channel_signed_in", channel=self._channel)
        for tell in self._on_signed_in:
            tell()

    # -- the details

    async def _put(self, kept: KeptTokens, done: list[Given] | None = None) -> None:
        """Store what is kept, however long the store is away, and use it then."""
        while True:
            try:
                await self._write(kept, done or [])
                break
            except StoreUnavailableError:
                await asyncio.sleep(_STORE_RETRY_S)
        self._take(kept)

    def _take(self, kept: KeptTokens) -> None:
        self._kept = kept
        self._seen.update(filter(None, kept.values.values()))
        self._headers = self._grant.headers(kept.values) if kept.values else {}

    async def _talk(self, begin: Callable[[Grant], Exchange[Tokens]]) -> Tokens:
        async def send(request: Request) -> Answer:
            await self._held()
            return await self._transport.send(request)

        with contextlib.suppress(ChannelConfigError):  # a file is away just now: with the credentials of before
            self._grant = self._make()
        try:
            return await converse(begin(self._grant), send)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise NotSentError(f"an answer that the adapter cannot read ({type(error).__name__})") from None

    def _signed(self, request: Request) -> Request:
        newest = {name.lower(): value for name, value in self._headers.items()}
        headers = {name: newest.get(name.lower(), value) for name, value in request.headers.items()}
        return replace(request, headers=headers)

    def _lets_in(self) -> bool:
        return bool(self._headers) and not self._is_refused and self._clock.store_ms() < self._kept.expires_ms

    def _is_due(self) -> bool:
        """Whether new tokens are to be asked for: before the old ones end, so that nobody has to wait."""
        kept = self._kept
        if kept.signed_out:
            return False
        early_ms = min(EARLY_MS, (kept.expires_ms - kept.obtained_ms) // 10)
        return self._is_refused or self._clock.store_ms() >= kept.expires_ms - early_ms
