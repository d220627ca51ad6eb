"""Holds what was found against what must be there."""

from dataclasses import dataclass, field
from typing import Any, Final

from tests.rigs.rolling_upgrade.expected import UNITS, State

_MORE_MEANS_TWICE: Final = ("quantity", "fulfilled", "returned", "received", "lost")
"""Units of a line that only grow: more of them than were acknowledged were counted twice."""


@dataclass
class Findings:
    """What does not add up; empty lists are what is wanted.

    ``lost``: acknowledged, and not there or not so. ``double``: there, and never acknowledged. ``miscounted``: a bucket
    of the stock, or a figure of the report, that is not the sum of what was acknowledged.
    """

    lost: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)
    miscounted: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.lost or self.double or self.miscounted)


def check(wanted: State, found: State, reader: str = "") -> Findings:
    """Compare; ``reader`` names who read it back."""
    findings = Findings()
    _reservations(findings, wanted, found, reader)
    _transfers(findings, wanted, found, reader)
    _supplies(findings, wanted, found, reader)
    _stock(findings, wanted, found, reader)
    for name, units in wanted.figures.items():
        if found.figures.get(name, 0) != units:
            found_units = found.figures.get(name, 0)
            message = f"{reader}: the report has {found_units} units {name}, all that was acknowledged makes {units}"
            findings.miscounted.append(message)
    return findings


def _reservations(findings: Findings, wanted: State, found: State, reader: str) -> None:
    for name, acknowledged in wanted.reservations.items():
        there = found.reservations.get(name)
        if there is None:
            findings.lost.append(
                f"{reader}: reservation {name} was acknowledged as {acknowledged['state']} and is not there"
            )
            continue
        if there["state"] != acknowledged["state"]:
            findings.lost.append(
                f"{reader}: reservation {name} was acknowledged as {acknowledged['state']}, is {there['state']}"
            )
        _lines(findings, f"{reader}: reservation {name}", acknowledged, there, UNITS)
    for name in sorted(found.reservations.keys() - wanted.reservations.keys()):
        why = "it was refused" if name in wanted.refused else "it was never acknowledged"
        findings.double.append(f"{reader}: reservation {name} is there, and {why}")


def _transfers(findings: Findings, wanted: State, found: State, reader: str) -> None:
    for name, acknowledged in wanted.transfers.items():
        there = found.transfers.get(name)
        if there is None:
            findings.lost.append(
                f"{reader}: transfer {name} was acknowledged as {acknowledged['state']} and is not there"
            )
        else:
            if there["state"] != acknowledged["state"]:
                findings.lost.append(
                    f"{reader}: transfer {name} was acknowledged as {acknowledged['state']}, is {there['state']}"
                )
            _lines(
                findings,
                f"{reader}: transfer {name}",
                acknowledged,
                there,
                ("quantity", "received", "lost", "in_transit"),
            )
    for name in sorted(found.transfers.keys() - wanted.transfers.keys()):
        findings.double.append(f"{reader}: transfer {name} is there, and it was never acknowledged")


def _lines(findings: Findings, what: str, acknowledged: Any, there: Any, units: tuple[str, ...]) -> None:
    if len(acknowledged["lines"]) != len(there["lines"]):
        kind = findings.double if len(there["lines"]) > len(acknowledged["lines"]) else findings.lost
        kind.append(f"{what}: {len(acknowledged['lines'])} lines were acknowledged, {len(there['lines'])} are there")
        return
    for mine, other in zip(acknowledged["lines"], there["lines"], strict=True):
        for name in ("sku", "location"):
            if mine.get(name) != other.get(name):
                findings.lost.append(f"{what}: {name} was acknowledged as {mine.get(name)}, is {other.get(name)}")
        for name in units:
            was, now = mine.get(name, 0), other.get(name, 0)
            if was != now:
                kind = findings.double if name in _MORE_MEANS_TWICE and now > was else findings.lost
                kind.append(f"{what}: line {mine['line']}: {name} was acknowledged as {was}, is {now}")


def _supplies(findings: Findings, wanted: State, found: State, reader: str) -> None:
    for name, received in wanted.supplies.items():
        there = found.supplies.get(name)
        if there is None or there < received:
            findings.lost.append(f"{reader}: of {name} {received} units came, {there or 'none'} are noted")
        elif there > received:
            findings.double.append(f"{reader}: of {name} {received} units came, {there} are noted")


def _stock(findings: Findings, wanted: State, found: State, reader: str) -> None:
    for place, buckets in wanted.stock.items():
        there = found.stock.get(place)
        if there is None:
            findings.lost.append(f"{reader}: {' at '.join(place)} is not known")
            continue
        for bucket, units in buckets.items():
            if there[bucket] != units:
                findings.miscounted.append(
                    f"{reader}: {' at '.join(place)}: {bucket} is {there[bucket]},"
                    f" all that was acknowledged makes {units}"
                )
