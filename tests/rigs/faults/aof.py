"""Reads an append-only file: which commands stand where, and what belongs together."""

from collections.abc import Iterator
from pathlib import Path

import msgspec


class Span(msgspec.Struct, frozen=True):
    """One command: its words, where each of them begins, and from where to where it reaches."""

    words: list[bytes]
    starts: list[int]
    begin: int
    end: int


def newest(append_only: Path) -> Path:
    """Find the file that is written to."""
    return max(append_only.glob("*.incr.aof"), key=lambda file: int(file.name.split(".")[-3]))


def commands(data: bytes) -> Iterator[Span]:
    """Read the commands one after the other, up to where one is not whole."""
    at = 0
    while at < len(data):
        begin = at
        try:
            count, at = _number(data, at, b"*")
            words, starts = [], []
            for _ in range(count):
                length, at = _number(data, at, b"$")
                words.append(data[at : at + length])
                starts.append(at)
                at += length + 2
        except ValueError:
            return
        if at > len(data):
            return
        yield Span(words, starts, begin, at)


def _number(data: bytes, at: int, mark: bytes) -> tuple[int, int]:
    """Read a mark and the number after it; returns also where the line after it begins."""
    end = data.index(b"\r\n", at)
    if data[at : at + 1] != mark:
        raise ValueError(f"no {mark!r} at {at}: {data[at : at + 40]!r}")
    return int(data[at + 1 : end]), end + 2


def blocks(data: bytes) -> list[list[Span]]:
    """Group the commands into what runs as one: from MULTI to EXEC, or a command by itself. Only whole ones."""
    found: list[list[Span]] = []
    is_open = False
    for span in commands(data):
        name = span.words[0].upper()
        if is_open:
            found[-1].append(span)
        else:
            found.append([span])
        is_open = (is_open or name == b"MULTI") and name != b"EXEC"
    return found[:-1] if is_open else found
