"""What a refused start and a repair must say, and what a repaired file must hold."""

import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from server.store.journal.journal import decode_entry
from server.store.keys import Keyspace
from tests.rigs.faults.aof import Span
from tests.rigs.faults.ground import PARTITION

KEYS: Final = Keyspace(PARTITION)
_CUT: Final = re.compile(r"Cut (\d+) of (\d+) bytes off (\S+):")
_COPY: Final = re.compile(r"The directory as it was is in (\S+)\. ")
_ON_HAND_END: Final = 6
"""A counter's record is an array of seven, a byte, and then on_hand of four bytes with a byte before them."""


def refusal(ended: "subprocess.CompletedProcess[str]", data_dir: Path) -> list[str]:
    """Return what is missing in a start that must have been refused with the command that repairs it."""
    wrong = [] if ended.returncode else ["it started on a damaged file"]
    if f"holdfast repair --data-dir {data_dir}" not in ended.stderr:
        wrong.append(f"the refusal does not name the repair: {ended.stderr[-500:]}")
    return wrong + (["the refusal is a traceback"] if "Traceback" in ended.stderr else [])


def misreported(ended: "subprocess.CompletedProcess[str]", before: bytes, keeps: int) -> list[str]:
    """Report where a repair did not name exactly what it dropped, or kept no copy of it."""
    found, copy = _CUT.search(ended.stdout), _COPY.search(ended.stdout)
    if ended.returncode or found is None or copy is None:
        return [f"the repair did not say what it dropped: {ended.stdout[-300:]} {ended.stderr[-300:]}"]
    wrong = []
    if (int(found[1]), int(found[2])) != (len(before) - keeps, len(before)):
        wrong.append(f"dropped should be {len(before) - keeps} of {len(before)} bytes, but it says: {found[0]}")
    if (Path(copy[1]) / found[3]).read_bytes() != before:
        wrong.append("the copy is not what was there before")
    return wrong


def other_journal(store: Any, kept: Iterable[Sequence[Span]]) -> list[str]:
    """Report whether a journal differs from that of the scripts that were kept; alerts come by themselves."""
    wanted = [entry for entry in _entries(kept) if not _is_alert(entry)]
    found = [entry for _, fields in store.xrange(KEYS.journal) if not _is_alert(entry := fields[b"e"])]
    return [] if found == wanted else [f"the journal has {len(found)} entries, not the {len(wanted)} that were kept"]


def _is_alert(entry: bytes) -> bool:
    return all(change.operation.startswith("stock.") for change in decode_entry({b"e": entry}))


def reservations(dropped: Iterable[Sequence[Span]]) -> set[str]:
    """Name the reservations that scripts mention."""
    return {change.reservation_id for entry in _entries(dropped) for change in decode_entry({b"e": entry})}


def _entries(scripts: Iterable[Sequence[Span]]) -> Iterable[bytes]:
    for script in scripts:
        for span in script:
            if span.words[0].upper() == b"XADD" and span.words[1] == KEYS.journal.encode():
                yield span.words[span.words.index(b"e") + 1]


def last_counters(scripts: Iterable[Sequence[Span]]) -> dict[str, int]:
    """Find where the last byte of ``on_hand`` of each hot SKU stands that was written last."""
    found = {}
    for span in (span for script in scripts for span in script):
        if span.words[0].upper() == b"HSET" and span.words[1] == KEYS.stock.encode():
            for field, value, at in zip(span.words[2::2], span.words[3::2], span.starts[3::2], strict=True):
                sku = field.partition(b"\0")[0].decode()
                if sku.startswith("hot-") and msgspec.msgpack.decode(value)[0] > 0xFFFF:
                    found[sku] = at + _ON_HAND_END - 1
    return found
