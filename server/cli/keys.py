"""``holdfast keys``: create, list and revoke API keys."""

import click
from rich.table import Table

from server.cli.common import failure, json_option, opened_store, partition_option, quiet_settings, run, store_options
from server.cli.terminal import console, print_json, say
from server.config.settings import Settings
from server.domain.principal import ApiKey, Scope, check_key_name
from server.store.repositories.api_keys import ApiKeyStore, StoredKeys


@click.group()
def keys() -> None:
    """Create, list and revoke API keys.

    Once there is a key, the server refuses every request without one. Running servers use a change within two seconds.

    \b
      holdfast keys new --scope reserve --name trendyol
      holdfast keys list
    """  # noqa: D301  # click needs the character, not the two


def _name(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    try:
        return check_key_name(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@keys.command()
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    required=True,
    help="What the key may do. Repeatable.",
)
@partition_option
@click.option("--name", default="", callback=_name, help="Who uses it; shown in the list.")
@store_options
def new(scopes: tuple[str, ...], partition: str, name: str, **overrides: object) -> None:
    """Create a key and print it. It is shown only once: the store keeps a hash of it.

    \b
    read: availability, stock, reservations     stock: count, receive, adjust
    reserve: hold, commit, release, ship        admin: these three, and channels
    metrics: /metrics, of all partitions

    \b
      holdfast keys new --scope reserve --scope read --name trendyol
      TOKEN=$(holdfast keys new --scope admin)
      curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8080/v1/stock/SKU
    """  # noqa: D301  # click needs the character, not the two
    settings = quiet_settings(**overrides)
    token, key = run(_new(settings, [Scope(scope) for scope in scopes], partition, name))
    may = ", ".join(sorted(key.scopes))
    say(f"Key {key.id} for partition {key.partition} may: {may}. This is the only time that it is shown:", err=True)
    say(token)


async def _new(settings: Settings, scopes: list[Scope], partition: str, name: str) -> tuple[str, ApiKey]:
    async with opened_store(settings, create=True) as store:
        return await ApiKeyStore(store.client).create(scopes, partition, name)


@keys.command("list")
@json_option
@store_options
def list_(as_json: bool, **overrides: object) -> None:
    """List the keys of the store, including revoked ones. Keys of a configuration file are not listed.

    \b
      holdfast keys list
    """  # noqa: D301  # click needs the character, not the two
    stored = run(_list(quiet_settings(**overrides)))
    if as_json:
        print_json([_as_json(key) for key in stored.keys])
    elif stored.keys:
        console().print(_table(stored.keys))
    else:
        say("There is no key yet. Create one: holdfast keys new --scope reserve")
    for key_id in stored.damaged:
        say(f"The record of key {key_id} is damaged and gives no access. Revoke it, and create a new key.", err=True)


async def _list(settings: Settings) -> StoredKeys:
    async with opened_store(settings) as store:
        return await ApiKeyStore(store.client).read()


def _table(keys: tuple[ApiKey, ...]) -> Table:
    table = Table("id", "name", "partition", "scopes", "made", "state")
    for key in keys:
        made = f"{key.created_at:%Y-%m-%d %H:%M}" if key.created_at else ""
        state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "open"
        table.add_row(key.id, key.name, key.partition, " ".join(sorted(key.scopes)), made, state)
    return table


def _as_json(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "partition": key.partition,
        "scopes": sorted(key.scopes),
        "created_at": key.created_at.isoformat() if key.created_at else None,
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
    }


@keys.command()
@click.argument("key_id", metavar="ID")
@store_options
def revoke(key_id: str, **overrides: object) -> None:
    """Revoke a key for good. ID is its second part: hf_ID_secret.

    \b
      holdfast keys revoke k3q5zt7xw2ma
    """  # noqa: D301  # click needs the character, not the two
    key = run(_revoke(quiet_settings(**overrides), key_id))
    if key is None:
        raise failure(f"There is no key {key_id!r} in the store. `holdfast keys list` shows them.")
    say(f"Key {key.id} is revoked. Running servers refuse it within two seconds.")


async def _revoke(settings: Settings, key_id: str) -> ApiKey | None:
    async with opened_store(settings) as store:
        return await ApiKeyStore(store.client).revoke(key_id)
