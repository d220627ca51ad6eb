"""Requests that two readers may frame differently: what one of them takes for a body is the next request to the other.

Each one may be refused, or be read in one way; what counts is that it is always the same. ``Host: x`` stands where a
caller's own headers go.
"""

from typing import Final

_BODY: Final = b'{"channel":"web","lines":[{"sku":"A","quantity":1}]}'
_HIDDEN: Final = (
    b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 52\r\n\r\n" + _BODY
)
_CHUNKED: Final = b"%x\r\n%b\r\n0\r\n\r\n" % (len(_BODY), _BODY)
_LINE: Final = b"POST /v1/reservations HTTP/1.1"
_GET: Final = b"GET /v1/availability/A HTTP/1.1"


def _post(*headers: bytes, body: bytes = _BODY, line: bytes = _LINE, end: bytes = b"\r\n") -> bytes:
    return end.join([line, b"Host: x", b"Content-Type: application/json", *headers, b"", b""]) + body


def _get(*headers: bytes, line: bytes = _GET, body: bytes = b"", end: bytes = b"\r\n") -> bytes:
    return end.join([line, b"Host: x", *headers, b"", b""]) + body


_LENGTH: Final = b"Content-Length: %d" % len(_BODY)
_CHUNKS: Final = b"Transfer-Encoding: chunked"

