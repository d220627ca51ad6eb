"""Authentication: turns an ``Authorization`` header into a principal, from keys kept in memory."""

import asyncio
from collections.abc import Callable, Iterable
from hashlib import sha256
from hmac import compare_digest
from typing import Final

import structlog

from server.domain.limits import DEFAULT_PARTITION
from server.domain.principal import LOCAL, ApiKey, Principal
from server.store.errors import StoreUnavailableError
from server.store.repositories.api_keys import ApiKeyStore, StoredKeys

SCHEME: Final = "bearer "
TOKEN_PARTS: Final = 3
"""``hf``, the id, the secret."""
REFRESH_S: Final = 1.0
"""A revoked key works for this time at most, and for as long as the store takes to answer. One HGETALL costs little."""

NOBODY: Final = (bytes(32), None)
"""Compared with when the id is unknown, so that the time taken does not reveal which ids exist."""

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
    ) -> None:
        self._configured = _by_id(keys)
        self._key_store = key_store
        self._open_to_loopback = open_to_loopback
        self._refresh_s = refresh_s
        self._damaged: tuple[str, ...] = ()
        self._store_away = False
        self._stored: StoredKeys | None = None
        self._ever_a_key = False
        self._everybody: Principal | None = None
        self._live: dict[str, tuple[bytes, Principal | None]] = {}
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
        return principal if compare_digest(given, digest) else None

    def tell(self, changed: Callable[[set[str]], None]) -> None:
        """Call this with the ids of keys whenever what they open has changed; :data:`LOCAL` counts as one."""
        self._told.append(changed)

    def partitions(self) -> frozenset[str]:
        """Return every partition that may hold stock: the default one and those of all keys, revoked ones too."""
        return self._partitions

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

    async def run(self) -> None:
        """Refresh for ever; a store that is away is logged once, and the last known keys stay in force."""
        while True:
            await self._refresh_if_possible()
            await asyncio.sleep(self._refresh_s)

    async def _refresh_if_possible(self) -> None:
        try:
            await self.refresh()
        except StoreUnavailableError as error:
            if not self._store_away:
                log.warning("api keys not refreshed: the last known ones stay in force", reason=str(error))
            self._store_away = True
        else:
            self._store_away = False

    def _learn(self, stored: dict[str, ApiKey], *, known: bool) -> None:
        keys, before, everybody = (stored | self._configured).values(), self._live, self._everybody
        self._ever_a_key = self._ever_a_key or bool(keys)
        self._partitions |= {key.partition for key in keys}
        self._live = {key.id: (bytes.fromhex(key.sha256), key.principal) for key in keys if not key.revoked}
        self._everybody = LOCAL if known and self._open_to_loopback and not self._ever_a_key else None
        changed = {key_id for key_id, opens in before.items() if self._live.get(key_id) != opens}
        if everybody is not self._everybody:
            changed.add(LOCAL.actor)
        for told in self._told if changed else ():
            told(changed)


def _by_id(keys: Iterable[ApiKey]) -> dict[str, ApiKey]:
    found: dict[str, ApiKey] = {}
    for key in keys:
        if key.id in found:
            raise ValueError(f"Two API keys of the configuration file have the id {key.id!r}.")
        found[key.id] = key
    return found
