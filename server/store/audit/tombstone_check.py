"""The audit's part about tombstones: the sorted set must have exactly those that are among the ended reservations.

Neither has a seq, so what looks wrong is read again, both in one MULTI, before it is reported. One whose time has
passed is left out: a release that does not know of tombstones purges the record and not its member.
"""

from typing import Final

import msgspec

from server.domain.reservation import Reservation
from server.store.audit.checks import Drift, Findings
from server.store.audit.reader import Reader
from server.store.connection.commands import command
from server.store.keys import stored_text

_decode: Final = msgspec.msgpack.Decoder(Reservation).decode
_WORDS: Final = ("none", "a tombstone")


class TombstoneCheck:
    """Compares the records with the sorted set, and the set with the records."""

    def __init__(self, reader: Reader, findings: Findings) -> None:
        self._reader = reader
        self._findings = findings

    async def check_records(self, ids: list[bytes]) -> None:
        """Find tombstones that are not counted."""
        if not ids:
            return
        scores = await command(self._reader.client, "ZMSCORE", self._reader.keys.tombstones, *ids)
        for raw_id, score in zip(ids, scores, strict=True):
            if score is None:
                await self._check_again(raw_id)

    async def check_members(self) -> None:
        """Find members of the sorted set that are no tombstones."""
        keys = self._reader.keys
        seconds, _ = await command(self._reader.client, "TIME")
        async for chunk in self._reader.scan("tombstones", "ZSCAN", keys.tombstones, 0):
            ids = [raw_id for raw_id, until_ms in chunk if int(until_ms) > 1000 * int(seconds)]
            records = await command(self._reader.client, "HMGET", keys.ended, *ids) if ids else []
            for raw_id, packed in zip(ids, records, strict=True):
                await self._reader.breathe()
                if not _is_tombstone(packed):
                    await self._check_again(raw_id)

    async def _check_again(self, raw_id: bytes) -> None:
        keys = self._reader.keys
        packed, score, (seconds, _) = await self._reader.together(
            ("HGET", keys.ended, raw_id), ("ZSCORE", keys.tombstones, raw_id), ("TIME",)
        )
        is_counted = score is not None and (float(score) > 1000 * int(seconds) or _is_tombstone(packed))
        expected, found = _WORDS[_is_tombstone(packed)], _WORDS[is_counted]
        if expected != found:
            self._findings.add(Drift("", "", "tombstone", expected, found, stored_text(raw_id)))


def _is_tombstone(packed: bytes | None) -> bool:
    try:
        return packed is not None and _decode(packed).is_tombstone
    except msgspec.DecodeError:
        return False  # reported where it was scanned
