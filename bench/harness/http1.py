"""Cuts HTTP/1.1 messages out of what a connection brings, as little as the bench's own ends need of it.

A complete parser would take more of the machine than what it is there to measure.
"""

import re
from collections.abc import Iterator
from typing import Final

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_END: Final = b"\r\n\r\n"


class Messages:
    """The messages of one direction of a connection. Bodies have a ``Content-Length`` or are empty."""

    def __init__(self) -> None:
        self._received = b""

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Take what has come and give (head, body) of every message that is whole by now."""
        self._received += data
        while (end := self._received.find(_END)) >= 0:
            head = self._received[:end]
            length = _LENGTH.search(head)
            stop = end + len(_END) + (int(length[1]) if length else 0)
            if len(self._received) < stop:
                return
            body, self._received = self._received[end + len(_END) : stop], self._received[stop:]
            yield head, body


def message(first_line: str, body: bytes, *headers: str) -> bytes:
    """Write a message with a JSON body."""
    lines = [first_line, *headers, "Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode("ascii") + _END + body
