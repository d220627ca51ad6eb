"""Channels of the configuration file: ``[channels.NAME]``, with their options and references to their credentials."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

import msgspec

from server.config.credentials import Credentials, CredentialSource
from server.config.named_tables import Destination, Gathering, Section, check_destination, gathered, read_tables
from server.config.toml_tables import ChannelConfigError, convert, table_of
from server.domain.channels import ChannelRules, ChannelSettings, check_channel_name
from server.domain.intake import OrderIntake
from server.domain.mirrors import MirrorSettings, fault_of_locations
from server.domain.spelling import fault, normal


class _Table(Destination, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[channels.NAME]``, without the rules that stand flat in it."""

    kind: str
    listings: Literal["listed", "all"] = "listed"
    options: dict[str, Any] = {}
    credentials: dict[str, Any] = {}
    orders: dict[str, Any] = {}
    mirror: dict[str, Any] | None = None


_OWN: Final = sorted(_Table.__struct_fields__, key=Destination.__struct_fields__.__contains__)
"""Messages name a channel's own fields first, then those that every destination has."""
RULES: Final = ChannelRules.__struct_fields__
FIELDS: Final = tuple(name for name in _OWN if name not in {"options", "credentials", "orders", "mirror"})
"""What may stand in a channel's table, beside its rules and the tables below it."""
CHANNELS: Final = Section("channels", "channel", "my-shop", check_channel_name, (*_OWN, *RULES))


class ConfiguredChannel(NamedTuple):
    """A channel of the configuration file."""

    settings: ChannelSettings
    credentials: Credentials


def read_channels(tables: object, source: CredentialSource, faults: Gathering | None = None) -> list[ConfiguredChannel]:
    """Read ``[channels]``; ``faults``: gathers what is wrong, and that is left out; None: it is raised.

    Raises
    ------
    ChannelConfigError
        Something in it is unknown, missing or breaks its rule.

    """

    def read(name: str, where: str, table: dict[str, Any]) -> ConfiguredChannel:
        rules = convert(where, {field: value for field, value in table.items() if field in RULES}, ChannelRules)
        own = convert(where, {field: value for field, value in table.items() if field not in RULES}, _Table)
        check_destination(where, own)
        rules = msgspec.structs.replace(rules, locations=_meant(where, rules.locations))
        credentials = source.credentials(table_of(name, "credentials"), own.credentials)
        settings = _settings(name, rules, own, _orders(name, own.orders), _mirror(where, name, own.mirror, rules))
        return ConfiguredChannel(settings, credentials)

    channels = read_tables(CHANNELS, tables, read, faults)
    with gathered(faults):
        _check_mirrors([each.settings for each in channels])
    return channels


def _meant(where: str, locations: list[str]) -> list[str]:
    """Return the names that are meant, by the rules of every door.

    Raises
    ------
    ChannelConfigError
        One cannot be a name, or two are one.

    """
    names = [normal(each) for each in locations]
    for at, name in enumerate(names):
        reason = fault(name)
        if reason or not name:
            raise ChannelConfigError(f"{where}: locations[{at}] {reason or 'is empty'}.")
        if name in names[:at]:
            raise ChannelConfigError(f"{where}: locations names one twice; its units would count twice.")
    return names


def _orders(name: str, table: dict[str, Any]) -> OrderIntake:
    since = table.get("from")
    if isinstance(since, datetime):  # TOML has a type for it
        table = {**table, "from": since.isoformat()}
    return convert(table_of(name, "orders"), table, OrderIntake)


def _mirror(where: str, name: str, table: dict[str, Any] | None, rules: ChannelRules) -> MirrorSettings | None:
    if table is None:
        return None
    mirror = convert(table_of(name, "mirror"), table, MirrorSettings)
    mirror = msgspec.structs.replace(mirror, location=normal(mirror.location))
    fault_there = fault_of_locations(mirror, rules.locations)
    if fault_there:
        raise ChannelConfigError(f"{where}: locations {fault_there}.")
    return mirror


def _check_mirrors(channels: Sequence[ChannelSettings]) -> None:
    """Check that each location is the mirror of one channel.

    Raises
    ------
    ChannelConfigError
        Two channels would count at one location.

    """
    taken: dict[tuple[str, str], str] = {}
    for channel in channels:
        if channel.mirror is not None:
            first = taken.setdefault((channel.partition, channel.mirror.location), channel.name)
            if first != channel.name:
                where = table_of(channel.name, "mirror")
                raise ChannelConfigError(f"{where}: location is that of {first}'s mirror; give it one of its own.")


def _settings(
    name: str, rules: ChannelRules, table: _Table, orders: OrderIntake, mirror: MirrorSettings | None
) -> ChannelSettings:
    apart = {"credentials", "orders", "mirror"}
    own = {field: value for field, value in msgspec.structs.asdict(table).items() if field not in apart}
    return ChannelSettings(name=name, rules=rules, orders=orders, mirror=mirror, **own)
