"""Why an operation of the API is refused, beside what every operation is refused for."""

from typing import Final

from tests.clients.methods import Operation

OF_ALL: Final = frozenset({
    "documents_missing", "documents_unavailable", "forbidden", "head_too_large", "id_reused", "invalid", "local_only",
    "outcome_unknown", "overloaded", "rate_limited", "request_timeout", "store_unavailable", "too_large",
    "unauthorized", "unsupported_media_type",
})  # fmt: skip


def own_outcomes(operation: Operation) -> list[tuple[int, str]]:
    """Return the status and the word of each of its own refusals."""
    return [
        (int(status), outcome)
        for status, response in operation.described["responses"].items()
        if status >= "4"
        for outcome in response["description"].split(" · ")
        if outcome not in OF_ALL
    ]
