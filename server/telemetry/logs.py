"""Structured logs of the whole process, ours and the libraries', with keys and secrets masked."""

import logging
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from server.telemetry.visible import visible, visible_json

HIDDEN: Final = "***"
DEPTH_MAX: Final = 8
"""Values nested deeper are not shown; this also ends a value that contains itself."""
LIBRARIES: Final = ("aiohttp", "asyncio", "redis", "push_response")
"""Loggers that write their warnings only, unless the level is debug."""

_WHOLE_BYTES: Final = 4_096
"""A pipe takes so much at once: lines of several processes on one stay whole."""
_OF_SEVERAL_LINES: Final = ("exception", "stack")
_SENSITIVE_NAME: Final = r"[\w-]{0,40}(?:secret|passwor[dt]|passwd|token|credential|api[_-]?key)[\w-]{0,40}"
"""Bounded, like the other repeats here: a long text from outside must not take quadratic time."""
_SECRET_KEY: Final = re.compile(rf"{_SENSITIVE_NAME}|[\w-]*(?:authorization|cookie)", re.IGNORECASE)
_TEXT_RULES: Final = (
    # The id of an API key identifies its owner and is no secret: it stays.
    (re.compile(r"(hf_[a-z0-9-]+)_[^\s\"'<>,;)\]}]+", re.IGNORECASE), rf"\1_{HIDDEN}"),
    # Authorization: Bearer x · 'Authorization': 'Basic x' · (b'authorization', b'Bearer x')
    (
        re.compile(
            r"(authorization[\"']?\s*[:=,]\s*+(?:b?[\"'])?+(?:(?:bearer|basic)\s++)?+)(?!hf_[a-z0-9-]+_\*)[^\"'\r\n]+",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\b([Bb]earer|Basic)\s+(?!hf_)[\w.~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    # A store's URL up to its last @: a password pasted unescaped may hold any character.
    (
        re.compile(r"((?:redis|rediss|valkey|valkeys|unix)(?:\+[a-z]+)?://)[^\s\"']{0,512}@", re.IGNORECASE),
        rf"\1{HIDDEN}@",
    ),
    (re.compile(r"([a-z][a-z0-9+.-]{0,20}://)[^\s\"'/?#]*@", re.IGNORECASE), rf"\1{HIDDEN}@"),
    # password=x · "client_secret": "x" · &access_token=x
    (
        re.compile(
            rf"\b({_SENSITIVE_NAME})([\"']?\s*=\s*b?[\"']?|[\"']\s*:\s*b?[\"']?)[^\s\"'&,;)}}\]]+", re.IGNORECASE
        ),
        rf"\1\2{HIDDEN}",
    ),
)
_MAY_HOLD_A_SECRET: Final = re.compile(r"[:=,\s]|hf_", re.IGNORECASE)
"""What each of the rules needs somewhere. Most names and ids have none of it, which is known in a tenth of the time."""


def configure(level: str, fmt: str, stream: TextIO | None = None) -> None:
    """Send every log line of the process to ``stream`` (standard error); may be called again to change it.

    Parameters
    ----------
    level
        debug, info, warning or error: what is less serious is not written.
    fmt
        text: for people. json: one object per line. auto: text where ``stream`` is a terminal, json elsewhere.
    stream
        Where to write.

    Raises
    ------
    ValueError
        ``level`` or ``fmt`` is none of these.

    """
    if level not in {"debug", "info", "warning", "error"}:
        raise ValueError(f"log level {level!r} must be debug, info, warning or error")
    if fmt not in {"auto", "text", "json"}:
        raise ValueError(f"log format {fmt!r} must be auto, text or json")
    stream = sys.stderr if stream is None else stream
    terminal = stream.isatty()
    as_text = fmt == "text" or (fmt == "auto" and terminal)
    threshold = logging.getLevelNamesMapping()[level.upper()]
    _configure_structlog(threshold)
    _configure_stdlib(threshold, _handler(stream, _as_text(colors=terminal) if as_text else _as_json()))
    _together.stream = stream if threshold <= logging.INFO else None
    _together.render = _as_text(colors=terminal) if as_text else None


def write_together(events: Sequence[EventDict]) -> None:
    """Write many events at once, past the machinery of single ones; nothing where the level is above info.

    Each has ``at``, ``level``, ``event`` and ``logger``, and no secret in it: what callers chose went through
    :func:`redact`.
    """
    stream = _together.stream
    if stream is None or not events:
        return
    part: list[str] = []
    length = 0
    for line in map(_together.line, events):
        line_bytes = len(line) if line.isascii() else len(line.encode())
        if length + line_bytes > _WHOLE_BYTES:
            _write(stream, part)
            part, length = [], 0
        part.append(line)
        length += line_bytes
    _write(stream, part)


def _write(stream: TextIO, part: list[str]) -> None:
    with suppress(OSError, ValueError):  # who read the log is gone; requests go on
        stream.write("".join(part))
        stream.flush()


class _Together:
    """How :func:`write_together` writes, as the last :func:`configure` said. ``render`` None: as JSON."""

    def __init__(self) -> None:
        self.stream: TextIO | None = None
        self.render: list[Processor] | None = None

    def line(self, event: EventDict) -> str:
        if self.render is None:
            return visible_json(_encode(event).decode()) + "\n"
        shown: Any = dict(event)
        for processor in self.render:
            shown = processor(None, "info", shown)
        return f"{shown}\n"


_encode: Final = msgspec.json.Encoder().encode
_together: Final = _Together()


def redact(text: str) -> str:
    """Return ``text`` without secrets: API keys keep their id; passwords, tokens and credentials become ``***``."""
    if _MAY_HOLD_A_SECRET.search(text) is None:
        return text
    for pattern, replacement in _TEXT_RULES:
        text = pattern.sub(replacement, text)
    return text


def redact_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask secrets in an event; a structlog processor, to be placed after those that turn exceptions into values."""
    return {key: _redacted(key, value, DEPTH_MAX) for key, value in event.items()}


def _redacted(key: object, value: object, depth: int) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(key, str) and _SECRET_KEY.fullmatch(key):
        return HIDDEN
    if isinstance(value, int | float):
        return value
    return _redacted_text(value) if isinstance(value, str) else _redacted_inside(value, depth)


def _redacted_inside(value: object, depth: int) -> object:
    if depth == 0:
        return "…"
    if isinstance(value, Mapping):
        return {_redacted_text(str(name)): _redacted(name, inner, depth - 1) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(None, inner, depth - 1) for inner in value]
    return _redacted_text(repr(value))


def _redacted_text(text: str) -> str:
    text = redact(text)
    # Bytes of a caller that are not UTF-8 arrive as lone surrogates, which no stream can write.
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def _made_visible(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Show as escapes what a terminal would obey. One entry is one line, but for a traceback."""
    return {
        key: visible(value, keep="\n" if key in _OF_SEVERAL_LINES else "") if isinstance(value, str) else value
        for key, value in event.items()
    }


def _json_made_visible(_logger: WrappedLogger, _method: str, line: Any) -> str:
    """Do the same in JSON, by its own escapes, so that a program reads what was meant."""
    return visible_json(line)


def _essentials_first(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """In JSON, put the fields first that people read first."""
    return {name: event[name] for name in ("at", "level", "event") if name in event} | dict(event)


def _configure_structlog(threshold: int) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_logger_name,
            *_shared_processors(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # so that a second configure() reaches loggers that were used before
    )


def _shared_processors() -> list[Processor]:
    return [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]


def _as_json() -> list[Processor]:
    return [
        structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
        structlog.processors.StackInfoRenderer(),
        redact_event,
        _essentials_first,
        structlog.processors.JSONRenderer(ensure_ascii=False),
        _json_made_visible,
    ]


def _as_text(*, colors: bool) -> list[Processor]:
    return [
        structlog.processors.format_exc_info,
        structlog.processors.StackInfoRenderer(),
        redact_event,
        _made_visible,
        structlog.dev.ConsoleRenderer(
            colors=colors, timestamp_key="at", exception_formatter=structlog.dev.plain_traceback
        ),
    ]


def _handler(stream: TextIO, renderers: list[Processor]) -> logging.Handler:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_shared_processors()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    return handler


def _configure_stdlib(threshold: int, handler: logging.Handler) -> None:
    root = logging.getLogger()
    for former in [former for former in root.handlers if isinstance(former.formatter, type(handler.formatter))]:
        root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(threshold)
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(threshold if threshold == logging.DEBUG else max(threshold, logging.WARNING))
    logging.getLogger("aiohttp.access").setLevel(logging.CRITICAL)  # 30 → 52 µs per request; ours is sampled
    logging.getLogger("aiohttp.server").addFilter(_malformed_in_one_line)  # adding it twice is adding it once


def _malformed_in_one_line(record: logging.LogRecord) -> bool:
    """A request that is not HTTP is the caller's fault: aiohttp would log a traceback for each, at error."""
    error = record.exc_info[1] if record.exc_info else None
    # Looked up only where it is loaded: commands that serve nothing do not import aiohttp, and start in half the time.
    http = sys.modules.get("aiohttp.http_exceptions")
    if http is None or not isinstance(error, http.HttpProcessingError):
        return True
    reason = error.message.partition("\n")[0].rstrip(":")  # the lines after it show the request's bytes
    record.msg, record.args = f"malformed request: {type(error).__name__}: {reason}", None
    record.exc_info = record.exc_text = None
    record.levelno, record.levelname = logging.DEBUG, "DEBUG"
    return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)
