"""``holdfast keys``: create, list, change, rotate and revoke API keys."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import click
import msgspec
from rich.table import Table

from server.cli.common import failure, json_option, opened_store, partition_option, quiet_settings, run, store_options
from server.cli.key_options import LIFTED, named_terms, scope_option, term_options
from server.cli.terminal import console, print_json, say
from server.config.settings import Settings
from server.domain.principal import ALL_SCOPES, LOCAL, ApiKey, Principal, Scope, check_key_name
from server.schemas.api_keys import KeyBody, KeyChangeBody, KeyRotationBody, KeyView, NewKeyView
from server.service import api_keys as service
from server.service.checks import InvalidError
from server.service.problems import ProblemError
from server.store.repositories.api_keys import ApiKeyStore, StoredKeys

T = TypeVar("T")

_CLOSED: Final = (
    "This is the first key. From now on the server answers no request without one: not those of programs on its own"
    " machine, of the web page /docs, or of Prometheus."
)
_NO_ADMIN: Final = "It may not do everything. Make one that may, too: holdfast keys new --scope admin"
_ONCE: Final = "This is the only time that it is shown:"


@click.group()
def keys() -> None:
    """Create, list, change, rotate and revoke API keys.

    Once there is a key, the server refuses every request without one. So begin with one that may do everything.
    Running servers use a change within two seconds.

    \b
      holdfast keys new --scope admin --name "our own"
      holdfast keys new --scope reserve --name trendyol
      holdfast keys list
    """  # noqa: D301  # click needs the character, not the two


def _name(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else check_key_name(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@keys.command()
@scope_option
@partition_option
@click.option("--name", default="", callback=_name, help="Who uses it; shown in the list.")
@term_options
@json_option
@store_options
def new(scopes: tuple[str, ...], partition: str, name: str, as_json: bool, **options: Any) -> None:
    """Create a key and print it. It is shown only once: the store keeps a hash of it.

    The first key closes the server to all requests without one, also to those of its own machine. Make it one for
    admin: with it, what is closed can still be used.

    \b
    read: availability, stock, reservations     stock: count, receive, adjust
    reserve: hold, commit, release, ship        admin: these three, and channels
    metrics: /metrics, of all partitions        availability: that alone, for a page
    reserve:own: hold, commit, release and read what this key has reserved

    \b
      TOKEN=$(holdfast keys new --scope admin)
      holdfast keys new --scope reserve --scope read --name trendyol --channel trendyol
      holdfast keys new --scope reserve:own --scope availability --ttl-max-s 900 --expires 2027-06-30
      curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8080/v1/stock/SKU
    """  # noqa: D301  # click needs the character, not the two
    terms, settings = named_terms(options)
    if not scopes:
        raise click.UsageError(
            "Say what it may do: the first key with --scope admin, one for a shop with --scope reserve."
        )
    body = KeyBody([Scope(scope) for scope in scopes], name, **terms)
    made, is_first = run(_new(quiet_settings(**settings), partition, body))
    if is_first:
        say(_CLOSED, *(() if Scope.ADMIN in made.key.scopes else (_NO_ADMIN,)), err=True)
    _print_made(made, as_json, f"Key {made.key.id} for partition {partition} may: {', '.join(made.key.scopes)}.")


async def _new(settings: Settings, partition: str, body: KeyBody) -> tuple[NewKeyView, bool]:
    """Create a key; return also whether the store had none."""
    async with opened_store(settings, create=True) as store:
        stored = ApiKeyStore(store.client)
        is_first = not await stored.list()
        return await _in_words(service.create(stored, _owner(partition), body)), is_first


@keys.command("list")
@json_option
@store_options
def list_(as_json: bool, **overrides: object) -> None:
    """List the keys of the store, including revoked ones. Keys of a configuration file are not listed.

    "used" is the hour in which a key was used last.

    \b
      holdfast keys list
    """  # noqa: D301  # click needs the character, not the two
    stored, used = run(_list(quiet_settings(**overrides)))
    now = datetime.now(UTC)
    views = [(key, service.view_of(key, used, now)) for key in stored.keys]
    if as_json:
        print_json([_as_json(*each) for each in views])
    elif views:
        console().print(_table(views))
    else:
        say("There is no key yet. Create one: holdfast keys new --scope admin")
    for key_id in stored.damaged:
        say(
            f"The record of key {key_id} cannot be read and gives no access. Revoke it, and create a new key.", err=True
        )


async def _list(settings: Settings) -> tuple[StoredKeys, dict[str, datetime]]:
    async with opened_store(settings) as store:
        stored = ApiKeyStore(store.client)
        return await stored.read(), await stored.used()


@keys.command()
@click.argument("key_id", metavar="ID")
@scope_option
@click.option("--name", default=None, callback=_name, help="Who uses it; shown in the list.")
@term_options
@click.option("--lift", "lifted", type=click.Choice(LIFTED), multiple=True, help="A limit to take away. Repeatable.")
@json_option
@store_options
def change(
    key_id: str, scopes: tuple[str, ...], name: str | None, lifted: tuple[str, ...], as_json: bool, **options: Any
) -> None:
    """Change what a key may do and what limits it. ID is its second part: hf_ID_secret.

    What is not named stays. --scope names all scopes that it is to have.

    \b
      holdfast keys change k3q5zt7xw2ma --ttl-max-s 600
      holdfast keys change k3q5zt7xw2ma --scope reserve --scope read --lift expires
    """  # noqa: D301  # click needs the character, not the two
    terms, settings = named_terms(options)
    sent: dict[str, Any] = terms | {LIFTED[each]: None for each in lifted}
    if scopes:
        sent["scopes"] = [Scope(scope) for scope in scopes]
    if name is not None:
        sent["name"] = name
    if not sent:
        raise click.UsageError("Say what to change: --scope, --name, a limit, or --lift.")

    async def changed(stored: ApiKeyStore, principal: Principal) -> KeyView:
        return await service.change(stored, principal, key_id, KeyChangeBody(**sent))

    view = _on_key(settings, key_id, changed)
    if as_json:
        print_json(msgspec.to_builtins(view))
    else:
        say(f"Key {key_id} is changed. Running servers heed it within two seconds.", _in_short(view))


@keys.command()
@click.argument("key_id", metavar="ID")
@click.option(
    "--until", default=None, type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]),
    help="Until when the secret before is good, in UTC. Without it: for a day.",
)  # fmt: skip
@json_option
@store_options
def rotate(key_id: str, until: datetime | None, as_json: bool, **overrides: object) -> None:
    """Give a key a new secret and print the token. ID is its second part: hf_ID_secret.

    Both secrets are good until a time, so that nobody has to stop. A secret from before that is good no more.

    \b
      holdfast keys rotate k3q5zt7xw2ma --until 2027-01-31
    """  # noqa: D301  # click needs the character, not the two
    body = KeyRotationBody(None if until is None else until.replace(tzinfo=UTC))

    async def rotated(stored: ApiKeyStore, principal: Principal) -> NewKeyView:
        return await service.rotate(stored, principal, key_id, body)

    made = _on_key(overrides, key_id, rotated)
    end = made.key.previous_until
    also = (
        "The one before is good no more." if end is None else f"The one before is good until {end:%Y-%m-%d %H:%M} UTC."
    )
    _print_made(made, as_json, f"Key {key_id} has a new secret. {also}")


@keys.command()
@click.argument("key_id", metavar="ID")
@json_option
@store_options
def revoke(key_id: str, as_json: bool, **overrides: object) -> None:
    """Revoke a key for good. ID is its second part: hf_ID_secret.

    \b
      holdfast keys revoke k3q5zt7xw2ma
    """  # noqa: D301  # click needs the character, not the two

    async def revoked(stored: ApiKeyStore, principal: Principal) -> KeyView:
        return await service.revoke(stored, principal, key_id)

    view = _on_key(overrides, key_id, revoked)
    if as_json:
        print_json(msgspec.to_builtins(view))
    else:
        say(f"Key {key_id} is revoked. Running servers refuse it within two seconds.")


def _on_key(settings: Any, key_id: str, work: Callable[[ApiKeyStore, Principal], Awaitable[T]]) -> T:
    """Do something to a key of the store, whatever its partition."""
    found = run(_worked(quiet_settings(**settings), key_id, work))
    if found is None:
        raise failure(f"There is no key {key_id!r} in the store. `holdfast keys list` shows them.")
    return found


async def _worked(
    settings: Settings, key_id: str, work: Callable[[ApiKeyStore, Principal], Awaitable[T]]
) -> T | None:  # fmt: skip
    async with opened_store(settings) as store:
        stored = ApiKeyStore(store.client)
        key = await stored.find(key_id)
        return None if key is None else await _in_words(work(stored, _owner(key.partition)))


async def _in_words(work: Awaitable[T]) -> T:
    """Have a refusal end the command with its reason."""
    try:
        return await work
    except InvalidError as error:
        raise failure(f"{error}. Nothing changed.") from None
    except ProblemError as error:
        raise failure(error.problem.detail) from None


def _owner(partition: str) -> Principal:
    """Return who a command acts as: whoever can read the store may do everything."""
    return Principal(LOCAL.actor, partition, ALL_SCOPES)


def _print_made(made: NewKeyView, as_json: bool, said: str) -> None:
    if as_json:
        print_json(msgspec.to_builtins(made))
        return
    say(f"{said} {_ONCE}", err=True)
    say(made.token)


def _as_json(key: ApiKey, view: KeyView) -> dict[str, object]:
    return {**msgspec.to_builtins(view), "partition": key.partition}


def _table(views: list[tuple[ApiKey, KeyView]]) -> Table:
    table = Table("id", "name", "partition", "scopes", "limits", "made", "used", "state")
    for key, view in views:
        state = f"{view.state} {view.revoked_at:%Y-%m-%d %H:%M}" if view.revoked_at else view.state
        scopes = " ".join(view.scopes)
        table.add_row(
            key.id, key.name, key.partition, scopes, _in_short(view), _minute(view.created_at),
            _minute(view.last_used_at), state,
        )  # fmt: skip
    return table


def _minute(time: datetime | None) -> str:
    return "" if time is None else f"{time:%Y-%m-%d %H:%M}"


def _in_short(view: KeyView) -> str:
    """Write the limits of a key in few words."""
    said = {
        "channel": view.channel,
        "holds": view.ttl_max_s and f"{view.ttl_max_s:,} s",
        "until": _minute(view.expires_at),
        "holds at most": view.held_units_max and f"{view.held_units_max:,}",
        "for a customer": view.customer_units_max and f"{view.customer_units_max:,}",
        "rate": view.requests_per_s and f"{view.requests_per_s:,}/s",
        "old secret until": _minute(view.previous_until),
    }
    return ", ".join(f"{name} {value}" for name, value in said.items() if value)
