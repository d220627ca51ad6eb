"""``holdfast channels delete-listing``: delete what a channel lists, so that it keeps no SKU from being deleted."""

import click

from server.cli.channels.common import channel_argument, check_known, standing
from server.cli.common import named, opened_store, partition_option, quiet_settings, run, store_options
from server.cli.terminal import say
from server.config.settings import Settings
from server.domain.channels import KEY_BYTES_MAX
from server.domain.components import known_by
from server.domain.principal import LOCAL
from server.service.checks import check_name, check_sku
from server.store.keys import Keyspace
from server.store.repositories.aliases import names_of
from server.store.repositories.channels import ChannelStore


@click.command("delete-listing")
@channel_argument
@click.option("--sku", help="The SKU whose own listing is deleted.")
@click.option("--key", help="The key of the pack or bundle that is deleted.")
@partition_option
@store_options
def delete_listing(channel: str, sku: str | None, key: str | None, partition: str, **overrides: object) -> None:
    """Delete a listing of a SKU, or a pack or bundle.

    The channel is told 0 under its key, which is free then. A SKU can be deleted once no listing names it. A second
    time changes nothing.

    \b
      holdfast channels delete-listing my-shop --sku TS-1001-SİYAH-M
      holdfast channels delete-listing my-shop --key 8680000000062
    """  # noqa: D301  # click needs the character, not the two
    if (sku is None) is (key is None):
        raise click.UsageError("Name either --sku or, for a pack or bundle, --key.")
    is_deleted = run(_delete(quiet_settings(**overrides), partition, channel, sku, key))
    what = f"The listing of {sku}" if key is None else f"The pack or bundle {key}"
    say(f"{what} on {channel} is deleted." if is_deleted else f"{what} is not on {channel}; nothing changed.")


async def _delete(settings: Settings, partition: str, channel: str, sku: str | None, key: str | None) -> bool:
    async with opened_store(settings) as store:
        kept = ChannelStore(store.client, Keyspace(partition))
        check_known(channel, await standing(kept), partition)
        listed_as = await named(store, partition, lambda: _listed_as(sku, key))
        if sku is not None:
            listed_as, *_ = await names_of(store.client, Keyspace(partition), listed_as)
        return await kept.delete_listing(channel, listed_as, LOCAL.actor)


def _listed_as(sku: str | None, key: str | None) -> str:
    return check_sku("--sku", sku) if sku is not None else known_by(check_name("--key", key or "", KEY_BYTES_MAX))
