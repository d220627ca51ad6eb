"""Why an open change stream ends: what its caller is told, and what the metrics count."""

from typing import Final, NamedTuple

import msgspec

from server.streams.event_rounds import chunk_of


class Ending(NamedTuple):
    """A reason. ``detail`` empty: the caller cannot be told, because it has left or does not read."""

    reason: str
    detail: str = ""
    retryable: bool = False

    @property
    def chunk(self) -> bytes:
        """The last event of the stream."""
        told = {"reason": self.reason, "detail": self.detail, "retryable": self.retryable}
        return chunk_of(b"event: closed\ndata: %b\n\n" % msgspec.json.encode(told))


DISCONNECTED: Final = Ending("disconnected")
NOT_READ: Final = Ending("not_read")
STOPPING: Final = Ending(
    "stopping", "The server stops. Open the stream again after the retry time, with the last id.", retryable=True
)
MADE_ROOM: Final = Ending(
    "made_room",
    "All places for streams were taken, and your key had the most. Close streams that you do not need, then try again.",
    retryable=True,
)
KEY_REVOKED: Final = Ending("key_revoked", "The key of this stream opens nothing any more. Use another one.")
SCOPE_REMOVED: Final = Ending("scope_removed", "The key of this stream has lost the scope read. Use another one.")
PARTITION_CHANGED: Final = Ending(
    "partition_changed",
    "The key of this stream belongs to another partition now. Open it without an id, and read everything anew.",
    retryable=True,
)
KEY_NEEDED: Final = Ending("key_needed", "The server has API keys now. Open the stream again with one.")
TOKEN_EXPIRED: Final = Ending(
    "token_expired",
    "The time of this stream's token is over. Get a new one, then open the stream again with the last id.",
    retryable=True,
)
SESSION_ENDED: Final = Ending("session_ended", "The session of this stream has ended. Sign in anew at /console.")
ENDINGS: Final = (
    DISCONNECTED,
    NOT_READ,
    STOPPING,
    MADE_ROOM,
    KEY_REVOKED,
    SCOPE_REMOVED,
    PARTITION_CHANGED,
    KEY_NEEDED,
    TOKEN_EXPIRED,
    SESSION_ENDED,
)
