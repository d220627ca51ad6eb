"""Teaches schemathesis MessagePack, so that it fuzzes and checks that half of the API too, and how a batch refuses."""

from typing import Any

import msgspec
import schemathesis
from schemathesis.specs.openapi.checks import negative_data_rejection, unsupported_method

MSGPACK = "application/msgpack"
HEAD_TOO_LARGE = 431
"""Many parameters, each as long as it may be, make a line that is too long. schemathesis takes this for no refusal."""
BATCH = "POST /v1/reservations/batch"


@schemathesis.serializer(MSGPACK)
def encode(_context: schemathesis.SerializationContext, value: Any) -> bytes:
    try:
        return msgspec.msgpack.encode(value)
    except OverflowError:
        return msgspec.msgpack.encode(str(value))  # an integer that MessagePack cannot say


@schemathesis.deserializer(MSGPACK)
def decode(_context: schemathesis.DeserializationContext, response: Any) -> Any:
    return msgspec.to_builtins(msgspec.msgpack.decode(response.content))


@schemathesis.check
def faulty_data_rejection(ctx: Any, response: Any, case: Any) -> bool | None:
    """As ``negative_data_rejection``; but a batch refuses a faulty element in its own result, and its status is 200.

    The document says nevertheless what an element is: if it allowed anything, generated clients would have no type.
    """
    if case.operation.label == BATCH and response.status_code == 200 and _refuses_an_element(response):
        return None
    return None if response.status_code == HEAD_TOO_LARGE else negative_data_rejection(ctx, response, case)


@schemathesis.check
def undeclared_method(ctx: Any, response: Any, case: Any) -> bool | None:
    """As ``unsupported_method``; but what is too large is refused before anybody looks at the method."""
    return None if response.status_code == HEAD_TOO_LARGE else unsupported_method(ctx, response, case)


def _refuses_an_element(response: Any) -> bool:
    is_msgpack = MSGPACK in response.headers["content-type"][0]
    decoded = (msgspec.msgpack if is_msgpack else msgspec.json).decode(response.content)
    return any((result["status"], result["outcome"]) == (400, "invalid") for result in decoded["results"])
