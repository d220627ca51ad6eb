"""What the requests take that the console's screens wait for longest: their time, and the processor's."""

import time
from statistics import median
from typing import Final, NamedTuple

from bench.harness import stock
from bench.harness.black_box import Caller
from bench.harness.neighbours import cpu_s
from bench.http.console_page import WATCHED
from bench.http.console_shop import Shop
from bench.http.finding_fill import Report

TIMES: Final = 200
"""Of each in a round: enough for the kernel's ticks of 10 ms."""
_REST_S: Final = 1.0
PATHS: Final = (
    "/v1/shortages?limit=20",
    f"/v1/stock/{stock.sku(WATCHED)}/channels",
    f"/v1/stock/{stock.sku(WATCHED)}",
)


class Asked(NamedTuple):
    """What a request took, round by round: its median time, and the processor's time of store and server, in ms."""

    path: str
    p50_ms: list[float]
    store_ms: list[float]
    server_ms: list[float]


def measure(shop: Shop, rounds: int, report: Report) -> list[Asked]:
    """Ask each one after the other, many times; what server and store do by themselves is taken off."""
    found = [Asked(path, [], [], []) for path in PATHS]
    pids = shop.holdfast.store_pid, shop.holdfast.pid
    with Caller(shop.url) as caller:
        for path in PATHS:
            caller.call(f"GET {path}", {}, 200)
        for number in range(1, rounds + 1):
            idle = _idle(pids)
            for each in found:
                before, began_s, took_s = [cpu_s(pid) for pid in pids], time.monotonic(), list[float]()
                for _ in range(TIMES):
                    asked_s = time.monotonic()
                    caller.call(f"GET {each.path}", {}, 200)
                    took_s.append(time.monotonic() - asked_s)
                all_s = time.monotonic() - began_s
                store_ms, server_ms = (
                    max(0.0, cpu_s(pid) - was_s - by_itself * all_s) * 1000 / TIMES
                    for pid, was_s, by_itself in zip(pids, before, idle, strict=True)
                )
                each.p50_ms.append(median(took_s) * 1000)
                each.store_ms.append(store_ms)
                each.server_ms.append(server_ms)
                report(f"round {number}, {each.path}: {store_ms:.1f} ms of the store, {server_ms:.1f} ms of the server")
    return found


def _idle(pids: tuple[int, int]) -> list[float]:
    """How much of a core each takes while nobody asks."""
    before, began_s = [cpu_s(pid) for pid in pids], time.monotonic()
    time.sleep(_REST_S)
    return [(cpu_s(pid) - was_s) / (time.monotonic() - began_s) for pid, was_s in zip(pids, before, strict=True)]
