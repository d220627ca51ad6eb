"""Which names a partition knows, and which of them nearly are a new one: for who looks before something is done."""

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from server.domain.likeness import Kind, fold, loose
from server.store.connection.commands import command
from server.store.connection.connect import StoreClient
from server.store.connection.scans import slices
from server.store.keys import Keyspace, likeness_field, stored_text

_SLICE: Final = 1_000
"""Names of one read: less than a millisecond of the store's time."""


async def unknown_names(client: StoreClient, keyspace: Keyspace, kind: Kind, names: Collection[str]) -> list[str]:
    """Return those names that are not known, in their order. What is not indexed yet is not known either.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    unknown: list[str] = []
    for piece in _pieces(list(dict.fromkeys(names))):
        there = await command(client, "HMGET", keyspace.likeness, *(likeness_field(kind, name) for name in piece))
        unknown += [name for name, known in zip(piece, there, strict=True) if name not in _names_of(known)]
    return unknown


async def nearly_known(
    client: StoreClient, keyspace: Keyspace, kind: Kind, names: Collection[str], *, also_alike: bool = False
) -> dict[str, str]:
    """Return for new names a known one that differs by a dash or a blank, which is there in only one of the two.

    ``also_alike``: or one with the same fold. It goes through all known names. Errors as for the other.
    """
    wanted: dict[str, list[str]] = {}
    for name in names:
        wanted.setdefault(loose(name), []).append(name)
    found: dict[str, str] = {}
    if not wanted:
        return found
    async for fields in slices(client, keyspace.likeness, _SLICE):
        for field, known in fields.items():
            of_kind, _, known_fold = stored_text(field).partition("\0")
            for name in wanted.get(loose(known_fold), ()) if of_kind == kind else ():
                if also_alike or fold(name) != known_fold:
                    found.setdefault(name, _names_of(known)[0])
    return found


def _names_of(known: bytes | None) -> list[str]:
    return [] if known is None else stored_text(known).split("\0")


def _pieces(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(names), _SLICE):
        yield names[first : first + _SLICE]
