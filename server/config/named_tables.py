"""Reads the named tables of a configuration file that each describe one destination, with its credentials elsewhere.

``[channels.NAME]`` and ``[webhooks.NAME]`` are read by the same rules: a name, known fields, a partition, hosts.
"""

import ipaddress
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Any, Final, NamedTuple, Protocol, TypeVar

import msgspec
from msgspec import Meta

from server.config.toml_tables import ChannelConfigError, refuse_unknown, table_of
from server.domain.limits import DEFAULT_PARTITION
from server.domain.principal import check_partition

T = TypeVar("T")

TIMEOUT_S_MAX: Final = 120.0
_HOST: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?", re.ASCII)


class Destination(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields that every destination has."""

    partition: str = DEFAULT_PARTITION
    allow_private: list[str] = []
    timeout_s: Annotated[float, Meta(gt=0, le=TIMEOUT_S_MAX)] = 15.0


class Section(NamedTuple):
    """A kind of named table: ``[name.…]``.

    ``noun`` and ``example`` are for messages; ``check_name`` raises a ValueError for a name that cannot be one.
    ``fields`` are all that may stand in a table.
    """

    name: str
    noun: str
    example: str
    check_name: Callable[[str], Any]
    fields: tuple[str, ...]


class Gathering(Protocol):
    """What gathers faults, see :class:`server.config.faults.Faults`."""

    def gathered(self) -> AbstractContextManager[None]:
        """Do a part of the work; what is wrong there is kept."""


def gathered(faults: Gathering | None) -> AbstractContextManager[None]:
    """Do a part of the work; what is wrong there is kept, or raised where nobody gathers it."""
    return nullcontext() if faults is None else faults.gathered()


def read_tables(
    section: Section, tables: object, read: Callable[[str, str, dict[str, Any]], T], faults: Gathering | None = None
) -> list[T]:
    """Read every table of a section. ``read`` takes the name, the table's name in messages, and its fields.

    ``faults``: gathers what is wrong, and the tables of that are left out; None: it is raised.

    Raises
    ------
    ChannelConfigError
        Something in it is unknown, missing or breaks its rule.

    """
    found: list[T] = []
    with gathered(faults):
        if not isinstance(tables, dict):
            raise ChannelConfigError(
                f"{section.name} must be tables, one for each {section.noun}: [{section.name}.{section.example}]"
            )
        for name, table in tables.items():
            with gathered(faults):
                found.append(read(name, *_checked(section, name, table)))
    return found


def _checked(section: Section, name: str, table: object) -> tuple[str, dict[str, Any]]:
    where = table_of(name, among=section.name)
    try:
        section.check_name(name)
    except ValueError as error:
        raise ChannelConfigError(f"[{section.name}]: {error}.") from None
    if not isinstance(table, dict):
        raise ChannelConfigError(f"{where}: {section.name}.{name} must be a table.")
    refuse_unknown(where, table, section.fields)
    return where, table


def check_destination(where: str, destination: Destination) -> None:
    """Check the partition, and that ``allow_private`` names hosts and nothing more.

    Raises
    ------
    ChannelConfigError
        The partition's name breaks a rule, or a host is neither a name nor an address.

    """
    try:
        check_partition(destination.partition)
    except ValueError as error:
        raise ChannelConfigError(f"{where}: {error}.") from None
    _check_hosts(where, destination.allow_private)


def _check_hosts(where: str, hosts: Sequence[str]) -> None:
    for position, host in enumerate(hosts):
        if not _is_host(host):
            raise ChannelConfigError(
                f"{where}: allow_private[{position}] must be the name or the address of a host,"
                " without scheme, port and path."
            )


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return _HOST.fullmatch(text) is not None
    return True
