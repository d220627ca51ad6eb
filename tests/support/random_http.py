"""Random HTTP requests as bytes: the hot routes and others, good and bad, and in the pieces in which they are sent.

What is asked follows from the seed alone, so two servers that are sent the same must answer the same.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec

from tests.support.smuggling import SMUGGLED

JSON: Final = "application/json"
MSGPACK: Final = "application/msgpack"
SKUS: Final = ("A", "B", "C", "TS-İ", "a/b", "100%", "few")
PATHS_OF_SKUS: Final = (
    "A", "B", "C", "TS-%C4%B0", "TS-%c4%b0", "TS-İ", "a%2Fb", "a%2fb", "100%25", "few", "%41", "unknown", "a/b", "",
    "A%00", "%FF", "%", "A%2", ".", "..", "%2e%2e", "A;x", "A,B", "A+B", "A%2BB", "a%20b", "A#x", "x" * 300,
    "A~!$&'()*", "query", "nearby",
)  # fmt: skip
QUERIES: Final = (
    "", "?", "?location=main", "?location=izmir", "?location=", "?channel=web", "?locations=false", "?group=none",
    "?location=main&location=main", "?unknown=1", "?location=%C4%B0", "?location=%FF", "?locations=false#x", "?a&b",
)  # fmt: skip
LARGE_BYTES: Final = 70_000
"""More than a body of one reservation may have."""


class Exchange(NamedTuple):
    """What is sent on one connection, in pieces. ``answers``: how many come, 0: it shows when nothing more does.

    ``pause_s`` between the pieces: long where it matters that they do not arrive together. aiohttp drops the requests
    before one that is no HTTP, if it reads all of them at once.
    """

    name: str
    pieces: Sequence[bytes]
    answers: int
    pause_s: float = 0.001


class RandomRequests:
    """Makes requests; ``tokens`` are the keys that callers send, the first one with all scopes."""

    def __init__(self, seed: int, tokens: Sequence[str]) -> None:
        self._random = random.Random(seed)
        self._tokens = tokens

    def exchanges(self) -> Iterator[Exchange]:
        """Make exchanges for ever."""
        while True:
            yield self._random.choices(
                (self._whole, self._split, self._in_bytes, self._in_one_piece, self._overlapping, self._smuggled),
                (60, 12, 1, 12, 8, 3),
            )[0]()

    def plain(self, method: str, path: str, body: object = None) -> bytes:
        """Make a request that is let in, the same each time."""
        raw = b"" if body is None else msgspec.json.encode(body)
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *self._key()]
        if raw:
            lines += [f"Content-Type: {JSON}", f"Content-Length: {len(raw)}"]
        return "\r\n".join([*lines, "", ""]).encode() + raw

    def warm_up(self) -> bytes:
        """Make the first request of a connection, which lets it in and changes nothing."""
        return self.plain("GET", "/v1/locations")

    def reserve(self, name: str) -> bytes:
        """Make a reserve."""
        lines = [{"sku": "A", "quantity": 1}]
        body = {"reservation_id": name, "channel": "web", "ttl_s": 3600, "lines": lines}
        return self.plain("POST", "/v1/reservations", body)

    # -- how it is sent

    def _whole(self) -> Exchange:
        request = self.request()
        return Exchange("whole", [request], _answers(request))

    def _split(self) -> Exchange:
        request = self.request()
        cuts = sorted(self._random.sample(range(1, len(request)), self._random.randint(1, 3)))
        return Exchange("split", _cut(request, cuts), _answers(request))

    def _in_bytes(self) -> Exchange:
        request = self._small(self.hot)
        return Exchange("in bytes", _cut(request, range(1, len(request))), _answers(request))

    def _in_one_piece(self) -> Exchange:
        requests = [self._small(self.request) for _ in range(self._random.randint(2, 5))]
        return Exchange("in one piece", [b"".join(requests)], sum(map(_answers, requests)))

    def _overlapping(self) -> Exchange:
        requests = [self._small(self._lasting) for _ in range(self._random.randint(2, 3))]
        ends = [sum(map(len, requests[: number + 1])) for number in range(len(requests) - 1)]
        cuts = [max(1, end + self._random.randint(-20, 40)) for end in ends]
        return Exchange("overlapping", _cut(b"".join(requests), sorted(set(cuts))), sum(map(_answers, requests)))

    def _smuggled(self) -> Exchange:
        name = self._random.choice(list(SMUGGLED))
        sent = SMUGGLED[name].replace(b"Host: x", self._host_and_key())
        match self._random.randrange(4):
            case 0:
                pieces: Sequence[bytes] = [sent]
            case 1:
                pieces = _cut(sent, [self._random.randrange(1, len(sent))])
            case 2:
                pieces = [self._small(self.hot) + sent]
            case _:
                pieces = [sent + self._small(self.hot)]
        return Exchange(f"smuggled: {name}", pieces, 0, 0.1)

    def _lasting(self) -> bytes:
        """Make a request for a hot route that ends its connection neither by its words nor as no HTTP."""
        while True:
            made = self.hot()
            line = made.partition(b"\r\n")[0]
            if b"Connection: close" not in made and line.isascii() and line.endswith(b"HTTP/1.1"):
                return made

    def _host_and_key(self) -> bytes:
        return "\r\n".join(["Host: localhost", *self._credentials()]).encode()

    def _small(self, make: Callable[[], bytes]) -> bytes:
        """Make a request that fits into one packet, and behind which the next one can stand."""
        while True:
            made = make()
            if len(made) < 4000 and b"Expect" not in made and b"Upgrade" not in made:
                return made

    # -- what is asked

    def request(self) -> bytes:
        """Make a request for a hot route, or seldom for another."""
        return self.hot() if self._chance(0.93) else self._cold()

    def hot(self) -> bytes:
        """Make a request for a route that takes the lane."""
        make = self._random.choices(
            (self._reserve, self._order, self._settle, self._read_one, self._read_many), (35, 10, 25, 20, 10)
        )[0]
        return make()

    def _cold(self) -> bytes:
        choices: tuple[tuple[str, str], ...] = (
            ("GET", "/livez"),
            ("GET", "/nowhere"),
            ("GET", "/v1/availability"),
            ("GET", f"/v1/reservations/{self._id()}"),
            ("DELETE", "/v1/reservations"),
            ("PUT", "/v1/availability/A"),
            ("GET", "http://localhost/v1/availability/A"),
            ("GET", "//v1/availability/A"),
            ("OPTIONS", "*"),
            ("OPTIONS", "/v1/reservations"),
            ("post", "/v1/reservations"),
        )
        method, path = self._random.choice(choices)
        return self._request(method, path, None, self._credentials())

    def _reserve(self) -> bytes:
        body = {"reservation_id": self._id(), "channel": "web", "ttl_s": 3600, "lines": self._lines()}
        return self._posted(self._path("/v1/reservations"), self._spoiled(body))

    def _order(self) -> bytes:
        body = {"reservation_id": self._id(), "channel": "web", "lines": self._lines()}
        return self._posted(self._path("/v1/orders"), self._spoiled(body))

    def _settle(self) -> bytes:
        name = self._random.choice(("commit", "release"))
        target = self._random.choice((self._id(), self._id(), "o%2D1", "unknown", "x" * 200, "%C4%B0", "a%2Fb"))
        body: dict[str, object] = {}
        if self._chance(0.3):
            body["lines"] = [{"line": self._random.randint(1, 3), "quantity": self._random.randint(0, 2)}]
        return self._posted(self._path(f"/v1/reservations/{target}/{name}"), self._spoiled(body))

    def _read_one(self) -> bytes:
        path = f"/v1/availability/{self._random.choice(PATHS_OF_SKUS)}"
        if self._chance(0.3):
            path += self._random.choice(QUERIES)
        return self._request("GET", path, None, [*self._credentials(), *self._odd_headers()])

    def _read_many(self) -> bytes:
        names = (*SKUS, "unknown", "", 1)
        body: dict[str, object] = {"skus": [self._random.choice(names) for _ in range(self._random.randint(0, 5))]}
        if self._chance(0.2):
            body[self._random.choice(("location", "channel", "group", "keys", "locations"))] = self._random.choice(
                ("main", "web", ["x"], False, None)
            )
        return self._posted("/v1/availability/query", self._spoiled(body))

    def _lines(self) -> list[object]:
        return [
            {
                "sku": self._random.choice((*SKUS, "few", "unknown")),
                "quantity": self._random.choice((1, 1, 2, 3, 0, -1, 10**9)),
                **({"location": self._random.choice(("main", "izmir", ""))} if self._chance(0.2) else {}),
            }
            for _ in range(self._random.choice((1, 1, 1, 2, 3, 0)))
        ]

    def _spoiled(self, sound: Mapping[str, object]) -> dict[str, object]:
        """Break a body now and then, or leave something out that need not be there."""
        body = dict(sound)
        if self._chance(0.2):
            field = self._random.choice(("reservation_id", "channel", "ttl_s", "lines", "policy", "order_ref", "extra"))
            wrong: tuple[object, ...] = (None, "", 0, -1, [], {}, "x" * 300, "partial", "é", 1.5, True)
            body[field] = self._random.choice(wrong)
        if self._chance(0.15):
            body.pop("reservation_id", None)
        return body

    def _id(self) -> str:
        return f"o-{self._random.randint(1, 200)}"

    def _path(self, path: str) -> str:
        if self._chance(0.95):
            return path
        return self._random.choice(
            (path + "?x=1", path + "/", path.replace("v1", "%761"), path.upper(), path + "#x", path + "?", "/" + path)
        )

    # -- how it is written

    def _posted(self, path: str, body: object) -> bytes:
        packed = self._chance(0.3)
        raw = msgspec.msgpack.encode(body) if packed else msgspec.json.encode(body)
        if self._chance(0.08):
            raw = self._random.choice(
                (b"", b"{", raw[:-1], raw + b" ", b"\xff" + raw, b"[]", b"null", b'{"channel":"\\ud800"}',
                 b"[" * 5000, raw + b" " * LARGE_BYTES, b'{"lines":' + b"[" * 200)
            )  # fmt: skip
        media = MSGPACK if packed else JSON
        if self._chance(0.06):
            media = self._random.choice(
                ("text/plain", "", "application/json; charset=utf-8", "application/json; charset=latin-1", MSGPACK,
                 JSON, "APPLICATION/JSON", "application/x-msgpack", " application/json ", "application/json;;")
            )  # fmt: skip
        headers = [f"Content-Type: {media}"] if media else []
        if self._chance(0.3):
            headers.append(
                f"Idempotency-Key: {self._random.choice(('k-1', 'k-2', f'k-{self._id()}', 'x' * 129, 'é', ''))}"
            )
        if self._chance(0.02):
            headers += ["Idempotency-Key: twice", "idempotency-key: twice"]
        return self._request("POST", path, raw, [*self._credentials(), *headers, *self._odd_headers()])

    def _credentials(self) -> list[str]:
        if not self._tokens or self._chance(0.97):
            return self._key()
        others = [f"Authorization: Bearer {token}" for token in self._tokens[1:]]
        wrong = ["Authorization: Bearer hf_x_y", "Authorization: Basic eA==", "Authorization:", "X-Nothing: 1"]
        return [self._random.choice([*others, *wrong])]

    def _key(self) -> list[str]:
        return [f"Authorization: Bearer {token}" for token in self._tokens[:1]]

    def _odd_headers(self) -> list[str]:
        if self._chance(0.75):
            return []
        return self._random.sample(
            ["Accept: */*", f"Accept: {MSGPACK}", f"Accept: {JSON}", "Accept: text/html", "Accept-Encoding: gzip",
             "Connection: keep-alive", "Connection: close", "Connection: Upgrade", "Expect: 100-continue",
             "Expect: else", "Content-Encoding: identity", "Content-Encoding: gzip", "If-None-Match: *",
             'If-None-Match: W/"1-1"', "User-Agent: test", "X-Forwarded-For: 203.0.113.9", "Origin: https://evil.example",
             "Sec-Fetch-Site: cross-site", "Via: 1.1 cache", "Cookie: a=b", "TE: trailers", "Upgrade: h2c",
             "X-Request-Id: of-the-caller", "X-Request-Id: no id", "X-Request-Id: " + "x" * 129, "X-Request-Id:",
             "X-Long: " + "x" * 3000, "X-Empty:", "X-Spaces:   a  b  ", "Range: bytes=0-1"],
            self._random.randint(1, 3),
        )  # fmt: skip

    def _request(self, method: str, path: str, body: bytes | None, headers: list[str]) -> bytes:
        version = "HTTP/1.1" if self._chance(0.98) else "HTTP/1.0"
        host = (
            "Host: localhost"
            if self._chance(0.98)
            else self._random.choice(("Host: evil.example", "Host: 127.0.0.1:1"))
        )
        lines = [host, *headers]
        if body is not None and self._chance(0.05):
            size = self._random.randint(1, max(1, len(body)))
            chunks = [body[at : at + size] for at in range(0, len(body), size)]
            body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
            lines.append("Transfer-Encoding: chunked")
        elif body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self._random.shuffle(lines)
        return "\r\n".join([f"{method} {path} {version}", *lines, "", ""]).encode() + (body or b"")

    def _chance(self, part: float) -> bool:
        return self._random.random() < part


def _cut(sent: bytes, cuts: Sequence[int]) -> list[bytes]:
    edges = [0, *(cut for cut in cuts if cut < len(sent)), len(sent)]
    return [sent[start:end] for start, end in pairwise(edges) if start < end]


def _answers(request: bytes) -> int:
    """How many answers a request gets: one more where it waits to be told to go on."""
    return 2 if b"\r\nExpect: 100-continue\r\n" in request else 1
