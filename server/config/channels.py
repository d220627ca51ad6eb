"""Channels of the configuration file: their settings, and where their credentials are. It reads no environment itself.

A credential never stands in the file, only a reference to it: the name of a variable, or the path of a file.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from server.config.toml_tables import ChannelConfigError, convert, refuse_unknown, table_of
from server.domain.channels import ChannelRules, ChannelSettings, check_channel_name
from server.domain.limits import DEFAULT_PARTITION
from server.domain.principal import check_partition

CREDENTIAL_BYTES_MAX: Final = 64 * 1024
"""A longer file is no secret; and one that has no end, such as a device, must not hang the start."""
TIMEOUT_S_MAX: Final = 120.0
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_HOST: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?", re.ASCII)
_HOW: Final = '{ env = "NAME_OF_A_VARIABLE" } or { file = "/path/to/the/file" }'


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[channels.NAME]``, without the rules that stand flat in it."""

    kind: str
    partition: str = DEFAULT_PARTITION
    listings: Literal["listed", "all"] = "listed"
    allow_private: list[str] = []
    timeout_s: Annotated[float, Meta(gt=0, le=TIMEOUT_S_MAX)] = 15.0
    options: dict[str, Any] = {}
    credentials: dict[str, Any] = {}


RULES: Final = ChannelRules.__struct_fields__
FIELDS: Final = tuple(name for name in _Table.__struct_fields__ if name not in {"options", "credentials"})
"""What may stand in a channel's table, beside its rules and the two tables below it."""


class Reference(NamedTuple):
    """Where one credential is."""

    source: Literal["env", "file"]
    place: str


