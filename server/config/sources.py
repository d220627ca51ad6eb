"""Sources of the configuration file: ``[sources.NAME]``, ERPs that own the stock."""

from typing import Any, Final, NamedTuple

import msgspec

from server.config.credentials import Credentials, CredentialSource
from server.config.named_tables import Destination, Gathering, Section, check_destination, read_tables
from server.config.toml_tables import convert, table_of
from server.domain.sources import SourceRules, SourceSettings, check_source_name


class _Table(Destination, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[sources.NAME]``, without the rules that stand flat in it."""

    kind: str
    options: dict[str, Any] = {}
    credentials: dict[str, Any] = {}


RULES: Final = SourceRules.__struct_fields__
FIELDS: Final = tuple(name for name in _Table.__struct_fields__ if name not in {"options", "credentials"})
"""What may stand in a source's table, beside its rules and the tables below it."""
SOURCES: Final = Section("sources", "source", "my-erp", check_source_name, (*_Table.__struct_fields__, *RULES))


class ConfiguredSource(NamedTuple):
    """A source of the configuration file."""

    settings: SourceSettings
    credentials: Credentials


def read_sources(tables: object, source: CredentialSource, faults: Gathering | None = None) -> list[ConfiguredSource]:
    """Read ``[sources]``; ``faults``: gathers what is wrong, and that is left out; None: it is raised.

    Raises
    ------
    ChannelConfigError
        Something in it is unknown, missing or breaks its rule.

    """

    def read(name: str, where: str, table: dict[str, Any]) -> ConfiguredSource:
        rules = convert(where, {field: value for field, value in table.items() if field in RULES}, SourceRules)
        own = convert(where, {field: value for field, value in table.items() if field not in RULES}, _Table)
        check_destination(where, own)
        credentials = source.credentials(table_of(name, "credentials", among="sources"), own.credentials)
        fields = {field: value for field, value in msgspec.structs.asdict(own).items() if field != "credentials"}
        return ConfiguredSource(SourceSettings(name=name, rules=rules, **fields), credentials)

    return read_tables(SOURCES, tables, read, faults)
