"""References to credentials: a configuration file names a variable or a file, and never holds the secret itself."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, NamedTuple

from server.config.toml_tables import ChannelConfigError, refuse_unknown

CREDENTIAL_BYTES_MAX: Final = 64 * 1024
"""A longer file is no secret; and one without an end, such as a device, must not hang the start."""
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_EXAMPLE: Final = '{ env = "NAME_OF_A_VARIABLE" } or { file = "/path/to/the/file" }'


class Reference(NamedTuple):
    """Where one credential is."""

    source: Literal["env", "file"]
    place: str


class Credentials:
    """The credentials of one table, read when they are needed. ``repr`` shows their names, nothing else.

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

    @property
    def files(self) -> list[Path]:
        """The files that hold some of them."""
        return [self._path(each.place) for each in self._references.values() if each.source == "file"]

    def read(self) -> dict[str, str]:
        """Read the values as they are now: a secret that was changed in its file counts from the next call on.

        Raises
        ------
        ChannelConfigError
            One is missing or empty; the message names it and its place, and shows nothing of it.

        """
        values = {name: self._value(name, reference) for name, reference in self._references.items()}
        self._known.update(values.values())
        return values

    def check(self, name: str) -> None:
        """Check that one can be read; raises as :meth:`read`."""
        self._known.add(self._value(name, self._references[name]))

    def mask(self, text: str) -> str:
        """Replace every value that was ever read in a text that others may see."""
        for value in sorted(self._known, key=len, reverse=True):
            text = text.replace(value, "***")
        return text

    def _value(self, name: str, reference: Reference) -> str:
        if reference.source == "env":
            value, place = self._environ.get(reference.place, ""), f"the variable {reference.place}"
        else:
            path = self._path(reference.place)
            value, place = self._content(name, path), f"the file {path}"
        value = value.rstrip("\r\n")
        if not value:
            raise ChannelConfigError(f"{self._where}: {name}: {place} is not set or empty. Put the credential there.")
        return value

    def _path(self, place: str) -> Path:
        return self._folder / Path(place).expanduser()

    def _content(self, name: str, path: Path) -> str:
        try:
            with path.open("rb") as file:
                content = file.read(CREDENTIAL_BYTES_MAX + 1)
        except (OSError, ValueError) as error:  # a path that holds a NUL is a ValueError
            why = error.strerror if isinstance(error, OSError) else "not a path"
            raise ChannelConfigError(f"{self._where}: {name}: the file {path} cannot be read: {why}.") from None
        if len(content) > CREDENTIAL_BYTES_MAX:
            raise ChannelConfigError(
                f"{self._where}: {name}: the file {path} has more than {CREDENTIAL_BYTES_MAX} bytes;"
                " that is no credential."
            )
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            raise ChannelConfigError(f"{self._where}: {name}: the file {path} is not UTF-8 text.") from None

    def __repr__(self) -> str:
        return f"Credentials({', '.join(self._references)})"


class CredentialSource(NamedTuple):
    """Where a configuration file's references lead.

    ``variables`` are those of the environment; one that begins with ``reserved_prefix`` is a setting and cannot be a
    credential. ``folder`` is what the path of a file is relative to.
    """

    variables: Mapping[str, str]
    folder: Path
    reserved_prefix: str

    def credentials(self, where: str, given: Mapping[str, object]) -> Credentials:
        """Read the references of a table; no credential itself is read yet.

        Raises
        ------
        ChannelConfigError
            One does not name a variable or a file.

        """
        references = {name: self._reference(where, name, reference) for name, reference in given.items()}
        return Credentials(where, references, self.variables, self.folder)

    def _reference(self, where: str, name: str, given: object) -> Reference:
        """Read where a credential is; anything else may be the secret itself, so nothing of it is shown."""
        if not isinstance(given, dict):
            raise ChannelConfigError(
                f"{where}: {name} must name the place of the credential, not hold it: {name} = {_EXAMPLE}."
            )
        refuse_unknown(f"{where}: {name}", given, ("env", "file"))
        if len(given) != 1:
            raise ChannelConfigError(f"{where}: {name} must have one of env and file: {name} = {_EXAMPLE}.")
        [(source, place)] = given.items()
        if not isinstance(place, str) or not place:
            raise ChannelConfigError(f"{where}: {name}: {source} must be text: {name} = {_EXAMPLE}.")
        if source == "file":
            return Reference("file", place)
        self._check_variable(f"{where}: {name}", place)
        return Reference("env", place)

    def _check_variable(self, where: str, variable: str) -> None:
        if not _VARIABLE.fullmatch(variable):
            raise ChannelConfigError(f"{where}: env must be the name of a variable: letters, digits and '_'.")
        if variable.startswith(self.reserved_prefix):
            raise ChannelConfigError(
                f"{where}: names that begin with {self.reserved_prefix} are Holdfast's own settings;"
                f" rename the variable, for instance {variable.removeprefix(self.reserved_prefix) or 'MY_SHOP_KEY'}."
            )