class Credentials:
    """Where the credentials of a channel are. ``repr`` shows their names, nothing else.

    Parameters
    ----------
    where
        The table, for messages.
    references
        By the credential's name.
    environ
        The environment, read at each :meth:`read`.
    folder
        What the path of a file is relative to.

    """

    def __init__(
        self, where: str, references: Mapping[str, Reference], environ: Mapping[str, str], folder: Path
    ) -> None:
        self._where = where
        self._references = dict(references)
        self._environ = environ
        self._folder = folder
        self._known: set[str] = set()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the credentials."""
        return tuple(self._references)

    def read(self) -> dict[str, str]:
        """Read the values as they are now: a secret that was changed in its file counts from the next call on.

        Raises
        ------
        ChannelConfigError
            One is not there or empty; the message names it and its place, and shows nothing of it.

        """
        values = {name: self._value(name, reference) for name, reference in self._references.items()}
        self._known.update(values.values())
        return values

    def mask(self, text: str) -> str:
        """Replace every value that was ever read in a text that others may see."""
        for value in sorted(self._known, key=len, reverse=True):
            text = text.replace(value, "***")
        return text

    def _value(self, name: str, reference: Reference) -> str:
        if reference.source == "env":
            value, place = self._environ.get(reference.place, ""), f"the variable {reference.place}"
        else:
            path = self._folder / Path(reference.place).expanduser()
            value, place = self._content(name, path), f"the file {path}"
        value = value.rstrip("\r\n")
        if not value:
            raise ChannelConfigError(f"{self._where}: {name}: {place} is not set or empty. Put the credential there.")
        return value

    def _content(self, name: str, path: Path) -> str:
        try:
            with path.open("rb") as file:
                content = file.read(CREDENTIAL_BYTES_MAX + 1)
        except (OSError, ValueError) as error:  # a path that holds a NUL is a ValueError
            why = error.strerror if isinstance(error, OSError) else "not a path"
            raise ChannelConfigError(f"{self._where}: {name}: the file {path} cannot be read: {why}.") from None
        if len(content) > CREDENTIAL_BYTES_MAX:
            told = f"the file {path} has more than {CREDENTIAL_BYTES_MAX} bytes; that is no credential."
            raise ChannelConfigError(f"{self._where}: {name}: {told}")
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            raise ChannelConfigError(f"{self._where}: {name}: the file {path} is not UTF-8 text.") from None

    def __repr__(self) -> str:
        return f"Credentials({', '.join(self._references)})"


class ConfiguredChannel(NamedTuple):
    """A channel of the configuration file."""

    settings: ChannelSettings
    credentials: Credentials


def read_channels(
    tables: object, environ: Mapping[str, str], folder: Path, *, reserved_prefix: str
) -> list[ConfiguredChannel]:
    """Read ``[channels]``. Variables that begin with ``reserved_prefix`` are settings and cannot be credentials.

    Raises
    ------
    ChannelConfigError
        Something in it is unknown, missing or breaks its rule.

    """
    if not isinstance(tables, dict):
        raise ChannelConfigError("channels must be tables, one for each channel: [channels.my-shop]")
    return [_channel(name, table, environ, folder, reserved_prefix) for name, table in tables.items()]


def _channel(
    name: str, table: object, environ: Mapping[str, str], folder: Path, reserved_prefix: str
) -> ConfiguredChannel:
    where, credentials_table = table_of(name), table_of(name, "credentials")
    try:
        check_channel_name(name)
    except ValueError as error:
        raise ChannelConfigError(f"[channels]: {error}.") from None
    if not isinstance(table, dict):
        raise ChannelConfigError(f"{where}: channels.{name} must be a table.")
    refuse_unknown(where, table, (*FIELDS, *RULES, "options", "credentials"))
    rules = convert(where, {field: value for field, value in table.items() if field in RULES}, ChannelRules)
    own = convert(where, {field: value for field, value in table.items() if field not in RULES}, _Table)
    _check(where, own)
    references = {
        credential: reference_of(credentials_table, credential, given, reserved_prefix)
        for credential, given in own.credentials.items()
    }
    settings = ChannelSettings(
        name=name,
        kind=own.kind,
        partition=own.partition,
        rules=rules,
        listings=own.listings,
        options=own.options,
        allow_private=own.allow_private,
        timeout_s=own.timeout_s,
    )
    return ConfiguredChannel(settings, Credentials(credentials_table, references, environ, folder))


def _check(where: str, table: _Table) -> None:
    try:
        check_partition(table.partition)
    except ValueError as error:
        raise ChannelConfigError(f"{where}: {error}.") from None
    check_hosts(where, table.allow_private)


def check_hosts(where: str, hosts: Sequence[str]) -> None:
    """Make sure that ``allow_private`` names hosts and nothing more.

    Raises
    ------
    ChannelConfigError
        One is no name or address of a host.

    """
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


def reference_of(where: str, name: str, given: object, reserved_prefix: str) -> Reference:
    """Read where a credential is; whatever else stands there may be the secret itself, so nothing of it is shown.

    Raises
    ------
    ChannelConfigError
        It does not say where.

    """
    if not isinstance(given, dict):
        raise ChannelConfigError(f"{where}: {name} must say where the credential is, not what it is: {name} = {_HOW}.")
    refuse_unknown(f"{where}: {name}", given, ("env", "file"))
    if len(given) != 1:
        raise ChannelConfigError(f"{where}: {name} must have one of env and file: {name} = {_HOW}.")
    [(source, place)] = given.items()
    if not isinstance(place, str) or not place:
        raise ChannelConfigError(f"{where}: {name}: {source} must be text: {name} = {_HOW}.")
    if source == "file":
        return Reference("file", place)
    if not _VARIABLE.fullmatch(place):
        raise ChannelConfigError(f"{where}: {name}: env must be the name of a variable: letters, digits and '_'.")
    if place.startswith(reserved_prefix):
        raise ChannelConfigError(
            f"{where}: {name}: names that begin with {reserved_prefix} are Holdfast's own settings;"
            f" give the variable another one, for instance {place.removeprefix(reserved_prefix) or 'MY_SHOP_KEY'}."
        )
    return Reference("env", place)
