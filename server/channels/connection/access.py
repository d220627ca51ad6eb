"""What lets a channel's requests in: credentials that stay as they are; ``channels/tokens`` has those that change."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from adapters.contract.http import Answer, Request


class Access:
    """The access to one channel, for all of its clients. ``mask`` takes the credentials out of a text."""

    def __init__(self, mask: Callable[[str], str] = str) -> None:
        self._mask = mask

    @property
    def signed_out(self) -> str:
        """What keeps every request back until a person signs in; empty where nothing does."""
        return ""

    def mask(self, text: str) -> str:
        """Take all that is secret out of a text."""
        return self._mask(text)

    def tell(self, on_signed_in: Callable[[], None]) -> None:
        """Have a function called each time somebody has signed in."""

    @asynccontextmanager
    async def using(self, request: Request) -> AsyncIterator[Request]:
        """Return a request as it may be sent now, and keep it valid until its answer is there.

        Raises
        ------
        ChannelError
            It cannot be sent: nothing has left.

        """
        yield request

    def refused(self, request: Request, answer: Answer) -> bool:  # noqa: ARG002  # an access that changes looks at them
        """Return whether a request was turned away, and may be let in when it is sent again."""
        return False
