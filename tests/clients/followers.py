"""Somebody who follows what changes, with a client: what it knows, and why it ended."""

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import holdfast
from tests.clients.node import HERE, node
from tests.clients.sides import MODES, python_client
from tests.support.stores import wait_until

KINDS: Final = (*MODES, "js")
END: Final = "the end"
WITHIN_S: Final = 40.0
PATIENT: Final = holdfast.Policy(pause_s=0.02, pause_max_s=0.2)


class Follower:
    """What is known so far: the newest value by SKU, and the place where to go on."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        self.position = ""
        self.snapshot_values = 0
        self.ended = ""
        self.opened = 0
        self.is_over = False

    def take(self, sku: str, available: int, position: str, is_snapshot: bool) -> None:
        self.is_over = sku == END and not is_snapshot
        self.known[sku] = available
        self.position = position or self.position
        self.snapshot_values += is_snapshot

    def wait_for(self, wanted: dict[str, int]) -> None:
        wait_until(lambda: wanted.items() <= self.known.items(), f"{wanted} is known", WITHIN_S)

    def wait_open(self) -> None:
        wait_until(lambda: self.opened > 0, "the stream is open", WITHIN_S)

    def wait_end(self) -> None:
        wait_until(lambda: self.ended != "", "the stream has ended", WITHIN_S)


@contextmanager
def following(kind: str, url: str, method: str, after: str = "", *, ends: Callable[[], None]) -> Iterator[Follower]:
    """Follow with a client until the end of the block; ``ends`` counts the SKU :data:`END`, which ends it."""
    follower = Follower()
    thread = threading.Thread(target=_follow, args=(kind, follower, url, method, after), name=f"follower {kind}")
    thread.start()
    try:
        yield follower
    finally:
        if not follower.ended:
            ends()
        thread.join(WITHIN_S)
        assert not thread.is_alive(), "the follower has not ended"


def _follow(kind: str, follower: Follower, url: str, method: str, after: str) -> None:
    (_follow_in_node if kind == "js" else _follow_in_python)(kind, follower, url, method, after)


def _follow_in_node(_: str, follower: Follower, url: str, method: str, after: str) -> None:
    words = [node(), str(HERE / "follow.mjs"), url, "", method, after]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert process.stdout is not None
        for line in process.stdout:
            came = json.loads(line)
            if "state" in came:
                follower.opened += came["state"] == "open"
            elif "ended" in came:
                follower.ended = came["ended"]
            else:
                follower.take(came["view"]["sku"], came["view"]["available"], came["position"], came["isSnapshot"])
            if follower.is_over:
                process.kill()
                return


def _follow_in_python(kind: str, follower: Follower, url: str, method: str, after: str) -> None:
    def observe(one: holdfast.Try) -> None:
        follower.opened += one.status == 200 and one.call.path.startswith("/v1/changes")

    with python_client(kind, url, policy=PATIENT, observe=observe) as client:
        try:
            with getattr(client.changes, method)(after) as changes:
                for change in changes:
                    follower.take(change.view.sku, change.view.available, change.position, change.is_snapshot)
                    if follower.is_over:
                        return
        except holdfast.HoldfastError as error:
            follower.ended = type(error).__name__