SMUGGLED: Final[dict[str, bytes]] = {
    # -- two lengths, or a length and chunks
    "length and chunks": _post(_LENGTH, _CHUNKS, body=_CHUNKED),
    "chunks and length": _post(_CHUNKS, _LENGTH, body=_CHUNKED + _HIDDEN),
    "chunks end, the length goes on": _post(b"Content-Length: 200", _CHUNKS, body=b"0\r\n\r\n" + _HIDDEN),
    "the length ends, chunks go on": _post(b"Content-Length: 4", _CHUNKS, body=_CHUNKED + _HIDDEN),
    "the same length twice": _post(_LENGTH, _LENGTH),
    "two lengths": _post(_LENGTH, b"Content-Length: 4", body=_BODY + _HIDDEN),
    "two lengths, the other way round": _post(b"Content-Length: 4", _LENGTH, body=_BODY + _HIDDEN),
    "lengths in a list": _post(b"Content-Length: 52, 52"),
    "different lengths in a list": _post(b"Content-Length: 52, 4"),
    # -- lengths that are none
    "a sign": _post(b"Content-Length: +52"),
    "a minus": _post(b"Content-Length: -1"),
    "hexadecimal": _post(b"Content-Length: 0x34"),
    "leading zeros": _post(b"Content-Length: 0052"),
    "blanks around": _post(b"Content-Length: \t 52 \t"),
    "a blank within": _post(b"Content-Length: 5 2"),
    "an underscore": _post(b"Content-Length: 5_2"),
    "digits of another script": _post("Content-Length: ٥٢".encode()),
    "an empty length": _post(b"Content-Length:"),
    "a length beyond 64 bits": _post(b"Content-Length: 18446744073709551668"),
    "a fraction": _post(b"Content-Length: 52.0"),
    "a blank before the colon": _post(b"Content-Length : 52"),
    "a vertical tab in the name": _post(b"Content-Length\x0b: 52"),
    "too short": _post(b"Content-Length: 4", body=_BODY + _HIDDEN),
    "a length of zero before a body": _post(b"Content-Length: 0", body=_HIDDEN),
    "no length": _post(body=_HIDDEN),
    "a read with a body": _get(b"Content-Length: 5", body=b"hello" + _HIDDEN),
    "a read with a hidden request for a body": _get(b"Content-Length: %d" % len(_HIDDEN), body=_HIDDEN),
    "a read in chunks": _get(_CHUNKS, body=_CHUNKED + _HIDDEN),
    # -- transfer codings
    "chunked twice": _post(b"Transfer-Encoding: chunked, chunked", body=_CHUNKED),
    "two codings": _post(_CHUNKS, _CHUNKS, body=_CHUNKED),
    "not quite chunked": _post(b"Transfer-Encoding: xchunked", _LENGTH),
    "chunked and more": _post(b"Transfer-Encoding: chunked, identity", body=_CHUNKED),
    "identity": _post(b"Transfer-Encoding: identity", _LENGTH),
    "a tab before chunked": _post(b"Transfer-Encoding:\tchunked", body=_CHUNKED),
    "a vertical tab before chunked": _post(b"Transfer-Encoding: \x0bchunked", body=_CHUNKED),
    "other letters": _post(b"tRANSFER-eNCODING: CHUNKED", body=_CHUNKED),
    "an underscore in the name": _post(b"Transfer_Encoding: chunked", _LENGTH),
    "a blank before its colon": _post(b"Transfer-Encoding : chunked", body=_CHUNKED),
    "a folded coding": _post(b"Transfer-Encoding:\r\n chunked", body=_CHUNKED),
    "a coding behind a zero": _post(b"X: a\x00\r\nTransfer-Encoding: chunked", body=_CHUNKED),
    "a coding behind a bare CR": _post(b"X: a\rTransfer-Encoding: chunked", _LENGTH),
    "a coding behind a bare LF": _post(b"X: a\nTransfer-Encoding: chunked", _LENGTH),
    "a coding in HTTP/1.0": _post(_CHUNKS, line=_LINE[:-1] + b"0", body=_CHUNKED),
    # -- chunks
    "a chunk with an extension": _post(_CHUNKS, body=b"34;x=y\r\n" + _BODY + b"\r\n0\r\n\r\n"),
    "an extension with a bare LF": _post(_CHUNKS, body=b"34;x\n" + _BODY + b"\r\n0\r\n\r\n" + _HIDDEN),
    "a size with 0x": _post(_CHUNKS, body=b"0x34\r\n" + _BODY + b"\r\n0\r\n\r\n"),
    "a size with a sign": _post(_CHUNKS, body=b"+34\r\n" + _BODY + b"\r\n0\r\n\r\n"),
    "a size that overflows": _post(_CHUNKS, body=b"10000000000000034\r\n" + _BODY + b"\r\n0\r\n\r\n"),
    "a size with blanks": _post(_CHUNKS, body=b"34  \r\n" + _BODY + b"\r\n0\r\n\r\n"),
    "chunks with bare LF": _post(_CHUNKS, body=b"34\n" + _BODY + b"\n0\n\n"),
    "no end of a chunk": _post(_CHUNKS, body=b"34\r\n" + _BODY + b"0\r\n\r\n"),
    "a trailer that is a length": _post(_CHUNKS, body=_CHUNKED[:-2] + b"Content-Length: 4\r\n\r\n" + _HIDDEN),
    "a trailer that is a request": _post(_CHUNKS, body=_CHUNKED[:-2] + _HIDDEN),
    "chunks without an end": _post(_CHUNKS, body=_CHUNKED[:-5]),
    # -- lines
    "bare LF": _post(_LENGTH, end=b"\n"),
    "bare CR": _post(_LENGTH, end=b"\r"),
    "CR CR LF": _post(_LENGTH, end=b"\r\r\n"),
    "a read with bare LF": _get(end=b"\n"),
    "a folded header": _post(b"X: a\r\n b", _LENGTH),
    "a folded length": _post(b"Content-Length:\r\n 52"),
    "a first header that is folded": _LINE + b"\r\n X: y\r\nHost: x\r\n\r\n",
    "empty lines before": b"\r\n\r\n" + _post(_LENGTH),
    "a blank before": b" " + _post(_LENGTH),
    "a header without a colon": _post(b"nonsense", _LENGTH),
    "a header without a name": _post(b": value", _LENGTH),
    "a name with a blank": _post(b"X Y: value", _LENGTH),
    "a name with 8 bits": _post(b"X\xff: value", _LENGTH),
    "a value with 8 bits": _post(b"X: \xff", _LENGTH),
    "a value with a zero": _post(b"X: a\x00b", _LENGTH),
    # -- request lines
    "two blanks": _get(line=b"GET  /v1/availability/A HTTP/1.1"),
    "a tab": _get(line=b"GET\t/v1/availability/A HTTP/1.1"),
    "a blank in the path": _get(line=b"GET /v1/availability/A B HTTP/1.1"),
    "a method in small letters": _get(line=b"get /v1/availability/A HTTP/1.1"),
    "no version": _get(line=b"GET /v1/availability/A"),
    "HTTP/1.2": _get(line=b"GET /v1/availability/A HTTP/1.2"),
    "HTTP/1.10": _get(line=b"GET /v1/availability/A HTTP/1.10"),
    "HTTP/2.0": _get(line=b"GET /v1/availability/A HTTP/2.0"),
    "http in small letters": _get(line=b"GET /v1/availability/A http/1.1"),
    "a blank behind": _get(line=_GET + b" "),
    "the whole URL": _get(line=b"GET http://localhost/v1/availability/A HTTP/1.1"),
    "the whole URL of another": _get(line=b"GET http://evil.example/v1/availability/A HTTP/1.1"),
    "the URL of a user": _get(line=b"GET http://a@localhost/v1/availability/A HTTP/1.1"),
    "a host alone": _get(line=b"GET localhost HTTP/1.1"),
    "dots": _get(line=b"GET /v1/x/../availability/A HTTP/1.1"),
    "encoded dots": _get(line=b"GET /v1/x/%2e%2e/availability/A HTTP/1.1"),
    "an encoded slash": _get(line=b"GET /v1%2Favailability/A HTTP/1.1"),
    "a backslash": _get(line=b"GET /v1\\availability\\A HTTP/1.1"),
    "CR and LF, encoded": _get(line=b"GET /v1/availability/A%0d%0aX:%20y HTTP/1.1"),
    "a zero, encoded": _get(line=b"GET /v1/availability/A%00 HTTP/1.1"),
    # -- hosts
    "two hosts": _get(b"Host: evil.example"),
    "no host": _GET + b"\r\n\r\n",
    "an empty host": _GET + b"\r\nHost:\r\n\r\n",
    # -- other protocols
    "an upgrade to a websocket": _get(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"),
    "an upgrade to HTTP/2": _get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AA"),
    "an upgrade with a body": _post(b"Connection: Upgrade", b"Upgrade: websocket", _LENGTH, body=_BODY + _HIDDEN),
    "an upgrade that is not asked for": _post(b"Upgrade: websocket", _LENGTH),
    "an old websocket": _get(b"Sec-WebSocket-Key1: x"),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a tunnel": _get(line=b"CONNECT localhost:443 HTTP/1.1", body=_HIDDEN),
    "an expectation and a short body": _post(b"Expect: 100-continue", b"Content-Length: 4", body=_BODY + _HIDDEN),
    "an expectation of something else": _post(b"Expect: 200-ok", _LENGTH),
    "close, and go on": _post(b"Connection: close", _LENGTH, body=_BODY + _HIDDEN),
    "close and keep alive": _post(b"Connection: close, keep-alive", _LENGTH, body=_BODY + _HIDDEN),
    "a length named as a hop": _post(b"Connection: content-length", _LENGTH),
}
"""By name."""
assert len(_BODY) == 52  # the lengths above say so
