"""The side-by-side table: every peer at every number of connections, in turn, several rounds; and who is right."""

import contextlib
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from bench.harness import pictures
from bench.harness.bars import Bar
from bench.harness.figures import Figure, figure
from bench.harness.load import Result, load
from bench.harness.report import Table, interval
from bench.harness.stock import SPREAD_SKUS
from bench.peers import checks, line_up
from bench.peers.base import MissingError, Peer, needed
from bench.peers.cluster import Cluster
from bench.peers.medusa import Medusa

HOLDFAST, POSTGRES, REDIS, MEDUSA = "Holdfast", "Postgres", "naive Redis", "Medusa"
STATEMENT, PROCEDURE = f"{POSTGRES}, one statement", f"{POSTGRES}, stored procedure"
DELAYED, BATCHED = f"{POSTGRES}, commit_delay", f"{POSTGRES}, batched"
FORMS: Final = {
    POSTGRES: "transaction", STATEMENT: "statement", PROCEDURE: "procedure", DELAYED: "delayed", BATCHED: "batched",
}  # fmt: skip
"""Each form of Postgres as its server calls it."""
PEERS: Final = (HOLDFAST, *FORMS, REDIS, MEDUSA)
HOT_BAR, SPREAD_BAR = 15.0, 4.0
NOT_RUN: Final = "not run"
JUDGED_AT: Final = 32
"""Connections at which the bars are set."""
WARM_UP_S: Final = 1
_SLOW_S: Final = 8
"""Medusa answers some tens of requests a second, so a shorter stretch of load would count a handful."""


class Rival(NamedTuple):
    """One row of the table at each number of connections; ``skus`` is 1 where all want the same."""

    peer: str
    skus: int

    @property
    def title(self) -> str:
        """The peer and how its load is spread."""
        return f"{self.peer}, {self.pattern}"

    @property
    def pattern(self) -> str:
        """How the load is spread, in a word."""
        return "hot" if self.skus == 1 else "spread"


class Found(msgspec.Struct):
    """What came out; ``skipped`` has a line for each peer that could not be had."""

    cells: dict[tuple[int, Rival], list[Result]]
    right: dict[str, checks.Right]
    skipped: list[str]
    versions: dict[str, str]


def rivals(peers: Iterable[str]) -> list[Rival]:
    """List the rows; the slowest come last, as they need a moment to come to rest."""
    return [Rival(peer, skus) for peer in peers for skus in (1, SPREAD_SKUS)]


def steps(connections: list[int], rounds: int) -> int:
    """Return how often ``measure`` reports progress, if no peer is missing."""
    return 2 + rounds * (2 + len(connections) * len(rivals(PEERS))) + len(PEERS)


