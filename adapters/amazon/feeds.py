"""Feeds of Amazon: many values in one document, which is worked off later, and its report by numbers of messages."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2s
from typing import Any, Final

import msgspec

from adapters.amazon.account import FEEDS, Options, Session, checked, fault_of
from adapters.contract.errors import SpoiledError, TicketLostError, UnavailableError, UnknownResultError
from adapters.contract.http import READ, Answer, Exchange, Request, check_status, excerpt, json_as
from adapters.contract.stock import Applied, Outcomes, Rejected, StillPending, Ticket

PATH: Final = "/feeds/2021-06-30"
TYPE: Final = "JSON_LISTINGS_FEED"
CONTENT_TYPE: Final = "application/json; charset=UTF-8"
REPORT_BYTES_MAX: Final = 16 * 1024 * 1024
_ENDED: Final = frozenset({"DONE", "FATAL", "CANCELLED"})
_OK: Final = 200
_NOT_FOUND: Final = 404
_GZIP: Final = 31


class Document(msgspec.Struct, rename="camel"):
    """Where a document is put, or read."""

    url: str
    feed_document_id: str = ""
    compression_algorithm: str | None = None


class Feed(msgspec.Struct, rename="camel"):
    """How far a feed is."""

    feed_id: str = ""
    processing_status: str = ""
    result_feed_document_id: str | None = None


class Issue(msgspec.Struct, rename="camel"):
    """What is wrong with a message, or with all."""

    message_id: int | None = None
    code: str | None = None
    severity: str | None = None
    message: str | None = None


class Report(msgspec.Struct):
    """The report of a feed: what is not named in it went well."""

    issues: list[Issue] = []


def message_id(key: str) -> int:
    """Number a message by its SKU, so that the report can be read by whoever asks for it."""
    return 1 + int.from_bytes(blake2s(key.encode(), digest_size=4).digest()) // 2


def send(session: Session, options: Options, messages: Sequence[Mapping[str, Any]]) -> Exchange[Ticket]:
    """Send a feed: a document, and the request to work it off."""
    answer = yield session.send("POST", f"{PATH}/documents", {"contentType": CONTENT_TYPE}, group=FEEDS)
    document = json_as(Document, _taken(answer))
    content = {
        "header": {"sellerId": options.seller_id, "version": "2.0", "issueLocale": "en_US"},
        "messages": messages,
    }
    # The address is a secret of its own, and gets no token.
    put = Request("PUT", document.url, {"Content-Type": CONTENT_TYPE}, msgspec.json.encode(content), group=READ)
    try:
        answer = yield put
        check_status(answer)
    except UnknownResultError as error:  # a document alone changes nothing
        raise UnavailableError(f"the document did not arrive: {error.reason}", error.after_s) from None
    if answer.status != _OK:
        raise UnavailableError(f"the document was not taken: HTTP {answer.status}")
    asked = {
        "feedType": TYPE,
        "marketplaceIds": [options.marketplace_id],
        "inputFeedDocumentId": document.feed_document_id,
    }
    answer = yield session.send("POST", f"{PATH}/feeds", asked, group=FEEDS)
    feed = json_as(Feed, _taken(answer))
    if not feed.feed_id:
        raise UnknownResultError("a feed without its id")
    return Ticket(feed.feed_id)


def _taken(answer: Answer) -> Answer:
    checked(answer)
    if answer.status >= 300:  # noqa: PLR2004  # refused
        raise SpoiledError(*fault_of(answer))
    return answer


def poll(session: Session, ticket_id: str, keys: Sequence[str]) -> Exchange[Outcomes | StillPending]:
    """Ask what became of a feed."""
    answer = yield session.get(f"{PATH}/feeds/{ticket_id}")
    if answer.status == _NOT_FOUND:
        raise TicketLostError(f"HTTP {answer.status}: {excerpt(answer.body)}")
    feed = json_as(Feed, _read(answer))
    status = feed.processing_status.upper()
    if status not in _ENDED:
        return StillPending()
    if status == "CANCELLED":
        raise TicketLostError("the feed was cancelled")
    report = Report()
    if feed.result_feed_document_id:
        report = yield from _report(session, feed.result_feed_document_id)
    if status == "FATAL":
        raise SpoiledError("fatal", _words(report.issues) or "the feed failed, and no row of it is named")
    return _outcomes(report, keys)


def _report(session: Session, document_id: str) -> Exchange[Report]:
    document = json_as(Document, _read((yield session.get(f"{PATH}/documents/{document_id}"))))
    answer = yield Request("GET", document.url, group=READ)
    check_status(answer)
    if answer.status != _OK:
        raise UnavailableError(f"the report cannot be read: HTTP {answer.status}")
    content = answer.body
    if document.compression_algorithm == "GZIP":
        reader = zlib.decompressobj(_GZIP)
        try:
            content = reader.decompress(content, REPORT_BYTES_MAX)
        except zlib.error:
            raise UnavailableError("the report cannot be decompressed") from None
    return json_as(Report, Answer(_OK, {}, content))


def _read(answer: Answer) -> Answer:
    checked(answer)
    if answer.status != _OK:
        raise UnavailableError(f"HTTP {answer.status}: {excerpt(answer.body)}")
    return answer


def _outcomes(report: Report, keys: Sequence[str]) -> Outcomes:
    errors = [each for each in report.issues if (each.severity or "ERROR").upper() == "ERROR"]
    by_id = {message_id(key): key for key in keys}
    if any(each.message_id not in by_id for each in errors):
        # It may be about any of them: what is not named counts as unknown, and is sent again.
        return {key: _rejected(errors, key) for key in keys if _of(errors, key)}
    return {key: _rejected(errors, key) if _of(errors, key) else Applied() for key in keys}


def _of(errors: Iterable[Issue], key: str) -> list[Issue]:
    return [each for each in errors if each.message_id == message_id(key)]


def _rejected(errors: Iterable[Issue], key: str) -> Rejected:
    found = _of(errors, key)
    return Rejected(found[0].code or "failed", _words(found) or "no reason was given")


def _words(issues: Iterable[Issue]) -> str:
    return "; ".join(filter(None, (each.message for each in issues)))
