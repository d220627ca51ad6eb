"""What can go wrong between an adapter and its channel."""


class ChannelError(Exception):
    """The channel did not do what it was asked. ``reason`` holds no credential; ``after_s`` is the channel's wish."""

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after_s = after_s


class NotSentError(ChannelError):
    """Nothing reached the channel: no name, no route, refused, or an address that must not be called."""


class UnknownResultError(ChannelError):
    """The request may have reached the channel and no answer came: it may or may not have been carried out."""


class UnavailableError(ChannelError):
    """The channel answered that it cannot now, or something that nobody can read; nothing was applied that counts."""


class ThrottledError(ChannelError):
    """Too much at once; nothing was applied."""


class CredentialsError(ChannelError):
    """The channel does not accept who we say we are; nothing was applied."""


class ClosedError(ChannelError):
    """The channel has closed this way of talking to it (410, 426). Asking again is of no use before somebody acts."""


class TicketLostError(ChannelError):
    """The channel knows the ticket no more; what became of its items is unknown."""


class SpoiledError(ChannelError):
    """The channel refused the whole push because of some item that it did not name; nothing was applied."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