def measure(
    connections: list[int], seconds: int, rounds: int, report: Callable[[str], None], *, leave_out: Collection[str] = ()
) -> Found:
    """Take the figures. In each round every peer begins anew and empty, but for Medusa, which starts too slowly.

    ``leave_out``: peers that nobody asked for.
    """
    found = Found({}, {}, [], {})
    with contextlib.ExitStack() as stack:
        prepared = starters(stack, found, report, leave_out)
        present = {name: prepared[name] for name in PEERS if name in prepared}
        found.cells = {(number, rival): [] for number in connections for rival in rivals(present)}
        for turn in range(1, rounds + 1):
            report(f"round {turn}: starting the servers")
            with contextlib.ExitStack() as one_round:
                folder = Path(one_round.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-bench-")))
                peers = {name: one_round.enter_context(start(folder)) for name, start in present.items()}
                _one_round(found, peers, connections, seconds, partial(_report_round, report, turn))
                if turn == rounds:
                    for name, peer in peers.items():
                        report(f"{name}: a race for few units, and holds that expire")
                        found.right[name] = checks.check(peer, checks.USUAL)
    return found


def _report_round(report: Callable[[str], None], turn: int, doing: str) -> None:
    report(f"round {turn}: {doing}")


Start = Callable[[Path], contextlib.AbstractContextManager[Peer]]


def starters(
    stack: contextlib.ExitStack, found: Found, report: Callable[[str], None], leave_out: Collection[str]
) -> dict[str, Start]:
    """Prepare what every round needs; who cannot be had is noted, with what to do about it."""
    starters: dict[str, Start] = {HOLDFAST: line_up.holdfast, REDIS: line_up.naive_redis}
    starters = {name: start for name, start in starters.items() if name not in leave_out}
    try:
        report("starting Postgres")
        cluster = stack.enter_context(Cluster())
    except MissingError as missing:
        found.skipped.append(f"Left out: Postgres, and Medusa, which needs it. {missing}")
        return starters
    for name, form in FORMS.items():
        if name in leave_out:
            continue
        found.versions[name] = name.replace(POSTGRES, cluster.version)
        starters[name] = partial(line_up.postgres, cluster=cluster, how=form)
    if MEDUSA in leave_out:
        return starters
    try:
        needed("wrk", "apt-get install wrk")
        report("starting Medusa; the first time npm installs it, which takes minutes")
        medusa = stack.enter_context(Medusa(cluster))
    except MissingError as missing:
        found.skipped.append(f"Left out: Medusa. {missing}")
    else:
        found.versions[MEDUSA] = medusa.title
        starters[MEDUSA] = lambda _: contextlib.nullcontext(medusa)
    return starters


def _one_round(
    found: Found, peers: Mapping[str, Peer], connections: Iterable[int], seconds: int, report: Callable[[str], None]
) -> None:
    report("warming up")
    acknowledged, unread = dict.fromkeys(peers, 0), dict.fromkeys(peers, 0)

    def one_load(name: str, number: int, seconds: int, skus: int) -> Result:
        peer = peers[name]
        result = load(peer.url, number, seconds, skus, peer.target)
        acknowledged[name] += result.succeeded
        unread[name] += number  # at the end of a load the loader hangs up on at most one request of each connection
        peer.settle()
        return result

    before = {name: peer.recorded() for name, peer in peers.items()}
    for name in peers:
        one_load(name, 8, _SLOW_S if name == MEDUSA else WARM_UP_S, SPREAD_SKUS)
    for number in connections:
        for rival in rivals(peers):
            report(f"{rival.title}, {number} connections")
            stretch_s = max(seconds, _SLOW_S, number // 8) if rival.peer == MEDUSA else seconds
            found.cells[number, rival].append(one_load(rival.peer, number, stretch_s, rival.skus))
    for name, peer in peers.items():
        checks.compare_with_records(name, before[name], peer.recorded(), acknowledged[name], unread[name])


# -- the report


def rate(found: Found, number: int, rival: Rival) -> Figure:
    """Requests a second that were a success."""
    return figure(result.rate for result in found.cells[number, rival])


def ahead(found: Found, number: int, rival: Rival) -> Figure:
    """How many times as many requests Holdfast answered under the same load."""
    return rate(found, number, Rival(HOLDFAST, rival.skus)).over(rate(found, number, rival))


def table(found: Found) -> Table:
    """Lay the figures out; the rounds' extremes stand behind the median."""
    made = Table(
        "One unit reserved durably over HTTP, one server process each",
        ["connections", "load", "server", "requests/s", "Holdfast is ahead", "p50 ms", "p99 ms", "failed"],
    )
    cells = found.cells.items()
    for number, skus in dict.fromkeys((number, rival.skus) for (number, rival), _ in sorted(cells, key=_place)):
        for rival in (rival for each, rival in found.cells if (each, rival.skus) == (number, skus)):
            halves, slowest = (
                figure(getattr(result, name) / 1000 for result in found.cells[number, rival])
                for name in ("p50_us", "p99_us")
            )
            made.add(
                str(number),
                rival.pattern,
                found.versions.get(rival.peer, rival.peer),
                interval(rate(found, number, rival), ",.0f"),
                "" if rival.peer == HOLDFAST else f"{ahead(found, number, rival).median:.1f} ×",
                f"{halves.median:,.2f}",
                f"{slowest.median:,.2f}",
                _failed(found.cells[number, rival]),
            )
        for peer in _missing(found):
            made.add(str(number), Rival(peer, skus).pattern, peer, NOT_RUN, "", "", "", "")
        made.end_section()
    return made


def _missing(found: Found) -> list[str]:
    """Name the peers that could not be had."""
    present = {rival.peer for _, rival in found.cells}
    return [peer for peer in PEERS if peer not in present]


def _place(cell: tuple[tuple[int, Rival], object]) -> tuple[int, int]:
    (number, rival), _ = cell
    return number, rival.skus


def _failed(rounds: list[Result]) -> str:
    """Share of the answers that were no success, over all rounds; nothing where there was none."""
    failed = sum(result.failed for result in rounds)
    return f"{failed / sum(result.requests for result in rounds):.0%}" if failed else ""


def right_table(found: Found) -> Table:
    """Lay out whether each is right."""
    made = Table(
        "Correctness: a race for few units, and holds that are never paid for",
        ["server", "units", "asked for", "granted", "oversold", "holds that expired", "units never released"],
    )
    for name in (name for name in PEERS if name in found.right):
        right = found.right[name]
        expired = (
            (f"{right.holds:,}", f"{right.never_released:,}") if right.never_released is not None else ("none can", "–")
        )
        figures = (f"{right.units:,}", f"{right.asked:,}", f"{right.granted:,}", f"{right.oversold:,}")
        made.add(found.versions.get(name, name), *figures, *expired)
    return made


def summary(found: Found) -> Table | None:
    """Lay out what matters most, at the connections at which the bars are set; None if those were not taken."""
    if not any(number == JUDGED_AT for number, _ in found.cells):
        return None
    made = Table(
        f"{JUDGED_AT} connections, requests/s",
        [
            "server",
            "one SKU",
            "Holdfast is ahead",
            "10,000 SKUs",
            "Holdfast is ahead",
            "oversold",
            "units never released",
        ],
    )
    for peer in found.right:
        right, row = found.right[peer], [found.versions.get(peer, peer)]
        for rival in (Rival(peer, 1), Rival(peer, SPREAD_SKUS)):
            times = "" if peer == HOLDFAST else f"{ahead(found, JUDGED_AT, rival).median:.1f} ×"
            row += [f"{rate(found, JUDGED_AT, rival).median:,.0f}", times]
        kept = "holds never expire" if right.never_released is None else f"{right.never_released:,} of {right.holds:,}"
        made.add(*row, f"{right.oversold:,}", kept)
    for peer in _missing(found):
        made.add(peer, NOT_RUN, "", NOT_RUN, "", "", "")
    return made


def picture(found: Found, taken: str) -> pictures.Peers:
    """Return what is drawn: the medians."""
    connections = sorted({number for number, _ in found.cells})

    def medians(skus: int) -> dict[str, list[float]]:
        present = dict.fromkeys(rival.peer for _, rival in found.cells)
        return {
            found.versions.get(peer, peer): [rate(found, number, Rival(peer, skus)).median for number in connections]
            for peer in present
        }

    return pictures.Peers(taken, connections, medians(1), medians(SPREAD_SKUS))


def tables(found: Found) -> Iterator[Table]:
    """Lay all figures out."""
    yield table(found)
    yield right_table(found)


def bars(found: Found) -> Iterator[Bar]:
    """Compare the figures with the bars, as far as they were taken."""
    for skus, limit in ((1, HOT_BAR), (SPREAD_SKUS, SPREAD_BAR)):
        for peer in (POSTGRES, STATEMENT):
            if (JUDGED_AT, rival := Rival(peer, skus)) in found.cells:
                title = f"Holdfast durable against {peer}, {rival.pattern}, {JUDGED_AT} connections: requests/s"
                yield Bar(title, "≥", limit, ahead(found, JUDGED_AT, rival))
    for name, right in found.right.items():
        if name == HOLDFAST:
            yield Bar("Holdfast: units oversold in the race", "≤", 0, Figure([right.oversold]), "units")
            yield Bar("Holdfast: units of expired holds, never released", "≤", 0, _never_released(right), "units")


def _never_released(right: checks.Right) -> Figure:
    return Figure([float(right.never_released or 0)])
