"""Files as merchants have them: looked at, and applied by the token that the look has answered with."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import msgspec
from aiohttp import web

from server.api.http.answer import Answer
from server.api.http.file_target import file_target
from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.api.http.wire import response_of
from server.domain.limits import FILE_BYTES_MAX, FILE_COLUMNS_MAX, FILE_ROWS_MAX, REFERENCE_BYTES_MAX
from server.domain.principal import Scope
from server.domain.sudden_changes import ChangeRules
from server.files.applying import Looked, apply, look
from server.files.file_import import FileImport, ImportStoppedError, ReadFile, Tally, Target
from server.files.file_kinds import KINDS, Kind, Wanted
from server.files.file_views import applied_view, looked_view
from server.files.preview import concerns_of
from server.files.reader import FileError, Reading
from server.files.returned_rows import returned_rows
from server.files.sheet import open_file
from server.files.turns import yielding
from server.files.waiting import Waiting, content_of, looked_of, packed, unpacked
from server.files.wording import fitting, named_columns, pieces_of
from server.schemas.common import time_ms_of, time_of
from server.schemas.files import FileQuery, FileView
from server.schemas.problems import Problem
from server.service.checks import InvalidError, check_location
from server.service.problems import ProblemError, problem
from server.store.repositories.file_columns import read_columns
from server.store.repositories.waiting_files import NoRoomError, WaitingFiles
from server.telemetry.visible import visible

_TOKEN_BYTES: Final = 24
_SILENT_MS: Final = 30_000
"""A file that is applied says that often at least how far it is; one that says nothing may be applied again."""
_SAY_S: Final = 1.0
_UNPACKED_BYTES_MAX: Final = 6 * FILE_BYTES_MAX
"""Of a workbook: some 200,000 rows of ten columns. Its cells take five times as much memory."""
_NAME_MAX: Final = 200
"""Characters of the name of a file."""
_TOLD: Final = 5
"""Concerns in the words of a refusal."""
_APPLIED: Final = ("file", "looked", "view")
"""Parts of a file that wait for its application alone."""
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(FileView).decode


class _Asked(NamedTuple):
    """Who asks, for which kind of file, and what keeps the files that wait."""

    name: str
    kind: Kind
    target: Target
    waiting: WaitingFiles

    @property
    def partition(self) -> str:
        """Where it goes."""
        return self.target.partition

    def reason(self, file: str) -> str:
        """Return what the journal keeps; a row of movements that has a reason of its own keeps that."""
        return fitting(f"{self.name} {file}", REFERENCE_BYTES_MAX // 2)


def _asked(call: Call) -> _Asked:
    """Find the kind of file that is asked for.

    Raises
    ------
    InvalidError
        There is no such kind.
    ProblemError
        The key may not change what it changes.

    """
    name, caller = call.named("kind"), call.caller
    kind = KINDS.get(name)
    if kind is None:
        raise InvalidError("kind", f"must be one of {', '.join(KINDS)}")
    if not caller.principal.allows(kind.scope):
        raise ProblemError(problem("forbidden", f"This kind of file needs a key with the scope {kind.scope}."))
    return _Asked(
        name, kind, file_target(call.state, call.caller), WaitingFiles(call.state.client, caller.partition.keyspace)
    )


async def send(call: Call) -> FileView | Problem:
    """Look at a file: what it would change, what is of concern, and a token that applies it. Or apply it at once."""
    query: FileQuery = call.query(FileQuery)
    asked = _asked(call)
    files, partition = call.state.files, asked.partition
    async with files.received(call.request, partition) as upload, files.turn(partition):
        wanted = _wanted(query, upload.name, asked.name)
        kind = asked.kind.make(asked.reason(wanted.file), wanted)
        try:
            return await _looked_at(asked, kind, wanted, upload.content, query)
        except (FileError, ImportStoppedError) as error:
            return problem("file_refused", str(error))
        except NoRoomError:
            return problem("overloaded", "Too many files wait here. Apply some, or wait until they are gone.")


def _wanted(query: FileQuery, name: str, kind: str) -> Wanted:
    if kind == "listings" and query.channel is None:
        raise InvalidError("channel", "must name the channel that lists them")
    if query.baseline_seq is not None and query.counted_at is not None:
        raise InvalidError("counted_at", "may not stand beside baseline_seq: each says as of when the count holds")
    if query.again and not query.dry_run:
        raise InvalidError("again", "must go with dry_run: apply the file by its token, so that a repeat has no effect")
    return Wanted(
        file=visible((name or query.name)[:_NAME_MAX]),
        channel=query.channel or "",
        location=check_location("location", query.location),
        baseline_seq=-1 if query.baseline_seq is None else query.baseline_seq,
        counted_ms=-1 if query.counted_at is None else time_ms_of(query.counted_at),
        allow_similar=query.allow_similar,
        salt=secrets.token_hex(8) if query.again else "",
    )


async def _looked_at(
    asked: _Asked, kind: FileImport[Any], wanted: Wanted, content: bytes, query: FileQuery
) -> FileView | Problem:
    reading = await _reading(asked, kind, query)
    file = await _read(kind, content, reading)
    origin = asked.kind.origin(asked.name, wanted)
    preview = await look(kind, asked.target, file, Tally(), origin=origin)
    bad = sorted([*file.bad, *preview.refused])
    rules = ChangeRules(factor=query.factor, share=query.to_zero / 100)
    concerns = await asyncio.to_thread(concerns_of, preview, rules, names_are_meant=query.allow_similar)
    view = await asyncio.to_thread(looked_view, asked.name, wanted.file, file, preview, bad, concerns)
    if query.dry_run:
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        meta = Waiting(asked.name, asked.target.actor, wanted, reading)
        rows = await asyncio.to_thread(returned_rows, file, bad, "csv")
        parts = await asyncio.to_thread(packed, meta, content, preview, rows, _encode(view))
        until_ms = await asked.waiting.add(token, asked.target.actor, parts)
        return msgspec.structs.replace(view, token=token, expires_at=time_of(until_ms))
    if concerns and not query.yes:
        return problem("file_needs_yes", "; ".join(each.detail for each in concerns[:_TOLD]))
    return await _applied(asked, kind, wanted, file, Looked(preview), Tally(), view)


async def _reading(asked: _Asked, kind: FileImport[Any], query: FileQuery) -> Reading:
    """Return how a file is to be read: as was said of it, and of earlier ones of its kind."""
    remembered = await read_columns(asked.waiting.client, asked.target.keyspace, kind.name)
    return Reading(
        encoding=query.encoding,
        sheet=query.sheet,
        columns=_columns(query.columns),
        ignored=tuple(pieces_of(query.ignore_columns)),
        remembered=remembered,
        decimal=query.decimal,
        negative_is_zero=query.negative == "zero",
        as_written=query.as_written,
    )


def _columns(said: str) -> dict[str, str]:
    try:
        return named_columns(pieces_of(said))
    except ValueError:
        raise InvalidError("columns", "must be column=heading, such as sku=Stok Kodu") from None


async def _read(kind: FileImport[Any], content: bytes, reading: Reading) -> ReadFile[Any]:
    """Read a file beside the event loop.

    Raises
    ------
    FileError
        It cannot be read, or has more than is taken here.

    """

    def read() -> ReadFile[Any]:
        return yielding(kind).read(open_file(content, reading, unpacked_bytes_max=_UNPACKED_BYTES_MAX), reading)

    file = await asyncio.to_thread(read)
    if file.rows_total > FILE_ROWS_MAX or len(file.other_columns) > FILE_COLUMNS_MAX:
        most = f"{FILE_ROWS_MAX:,} rows and {FILE_COLUMNS_MAX} columns beside those that are known"
        raise FileError(f"It may have at most {most}. Cut it into several, or remove columns.")
    return file


async def _applied(  # noqa: PLR0917  # all that was found out
    asked: _Asked, kind: FileImport[Any], wanted: Wanted, file: ReadFile[Any], looked: Looked, tally: Tally,
    view: FileView,
) -> FileView:  # fmt: skip
    await asked.target.store.register(asked.partition)
    origin = asked.kind.origin(asked.name, wanted)
    import_id = await apply(kind, asked.target, file, looked, tally, origin=origin)
    return await asyncio.to_thread(applied_view, view, looked.preview, file, tally, import_id)


async def apply_token(call: Call) -> Answer[FileView] | Problem:
    """Apply a file that was looked at. What was counted or changed since stays, and its rows come back as bad."""
    asked, token = _asked(call), call.named("token")
    said = await _said(asked, token)
    if said is not None:
        return said
    try:
        async with call.state.files.turn(asked.partition):
            if not await asked.waiting.claim(token, secrets.token_hex(8)):
                said = await _said(asked, token)  # while this waited for its turn
                if said is not None:
                    return said
            async with _saying(asked, token) as tally:
                done = await _of_token(asked, token, tally)
            await asked.waiting.finish(token, _encode(done), _APPLIED)
            return Answer(done)
    except (FileError, ImportStoppedError) as error:
        return problem("file_refused", str(error))


async def _said(asked: _Asked, token: str) -> Answer[FileView] | Problem | None:
    """Return what there is to say of a file without applying it; None: it can be applied now."""
    known = await _known(asked, token)
    if known is None:
        return problem("unknown_file")
    if known["result"]:
        return Answer(_decode(known["result"]), "replayed")
    is_applied = known["by"] and await asked.waiting.now_ms() - int(known["seen_ms"] or 0) < _SILENT_MS
    return problem("file_in_use") if is_applied else None


async def _of_token(asked: _Asked, token: str, tally: Tally) -> FileView:
    said, content, found, shown = [await asked.waiting.part(token, name) for name in ("meta", *_APPLIED)]
    if not said or not content or not found or not shown:
        raise ProblemError(problem("unknown_file"))
    meta = unpacked(said)
    wanted = meta.wanted
    kind = asked.kind.make(asked.reason(wanted.file), wanted)
    file = await _read(kind, await asyncio.to_thread(content_of, content), meta.reading)
    preview = await asyncio.to_thread(looked_of, found)
    view = _decode(shown)
    return await _applied(asked, kind, wanted, file, Looked(preview, is_fresh=False), tally, view)


@asynccontextmanager
async def _saying(asked: _Asked, token: str) -> AsyncIterator[Tally]:
    """Say every second how far an application is; where it ends before it is through, it may be begun again at once."""
    tally = Tally()

    async def say() -> None:
        while True:
            await asked.waiting.note(token, done=tally.done, seen_ms=await asked.waiting.now_ms())
            await asyncio.sleep(_SAY_S)

    saying = asyncio.create_task(say())
    try:
        yield tally
    except BaseException:
        saying.cancel()
        await asyncio.shield(asked.waiting.note(token, done=tally.done, seen_ms=0))
        raise
    finally:
        saying.cancel()
        await asyncio.gather(saying, return_exceptions=True)  # what it says last must not come behind the result


async def read(call: Call) -> FileView | Problem:
    """Read how far a file is: what it would change, how many rows are applied, or what came of it."""
    asked, token = _asked(call), call.named("token")
    known = await _known(asked, token)
    if known is None:
        return problem("unknown_file")
    if known["result"]:
        return _decode(known["result"])
    shown = await asked.waiting.part(token, "view")
    if not shown:
        return problem("unknown_file")
    state = "applying" if known["by"] else "waiting"
    return msgspec.structs.replace(_decode(shown), state=state, done=int(known["done"] or 0))


async def read_bad(call: Call) -> web.Response | Problem:
    """Read the rows of a file that were bad when it was looked at, as a file."""
    asked, token = _asked(call), call.named("token")
    known = await _known(asked, token)
    part = b"" if known is None else await asked.waiting.part(token, "bad")
    if not part:
        return problem("unknown_file")
    body = await asyncio.to_thread(content_of, part)
    headers = {"Content-Disposition": 'attachment; filename="bad-rows.csv"', "X-Content-Type-Options": "nosniff"}
    return response_of(200, body, {"Content-Type": "text/csv", **headers})


async def _known(asked: _Asked, token: str) -> dict[str, bytes] | None:
    """Read what is noted of a token, if it is one of this key and of this kind of file."""
    found = await asked.waiting.state(token, ("meta:0", "by", "done", "seen_ms", "result"))
    if not found or not found["meta:0"]:
        return None
    waiting = unpacked(found["meta:0"])
    return found if (waiting.kind, waiting.actor) == (asked.name, asked.target.actor) else None


_SENT: Final = (
    *("head_too_large", "invalid", "too_large", "unsupported_media_type", "request_timeout"),
    *("file_refused", "file_needs_yes"),
)
_PATH: Final = "/v1/files/{kind}"
_ONE: Final = _PATH + "/{token}"

ROUTES = [
    Route(
        "POST", _PATH, send, Scope.STOCK, "Look at a file, or apply it", {200: FileView}, query=FileQuery,
        takes_file=True, outcomes=_SENT, share=Share.BULK,
    ),
    Route(
        "POST", _ONE, apply_token, Scope.STOCK, "Apply a file that was looked at", {200: FileView},
        outcomes=("invalid", "unknown_file", "file_in_use", "file_refused"), share=Share.BULK,
    ),
    Route(
        "GET", _ONE, read, Scope.STOCK, "Read how far a file is", {200: FileView},
        outcomes=("invalid", "unknown_file"),
    ),
    Route(
        "GET", _ONE + "/bad", read_bad, Scope.STOCK, "Read the bad rows of a file, as a file", {200: None},
        outcomes=("invalid", "unknown_file"), answers_file="text/csv",
    ),
]  # fmt: skip
