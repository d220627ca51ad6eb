"""One refusal or error as it appears over HTTP; the table of all of them is ``outcomes.py``."""

import msgspec


class Outcome(msgspec.Struct, frozen=True):
    """How a refusal or an error appears over HTTP.

    ``status`` is the HTTP status. ``title`` is a short description. ``detail`` adds what the caller can do
    next; a route may replace it by one that names the field or the store's own message. ``retryable``: the same
    request may succeed later.
    """

    status: int
    title: str
    detail: str
    retryable: bool = False
