"""What stands in front of an operation of a key that may work on some reservations alone."""

import msgspec


class Owned(msgspec.Struct, frozen=True):
    """An operation on a reservation that was made with the key ``key`` and is of a ``channel``.

    Any other is not there for it. Empty: whichever it is.
    """

    key: str
    channel: str
    operation: object

    @property
    def function(self) -> str:
        """The Lua function that runs it."""
        return self.operation.function  # type: ignore[attr-defined,no-any-return]  # each has one

    @property
    def weight(self) -> int:
        """The operation's."""
        return self.operation.weight  # type: ignore[attr-defined,no-any-return]  # each has one


def is_made_with(key: str, actor: str) -> bool:
    """Return whether the actor of a reservation had this key: itself, or a person who signed in with it."""
    return actor == key or actor.startswith(f"{key}/")
