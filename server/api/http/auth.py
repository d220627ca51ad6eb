"""Authentication: turns an ``Authorization`` header into a principal, from keys kept in memory."""

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from hmac import compare_digest
from typing import Final

import structlog

from server.domain.browser_tokens import PREFIX, BrowserTokens
from server.domain.limits import DEFAULT_PARTITION
from server.domain.principal import LOCAL, ApiKey, Principal, Reach, Scope
from server.store.errors import StoreUnavailableError
from server.store.repositories.api_keys import ApiKeyStore, StoredKeys

SCHEME: Final = "bearer "
TOKEN_PARTS: Final = 3
"""``hf``, the id, the secret."""
REFRESH_S: Final = 1.0
"""A revoked key works for this time at most, and for as long as the store takes to answer. One HGETALL costs little."""

READS: Final = frozenset({Scope.READ})
"""What a browser's token may do at most, whatever its key may."""

_NO_DIGEST: Final = bytes(32)
NOBODY: Final = (_NO_DIGEST, None)
"""Compared with when the id is unknown, so that the time taken does not reveal which ids exist."""
USED_STEP_S: Final = 3_600
"""When a key was used last is kept as the hour, so a process writes it for a key once an hour at most."""

log = structlog.get_logger(__name__)


class Authenticator:
    """Knows every API key of the configuration file and of the store.

    ``open_to_loopback``: the server can be reached from this machine only, so while no key was ever made everybody
    is :data:`LOCAL`. The first key ends that, and it does not come back while the process lives.
    Until the first :meth:`refresh` has succeeded no key of the store is accepted.

    Parameters
    ----------
    keys
        Keys of the configuration file. Where the store holds the same id, these count.
    key_store
        None: only ``keys`` count.
    open_to_loopback
        Whether only this machine can reach the server.
    refresh_s
        Seconds between two readings of the store's keys in :meth:`run`.
    tokens
        Reads the tokens of browsers; None: there is no secret, so none is good.

    Raises
    ------
    ValueError
        Two of ``keys`` have the same id.

    """

    def __init__(
        self,
        keys: Iterable[ApiKey],
        key_store: ApiKeyStore | None,
        *,
        open_to_loopback: bool,
        refresh_s: float = REFRESH_S,
        tokens: BrowserTokens | None = None,
    ) -> None:
        self._tokens = tokens
        self._configured = _by_id(keys)
        self._key_store = key_store
        self._open_to_loopback = open_to_loopback
        self._refresh_s = refresh_s
        self._damaged: tuple[str, ...] = ()
        self._store_away = False
        self._stored: StoredKeys | None = None
        self._ever_a_key = False
        self._everybody: Principal | None = None
        self._names: dict[str, str] = {}
        self._live: dict[str, tuple[bytes, Principal | None]] = {}
        self._previous: dict[str, bytes] = {}
        self._of_store: dict[str, ApiKey] = {}
        self._ends_at = math.inf
        self._used: set[str] = set()
        self._noted: tuple[int, set[str]] = (0, set())
        self._told: list[Callable[[set[str]], None]] = []
        self._partitions = frozenset({DEFAULT_PARTITION})
        self._learn({}, known=key_store is None)

    @property
    def open(self) -> bool:
        """Whether everybody is let in, because no key was ever made and only this machine can ask."""
        return self._everybody is not None

    @property
    def any_key(self) -> bool:
        """Whether a key was ever made, revoked or not. Without one, only a server for this machine may start."""
        return self._ever_a_key

    def authenticate(self, header: str | None) -> Principal | None:
        """Return the principal of an ``Authorization`` header, or None. The caller checks the scopes."""
        if self._everybody is not None:
            return self._everybody
        if header is None or header[: len(SCHEME)].lower() != SCHEME:
            return None
        parts = header[len(SCHEME) :].strip().split("_", TOKEN_PARTS - 1)
        if len(parts) != TOKEN_PARTS or parts[0] != "hf":
            return None
        digest, principal = self._live.get(parts[1], NOBODY)
        # Header bytes that are not UTF-8 arrive as lone surrogates: they are a wrong secret, not a fault.
        given = sha256(parts[2].encode("utf-8", "surrogatepass")).digest()
        if compare_digest(given, digest) or self._is_previous(parts[1], given):
            self._used.add(parts[1])
            return principal
        return None

    def _is_previous(self, key_id: str, given: bytes) -> bool:
        """Whether a secret is the one that a key had before its last rotation, while that is good."""
        previous = self._previous.get(key_id)
        return compare_digest(given, _NO_DIGEST if previous is None else previous) and previous is not None

    def of_token(self, header: str | None) -> Principal | None:
        """Return who a browser's token in an ``Authorization`` header acts as, or None; the store is not asked.

        A token ends with its time, with its key, and where the key loses its partition or the scope ``read``.
        """
        if self._tokens is None or not is_token(header):
            return None
        claims = self._tokens.read(token_in(header), time.time())
        if claims is None:
            return None
        made_by = self._everybody if claims.key_id == LOCAL.actor else self._live.get(claims.key_id, NOBODY)[1]
        if made_by is None or made_by.partition != claims.partition or not made_by.allows(Scope.READ):
            return None
        if made_by.reach is not None and made_by.reach.channel != claims.channel:
            return None  # the key was bound to a channel since
        reach = Reach(claims.until_s, claims.channel, frozenset(claims.skus))
        return Principal(claims.key_id, claims.partition, READS, reach, limits=made_by.limits)

    def opens(self, key_id: str) -> tuple[tuple[bytes, ...], Principal | None]:
        """Return the hashes of a key's secrets, the newest first, and whom it stands for; None: it opens nothing."""
        digest, principal = self._live.get(key_id, NOBODY)
        previous = self._previous.get(key_id)
        return (digest,) if previous is None else (digest, previous), principal

    def name_of(self, key_id: str) -> str:
        """Return the name that a key was given; empty: it has none, or opens nothing."""
        return self._names.get(key_id, "")

    def who(self, header: str | None) -> Principal | None:
        """Return the principal of an ``Authorization`` header that has a key or a browser's token, or None."""
        return self.authenticate(header) or self.of_token(header)

    def tell(self, changed: Callable[[set[str]], None]) -> None:
        """Call this with the ids of keys whenever what they open has changed; :data:`LOCAL` counts as one."""
        self._told.append(changed)

    def partitions(self) -> frozenset[str]:
        """Return every partition that may hold stock: the default one and those of all keys, revoked ones too."""
        return self._partitions

    def configure(self, keys: Iterable[ApiKey], tokens: BrowserTokens | None) -> None:
        """Have other keys in the configuration file, and other secrets for the tokens of browsers; see the class."""
        self._configured, self._tokens = _by_id(keys), tokens
        stored = self._stored.keys if self._stored is not None else ()
        known = self._key_store is None or self._stored is not None
        self._learn({key.id: key for key in stored}, known=known)

    async def refresh(self) -> None:
        """Read the store's keys anew.

        Raises
        ------
        StoreUnavailableError
            The store did not answer; the keys known before stay in force.

        """
        if self._key_store is None:
            return
        stored = await self._key_store.read()
        if stored is self._stored:
            return
        if stored.damaged and stored.damaged != self._damaged:
            log.error("api keys damaged: they open nothing", key_ids=stored.damaged)
        self._damaged = stored.damaged
        self._ever_a_key = self._ever_a_key or bool(stored.damaged)
        self._learn({key.id: key for key in stored.keys}, known=True)
        self._stored = stored

    async def note_used(self) -> None:
        """Write in which hour keys were used, those that this process has not written in it.

        Raises
        ------
        StoreUnavailableError
            The store did not answer; they are written with the next ones.

        """
        hour, (noted_hour, noted) = int(time.time()) // USED_STEP_S, self._noted
        if hour != noted_hour:
            noted = set()
        new = self._used - noted
        if self._key_store is not None and new:
            await self._key_store.note_used(new, hour * USED_STEP_S)
        self._noted = hour, noted | new
        self._used -= new | noted

    async def run(self) -> None:
        """Refresh for ever; a store that is away is logged once, and the last known keys stay in force."""
        while True:
            if time.time() >= self._ends_at:
                self._learn(self._of_store, known=self._stored is not None or self._key_store is None)
            await self._refresh_if_possible()
            await asyncio.sleep(self._refresh_s)

    async def _refresh_if_possible(self) -> None:
        try:
            await self.refresh()
            await self.note_used()
        except StoreUnavailableError as error:
            if not self._store_away:
                log.warning("api keys not refreshed: the last known ones stay in force", reason=str(error))
            self._store_away = True
        else:
            self._store_away = False

    def _learn(self, stored: dict[str, ApiKey], *, known: bool) -> None:
        keys, everybody = (stored | self._configured).values(), self._everybody
        before = {key_id: self.opens(key_id) for key_id in self._live}
        now = datetime.now(UTC)
        opening = [key for key in keys if key.is_open(now)]
        self._of_store = stored
        self._ever_a_key = self._ever_a_key or bool(keys)
        self._partitions |= {key.partition for key in keys}
        self._live = {key.id: (bytes.fromhex(key.sha256), key.principal) for key in opening}
        self._previous = {
            key.id: bytes.fromhex(key.previous.sha256)
            for key in opening
            if key.previous is not None and now < key.previous.until
        }
        self._ends_at = _next_end(opening, now)
        self._names = {key.id: key.name for key in opening if key.name}
        self._everybody = LOCAL if known and self._open_to_loopback and not self._ever_a_key else None
        changed = {key_id for key_id, opens in before.items() if self.opens(key_id) != opens}
        if everybody is not self._everybody:
            changed.add(LOCAL.actor)
        for told in self._told if changed else ():
            told(changed)


def _next_end(keys: Sequence[ApiKey], now: datetime) -> float:
    """Return when the next key or secret is over, in seconds since 1970."""
    times = [key.terms.expires_at for key in keys] + [key.previous.until for key in keys if key.previous is not None]
    return min((end.timestamp() for end in times if end is not None and end > now), default=math.inf)


def is_token(header: str | None) -> bool:
    """Whether an ``Authorization`` header has what looks like a browser's token."""
    return header is not None and header[: len(SCHEME)].lower() == SCHEME and token_in(header).startswith(PREFIX)


def token_in(header: str | None) -> str:
    """Return what stands behind the scheme of an ``Authorization`` header."""
    return (header or "")[len(SCHEME) :].strip()


def _by_id(keys: Iterable[ApiKey]) -> dict[str, ApiKey]:
    found: dict[str, ApiKey] = {}
    for key in keys:
        if key.id in found:
            raise ValueError(f"Two API keys of the configuration file have the id {key.id!r}.")
        found[key.id] = key
    return found
