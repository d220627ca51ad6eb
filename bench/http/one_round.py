"""Takes one round of the core's rates and prints them as JSON:  one_round.py PART CONNECTIONS SECONDS.

:mod:`bench.http.before_after` has each of two checkouts run this very text, so it uses only what the bench has always
had, and finds a module by its name alone: releases have it in different folders.
"""

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

Found = Iterator[tuple[str, float]]


def module(name: str, package: str = "bench") -> Any:
    """Import a module of this checkout from whichever folder of a package it is in."""
    places = sorted(Path(package).rglob(f"{name}.py"))
    if len(places) != 1:
        raise ImportError(f"{len(places)} modules in {package}/ are called {name}: {places}")
    return import_module(".".join(places[0].with_suffix("").parts))


def http(connections: list[int], seconds: int) -> Found:
    """Requests a second of each contestant."""
    for (number, each), rounds in module("http_table").measure(connections, seconds, 1, lambda _: None).items():
        yield f"{each.title}, {number} connections", rounds[0].rate


def store(_connections: list[int], _seconds: int) -> Found:
    """Reservations a second inside the store."""
    embedded = module("binary", "server").find_binary()
    for case, rounds in module("store_table").measure(embedded, 1, lambda _: None, quick=True).items():
        name = case if isinstance(case, str) else f"{case.state.title}, {case.pattern}, batches of {case.batch}"
        yield name, sum(rounds) / len(rounds)


PARTS: Final = {"http": http, "store": store}

if __name__ == "__main__":
    part, given, length = sys.argv[1:]
    print(json.dumps(dict(PARTS[part]([int(number) for number in given.split(",")], int(length)))))
