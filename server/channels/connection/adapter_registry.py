"""Checks a configured channel against its kind of adapter, and builds the adapter."""

from collections.abc import Collection, Iterable, Mapping

import msgspec

from adapters.contract.adapter import Adapter, Capabilities, Kind, kinds
from adapters.contract.installed import KindError, every, find, names
from adapters.contract.tokens import Grant
from server.config.toml_tables import ChannelConfigError, convert, listed, refuse_unknown, table_of
from server.domain.channels import ChannelRules, ChannelSettings
from server.domain.similar_names import did_you_mean
from server.domain.sources import SourceRules, SourceSettings

NOTIFIES = "webhook"
"""The kind that carries events as well as values."""
_STARS = "***"
_OF_A_SOURCE = (*SourceSettings.__struct_fields__, *SourceRules.__struct_fields__, "credentials")
_OF_THE_CHANNEL = (*ChannelSettings.__struct_fields__, *ChannelRules.__struct_fields__, "credentials")


class KindThere(msgspec.Struct, frozen=True):
    """A kind that a channel may be of: the package that it comes from, and why it cannot be used; empty: it can."""

    kind: str
    origin: str
    summary: str
    problem: str


def kinds_there() -> list[KindThere]:
    """Name all kinds, our own and those of other packages, which are imported for it."""
    return [KindThere(each.name, each.origin, each.kind.summary if each.kind else "", each.problem) for each in every()]


def check(settings: ChannelSettings, credentials: Iterable[str], known: Mapping[str, Kind] | None = None) -> None:
    """Check that a channel can be built: its kind, its options, the names of its credentials.

    ``known`` are the kinds there are, by default our own and those of other packages that are installed.

    Raises
    ------
    ChannelConfigError
        Something is unknown, missing, or breaks its rule; the message shows no value.

    """
    kind = _kind(settings, known)
    _options(settings, kind)
    _check_credentials(settings, kind, set(credentials))


def build(
    settings: ChannelSettings, credentials: Mapping[str, str], known: Mapping[str, Kind] | None = None
) -> Adapter:
    """Build a channel's adapter. The message of a ValueError that it raises is shown with credentials masked.

    Raises
    ------
    ChannelConfigError
        As :func:`check`, or the adapter itself refuses its options or credentials.

    """
    kind = _kind(settings, known)
    options = _options(settings, kind)
    _check_credentials(settings, kind, set(credentials))
    return _built(table_of(settings.name), kind, options, credentials)


def sign_in_with(settings: ChannelSettings, known: Mapping[str, Kind] | None = None) -> tuple[str, ...]:
    """Return what a person can sign in with at a channel; empty: its credentials do not change."""
    return _kind(settings, known).sign_in_with


def grant(settings: ChannelSettings, credentials: Mapping[str, str], known: Mapping[str, Kind] | None = None) -> Grant:
    """Return how a channel's tokens come about. Raises as :func:`build`."""
    kind = _kind(settings, known)
    if kind.grant is None:
        raise TypeError(f"the credentials of {kind.name} do not change")
    return kind.grant(_options(settings, kind), credentials)


def check_source(settings: SourceSettings, credentials: Iterable[str], known: Mapping[str, Kind]) -> None:
    """Check that a source can be built, as :func:`check` does. ``known``: the kinds of source that there are."""
    kind = _kind_of(_source_table(settings.name), settings.kind, known)
    _source_options(settings, kind)
    _check_names(_source_table(settings.name, "credentials"), kind, set(credentials))


def build_source(settings: SourceSettings, credentials: Mapping[str, str], known: Mapping[str, Kind]) -> Adapter:
    """Build a source's adapter, as :func:`build`."""
    kind = _kind_of(_source_table(settings.name), settings.kind, known)
    options = _source_options(settings, kind)
    _check_names(_source_table(settings.name, "credentials"), kind, set(credentials))
    return _built(_source_table(settings.name), kind, options, credentials)


def _source_table(name: str, *below: str) -> str:
    return table_of(name, *below, among="sources")


