"""Credentials of a channel that change: what is kept of them, and what a person has brought to sign in."""

from typing import Final

import msgspec

SECRET_BYTES_MAX: Final = 64 * 1024
"""Of what a person brings: the longest tokens seen have two thousand."""
GIVEN_LIFE_MS: Final = 10 * 60_000
"""What a person has brought and no publisher has taken is not used any more: codes live for seconds, or minutes."""


class KeptTokens(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of one channel's access, for one kind. Times are the store's.

    ``renewing_ms``: when new tokens were asked for whose answer is not stored; 0: there is no such. ``signed_out``: why
    a person has to sign in. ``sign_in``: the last sign-in that was carried out, ``sign_in_fault``: why it failed.
    """

    kind: str
    values: dict[str, str] = {}
    obtained_ms: int = 0
    expires_ms: int = 0
    renewing_ms: int = 0
    signed_out: str = ""
    sign_in: str = ""
    sign_in_fault: str = ""

    def __repr__(self) -> str:
        """Show nothing that is secret."""
        return f"KeptTokens({self.kind}, {', '.join(self.values)}: ***)"


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What a person has brought to sign in: ``what`` it is, and the secret itself."""

    id: str
    what: str
    secret: str
    given_ms: int

    def __repr__(self) -> str:
        """Show nothing that is secret."""
        return f"Given({self.id}, {self.what}: ***)"
