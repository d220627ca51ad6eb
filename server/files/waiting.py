"""A file that was looked at, packed to wait for its application: what it was, what was found, and its bad rows."""

import zlib

import msgspec

from server.files.file_kinds import Wanted
from server.files.preview import Difference, Form, Preview
from server.files.reader import AS_IT_IS, BadRow, Reading

_encode = msgspec.msgpack.Encoder().encode


class Waiting(msgspec.Struct, frozen=True, array_like=True):
    """What a file is, and who may apply it."""

    kind: str
    actor: str
    wanted: Wanted
    reading: Reading = AS_IT_IS


class _Looked(msgspec.Struct, frozen=True, array_like=True):
    as_of: int
    subject: tuple[str, ...]
    figures: tuple[str, ...]
    repeated: int
    settled: set[int]
    differences: list[Difference]
    refused: list[BadRow]
    is_first: bool = False


_decode = msgspec.msgpack.Decoder(Waiting).decode
_decode_looked = msgspec.msgpack.Decoder(_Looked).decode


def packed(waiting: Waiting, content: bytes, preview: Preview, bad: bytes, view: bytes) -> dict[str, bytes]:
    """Pack a file, its bad rows and what was found out about it; takes a while, so it is for a thread."""
    form = preview.form
    looked = _Looked(
        preview.as_of, form.subject, form.figures, preview.repeated, preview.settled, preview.differences,
        preview.refused, preview.is_first,
    )  # fmt: skip
    return {
        "meta": _encode(waiting),
        "view": view,
        "file": zlib.compress(content, 1),
        "looked": zlib.compress(_encode(looked), 1),
        "bad": zlib.compress(bad, 1),
    }


def unpacked(meta: bytes) -> Waiting:
    """Read what a file is."""
    return _decode(meta)


def content_of(part: bytes) -> bytes:
    """Read a part that was compressed; empty where it is gone."""
    return zlib.decompress(part) if part else b""


def looked_of(part: bytes) -> Preview:
    """Read what was found out about a file, as far as its application needs it."""
    found = _decode_looked(zlib.decompress(part))
    form = Form(found.subject, found.figures, lambda each: " at ".join(each.subject))
    return Preview(
        form=form,
        as_of=found.as_of,
        repeated=found.repeated,
        settled=found.settled,
        differences=found.differences,
        refused=found.refused,
        is_first=found.is_first,
    )
