"""What is wrong with a body or a query that was refused: it is read once more, and all its faults are listed.

Nothing here runs for a request that is sound.
"""

import re
from functools import cache
from typing import Any, Final

import msgspec
from multidict import MultiMapping

from server.domain.allowed_values import kinds
from server.domain.field_faults import FAULTS_MAX, Fault, FaultsError, Looks, faults_of
from server.domain.type_words import what_came
from server.schemas.problems import Problem
from server.service.problems import ProblemError, fault_of, invalid
from server.service.text_faults import check_texts

_NUMBER: Final = re.compile(r"\s*[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?\s*")
_SURROGATE: Final = "surrogate"
"""In the words of the JSON library where an escape is half a character."""
_HALF: Final = (
    "has half of a character: an escape \\ud800 to \\udfff without its other half. Send the whole character in UTF-8,"
    " or both halves, as in \\ud83d\\ude00"
)
_MALFORMED: Final = re.compile(r"JSON is malformed: (?P<what>.*) \(byte (?P<at>\d+)\)", re.DOTALL)
_TRUNCATED: Final = "Input data was truncated"
_NOT_UTF_8: Final = "utf-8"
_BEGINNINGS: Final = (
    (b"\xef\xbb\xbf", "it begins with a byte order mark; send UTF-8 without one"),
    (b"\xff\xfe", "it is UTF-16; send UTF-8"),
    (b"\xfe\xff", "it is UTF-16; send UTF-8"),
)
_HINTS: Final = (
    (b"'", "texts and names stand in double quotes"),
    (b"//", "JSON has no comments"),
    (b"/*", "JSON has no comments"),
    (b"#", "JSON has no comments"),
    (b"NaN", "NaN is no number of JSON"),
    (b"Infinity", "Infinity is no number of JSON"),
    (b"-Infinity", "Infinity is no number of JSON"),
    (b"True", "true is written small"),
    (b"False", "false is written small"),
    (b"None", "nothing is written null"),
    (b"\n", "a line break in a text is written \\n"),
    (b"\r", "a line break in a text is written \\n"),
    (b"\t", "a tab in a text is written \\t"),
)
"""What people write where JSON ends, and what to write instead."""


def unreadable_body(raw: bytes, *, is_json: bool, why: str) -> Problem:
    """Make the problem of a body that is not what its media type says; ``why`` in the words of its library."""
    return invalid("body", _why_no_json(raw, why) if is_json else f"is not valid msgpack: {why or 'nested too deeply'}")


def _why_no_json(raw: bytes, why: str) -> str:
    """Say where a body is no JSON, and what to write there."""
    if not raw.strip():
        return "is empty; JSON was expected"
    if _SURROGATE in why.lower():
        return _HALF
    beginning = next((words for mark, words in _BEGINNINGS if raw.startswith(mark)), "")
    at, what = (0, beginning) if beginning else _first_fault(raw, why)
    return f"is not valid JSON{_place(raw, at)}: {what}"


def _first_fault(raw: bytes, why: str) -> tuple[int, str]:
    """Return where a body stops being JSON, and what is wrong there; the place is -1 where it is not known."""
    if why == _TRUNCATED:
        return len(raw), "it was truncated before its end"
    if _NOT_UTF_8 in why.lower():
        return _first_not_utf_8(raw), "bytes that are not UTF-8"
    found = _MALFORMED.fullmatch(why)
    if found is None:
        return -1, why or "nested too deeply"
    at = min(int(found["at"]), len(raw))
    hint = next((f"; {words}" for text, words in _HINTS if raw.startswith(text, at)), "")
    return at, found["what"] + hint


def _place(raw: bytes, at: int) -> str:
    """Name the place of a byte as an editor does: lines and characters from 1."""
    if at < 0:
        return ""
    before = raw[:at]
    column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
    line = before.count(b"\n") + 1
    return f" at line {line}, column {column}"


def _first_not_utf_8(raw: bytes) -> int:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return error.start
    return len(raw)


def faulty_body(
    raw: bytes, wanted: Any, error: msgspec.ValidationError, *, is_json: bool, looks: Looks | None = None
) -> Exception:
    """Return the error of a body that breaks rules, with all of them; of one that is no JSON further on, that.

    ``error`` is the first fault, in the library's words.
    """
    try:
        value = msgspec.json.decode(raw) if is_json else msgspec.msgpack.decode(raw)
        found = faults_of(value, wanted, check=check_texts, looks=looks, whole_floats=True)
    except (msgspec.DecodeError, UnicodeDecodeError) as no_json:
        return ProblemError(unreadable_body(raw, is_json=True, why=str(no_json))) if is_json else error
    except (RecursionError, ValueError):  # what holds too much in each other, or a name that is none
        return error
    return _with_first(error, found, value)


def faulty_query(query: MultiMapping[str], wanted: Any, error: msgspec.ValidationError) -> FaultsError:
    """Return the error of a query that breaks rules, with all of them."""
    return _with_first(error, faults_of(dict(query), wanted, strict=False, check=check_texts))


def repeated(query: MultiMapping[str]) -> FaultsError:
    """Return the error of a query in which names stand more than once."""
    names = [name for name in dict.fromkeys(query) if len(query.getall(name)) > 1]
    return FaultsError([Fault(name, "may stand once in the query") for name in names[:FAULTS_MAX]])


def _with_first(error: msgspec.ValidationError, found: list[Fault], sent: Any = None) -> FaultsError:
    """Put what the library found before the rest, where the second look did not see it."""
    first = fault_of(error)
    is_seen = any(each.field == first.field for each in found) or (found and "[...]" in first.field)
    return FaultsError(found if is_seen else [first, *found], sent)


@cache
def times_of(query_type: Any) -> tuple[str, ...]:
    """Return the names in a query that are times: the library would take a number for one, too."""
    return tuple(
        field.encode_name
        for field in msgspec.structs.fields(query_type)
        if any(isinstance(kind, msgspec.inspect.DateTimeType) for kind in kinds(msgspec.inspect.type_info(field.type)))
    )


def refuse_numbers_for_times(query: MultiMapping[str], query_type: Any) -> None:
    """Refuse a number where a time belongs: seconds and milliseconds look alike.

    Raises
    ------
    FaultsError
        There is one.

    """
    wrong = [name for name in times_of(query_type) if _NUMBER.fullmatch(query.get(name, ""))]
    if wrong:
        words = "must be a time with its zone, such as 2026-12-01T09:30:00Z"
        raise FaultsError([Fault(name, f"{words}, not {what_came(query[name])}") for name in wrong])
