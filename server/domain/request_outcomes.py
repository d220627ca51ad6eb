"""Outcomes of requests that are refused before anything of the stock is looked at; see ``outcomes.py``."""

from typing import Final

from server.domain.outcome import Outcome

REQUEST_OUTCOMES: Final[dict[str, Outcome]] = {
    "malformed": Outcome(
        400, "Not HTTP that can be read", "Send HTTP/1.1. The connection is closed, and nothing happened."
    ),
    "head_too_large": Outcome(
        431,
        "Request line or headers too large",
        "Send a line of at most 8,190 bytes and at most 128 headers. The connection is closed.",
    ),
    "unauthorized": Outcome(
        401,
        "No valid API key",
        "Send an API key: `Authorization: Bearer hf_<id>_<secret>`. `holdfast keys new` creates one.",
    ),
    "local_only": Outcome(
        403,
        "A server without keys answers programs of its own machine only",
        "Make a key with `holdfast keys new --scope admin` and send it.",
    ),
    "forbidden": Outcome(
        403,
        "The API key lacks the required scope",
        "Use a key that has the scope, or create one with `holdfast keys new --scope`.",
    ),
    "rate_limited": Outcome(
        429,
        "The key has made all requests that it may make in this second",
        "This one was not processed. Send it again after `Retry-After` seconds.",
        retryable=True,
    ),
    "not_found": Outcome(404, "No such resource", "Check the path; /docs lists every route."),
    "method_not_allowed": Outcome(
        405, "Method not allowed for this resource", "Use one of the methods in the `Allow` header."
    ),
    "unsupported_media_type": Outcome(
        415, "Unsupported media type", "Send `application/json` or `application/msgpack`, uncompressed."
    ),
    "too_large": Outcome(
        413, "Request body too large", "Split the request into smaller ones; /docs lists the limit of each route."
    ),
    "request_timeout": Outcome(
        408, "The request body did not arrive in time", "The request was not processed. Send it again.", retryable=True
    ),
    "invalid": Outcome(
        400, "Invalid request", "Correct the fields that `errors` lists and send the request again. Nothing changed."
    ),
}
"""The first in the order of precedence."""
