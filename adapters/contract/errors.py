"""What can go wrong between an adapter and its channel."""


class ChannelError(Exception):
    """A call failed as a whole. ``reason`` holds no credential; ``after_s``: the seconds that the channel asked for."""

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after_s = after_s


class NotSentError(ChannelError):
    """Nothing reached the channel: no name, no route, refused, or an address that must not be called."""


class UnknownResultError(ChannelError):
    """The request may have reached the channel and no answer came: it may or may not have been carried out."""


class UnavailableError(ChannelError):
    """The channel answered that it cannot now, or with something unreadable; nothing counts as applied."""


class ThrottledError(ChannelError):
    """The channel's rate limit was exceeded; nothing was applied."""


class CredentialsError(ChannelError):
    """The channel does not accept the credentials; nothing was applied."""


class SignedOutError(ChannelError):
    """The channel gives no new tokens for those that are kept, or none are: a person has to sign in again."""


class ClosedError(ChannelError):
    """The channel has closed this endpoint or version, or needs other settings: an operator has to act."""


class TicketLostError(ChannelError):
    """The channel does not know the ticket any more; the results of its items are unknown."""


class SpoiledError(ChannelError):
    """The channel refused the whole push because of some item that it did not name; nothing was applied."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class CursorRefusedError(ChannelError):
    """The channel does not take a cursor: it is too old, or of another walk; the walk begins again."""


class UnreadableOrderError(ChannelError):
    """One order was answered in a form that is not understood; the channel is well, and a person has to look.

    ``reason`` quotes nothing of the order: that may be personal.
    """
