"""Credentials that change: what a channel lets its requests in with for a while, and how new ones are asked for.

The engine keeps them, stores them encrypted before it uses them, and has one process at a time ask for new ones. An
adapter of such a kind writes its headers with :meth:`Grant.headers`; the engine replaces their values just before a
request leaves. So nothing is sent with an old one that was built before a new one came.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import msgspec

from adapters.contract.http import Answer, Exchange


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel has given. ``values`` are kept by their names, ``expires_s``: how long they let requests in."""

    values: dict[str, str]
    expires_s: float

    def __repr__(self) -> str:
        """Show nothing of it: it may stand in a traceback."""
        return f"Tokens({', '.join(self.values)}: ***)"


class Grant(ABC):
    """How one account's tokens come about. It keeps nothing.

    An exchange raises :class:`~adapters.contract.errors.SignedOutError` where a person has to sign in again, and
    :class:`~adapters.contract.errors.CredentialsError` where the configured credentials are not accepted. Whatever else
    it raises is tried again.
    """

    @abstractmethod
    def headers(self, values: Mapping[str, str]) -> dict[str, str]:
        """Return the headers that let a request in. A request that has none of them is sent as it is."""

    def is_turned_away(self, answer: Answer) -> bool:
        """Whether an answer says that a request was not let in, and nothing of it was carried out."""
        return answer.status == 401  # noqa: PLR2004  # unauthorized

    @abstractmethod
    def begin(self, what: str, secret: str) -> Exchange[Tokens]:
        """Ask for the first tokens, with what a person has brought: one of the kind's ``sign_in_with``."""

    @abstractmethod
    def renew(self, values: Mapping[str, str]) -> Exchange[Tokens]:
        """Ask for new tokens with those that are kept."""