def _source_options(settings: SourceSettings, kind: Kind) -> object:
    where = _source_table(settings.name, "options")
    return _checked_options(where, settings.options, kind, _OF_A_SOURCE, _source_table(settings.name))


def notifier(where: str, options: Mapping[str, object], credentials: Mapping[str, str]) -> Adapter:
    """Build the adapter that sends events to a receiver of webhooks. ``where`` names its table, for messages.

    Raises
    ------
    ChannelConfigError
        An option or a credential breaks its rule; the message shows no value.

    """
    kind = kinds()[NOTIFIES]
    return _built(where, kind, convert(where, options, kind.options), credentials)


def _built(where: str, kind: Kind, options: object, credentials: Mapping[str, str]) -> Adapter:
    try:
        adapter = kind.build(options, credentials)
        if kind.contract:
            _check_built(adapter)
    except ValueError as error:
        raise ChannelConfigError(f"{where}: {_masked(str(error), credentials)}") from None
    except Exception as error:
        if not kind.contract:  # a fault of our own
            raise
        reason = _masked(f"{type(error).__name__}: {error}", credentials)
        raise ChannelConfigError(f"{where}: {kind.name} cannot be built. Correct its package: {reason}") from None
    return adapter


def _check_built(adapter: object) -> None:
    """Check what a kind of another package has built: nothing else has."""
    if not isinstance(adapter, Adapter) or not isinstance(adapter.capabilities, Capabilities):
        raise TypeError("its build returns no Adapter with Capabilities")


def _masked(message: str, credentials: Mapping[str, str]) -> str:
    for value in sorted(credentials.values(), key=len, reverse=True):
        message = message.replace(value, _STARS)
    return message


def _kind(settings: ChannelSettings, known: Mapping[str, Kind] | None) -> Kind:
    where = table_of(settings.name)
    try:
        kind = find(settings.kind) if known is None else known.get(settings.kind)
    except KindError as error:
        raise ChannelConfigError(f"{where}: {error}") from error
    if kind is None:
        allowed = names() if known is None else known
        question = did_you_mean(settings.kind, allowed)
        raise ChannelConfigError(
            f"{where}: there is no kind {settings.kind!r}{question or '.'} Allowed: {listed(allowed)}."
        )
    return kind


def _kind_of(where: str, name: str, known: Mapping[str, Kind]) -> Kind:
    if name not in known:
        question = did_you_mean(name, known)
        raise ChannelConfigError(f"{where}: there is no kind {name!r}{question or '.'} Allowed: {listed(known)}.")
    return known[name]


def _options(settings: ChannelSettings, kind: Kind) -> object:
    where = table_of(settings.name, "options")
    return _checked_options(where, settings.options, kind, _OF_THE_CHANNEL, table_of(settings.name))


def _checked_options(
    where: str, options: Mapping[str, object], kind: Kind, above: Collection[str], table: str
) -> object:
    """Make the options of a kind. ``above``: what belongs to the table that they are part of."""
    fields = kind.options.__struct_encode_fields__
    for name in options:
        # In TOML, what follows a table's header belongs to that table, so a rule at the end of the file ends up here.
        if name in above and name not in fields:
            raise ChannelConfigError(f"{where}: {name} belongs to {table}; write it above this table.")
    refuse_unknown(where, options, fields, f"option of {kind.name}")
    return convert(where, options, kind.options)


def _check_credentials(settings: ChannelSettings, kind: Kind, names: set[str]) -> None:
    _check_names(table_of(settings.name, "credentials"), kind, names)


def _check_names(where: str, kind: Kind, names: set[str]) -> None:
    known = (*kind.credentials, *kind.optional_credentials)
    refuse_unknown(where, sorted(names), known, f"credential of {kind.name}")
    for name in kind.credentials:
        if name not in names:
            raise ChannelConfigError(
                f'{where}: {kind.name} needs {name}: {name} = {{ env = "…" }} or {{ file = "…" }}.'
            )
