"""Teaches schemathesis MessagePack, so that it fuzzes and checks that half of the API too."""

from typing import Any

import msgspec
import schemathesis

MSGPACK = "application/msgpack"


@schemathesis.serializer(MSGPACK)
def encode(_context: schemathesis.SerializationContext, value: Any) -> bytes:
    try:
        return msgspec.msgpack.encode(value)
    except OverflowError:
        return msgspec.msgpack.encode(str(value))  # an integer that MessagePack cannot say


@schemathesis.deserializer(MSGPACK)
def decode(_context: schemathesis.DeserializationContext, response: Any) -> Any:
    return msgspec.to_builtins(msgspec.msgpack.decode(response.content))
