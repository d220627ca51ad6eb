"""``holdfast channels dead-letters``, ``reconcile`` and ``remove``: what is asked of a channel by hand."""

from typing import Any, Final

import click
import msgspec
from rich.table import Table
from rich.text import Text

from server.cli.channels.common import Standing, channel_argument, check_known, standing, time_text
from server.cli.common import (
    console,
    failure,
    json_option,
    opened_store,
    partition_option,
    print_json,
    progress_console,
    quiet_settings,
    run,
    store_options,
)
from server.config.settings import Settings
from server.domain.channels import DEAD_LETTERS_PER_PAGE_MAX, DeadLetter
from server.domain.principal import LOCAL
from server.store.keys import Keyspace
from server.store.repositories.channels import ChannelStore

SHOWN_MAX: Final = 200
"""Dead letters on the terminal; --json tells all."""


@click.command("dead-letters")
@channel_argument
@click.option("--sku", "skus", multiple=True, help="Only this SKU. Repeatable.")
@click.option("--retry", is_flag=True, help="Ask the publisher to try them again.")
@partition_option
@json_option
@store_options
def dead_letters(
    channel: str, skus: tuple[str, ...], retry: bool, partition: str, as_json: bool, **overrides: object
) -> None:
    """Show what a channel refuses, with the channel's own reason.

    A value that the channel will not take is put aside, so that it does not hold up the others. It is sent again when
    the SKU's stock changes, or when you ask for it, after whatever was wrong has been mended.

    \b
      holdfast channels dead-letters my-shop
      holdfast channels dead-letters my-shop --retry
      holdfast channels dead-letters my-shop --retry --sku TS-1001-M --sku TS-1001-L
    """  # noqa: D301  # click needs the character, not the two
    settings = quiet_settings(**overrides)
    found, letters = run(_dead_letters(settings, partition, channel, skus, retry=retry))
    if as_json:
        print_json([_as_json(letter) for letter in letters])
    elif letters:
        _print(channel, letters)
    else:
        click.echo(f"{channel} has no dead letters." if not skus else f"{channel} has no dead letters of these SKUs.")
    if retry and letters:
        click.echo(f"Asked for another try of {len(letters):,}.", err=True)
        _remark(found, channel)
    missing = sorted(set(skus) - {letter.sku for letter in letters})
    if missing:
        raise failure(f"No dead letter of {', '.join(missing)}: nothing to show or to try again there.")


async def _dead_letters(
    settings: Settings, partition: str, channel: str, skus: tuple[str, ...], *, retry: bool
) -> tuple[Standing, list[DeadLetter]]:
    async with opened_store(settings) as store:
        kept = ChannelStore(store.client, Keyspace(partition))
        found = await standing(kept)
        check_known(channel, found, partition)
        letters = [letter async for letter in kept.dead_letters(channel) if not skus or letter.sku in skus]
        letters.sort(key=lambda letter: (-letter.last_ms, letter.sku))
        if retry and letters:
            wanted = [letter.sku for letter in letters] if skus else []
            for start in range(0, max(1, len(wanted)), DEAD_LETTERS_PER_PAGE_MAX):
                part = wanted[start : start + DEAD_LETTERS_PER_PAGE_MAX]
                await kept.ask(channel, "channel_retry", part, LOCAL.actor)
    return found, letters


def _print(channel: str, letters: list[DeadLetter]) -> None:
    title = f"{len(letters):,} values that {channel} refuses"
    table = Table("SKU", "key", title=title, title_justify="left")
    table.add_column("quantity", justify="right")
    table.add_column("code")
    table.add_column("reason", overflow="fold", ratio=1)
    table.add_column("attempts", justify="right")
    table.add_column("last")
    for letter in letters[:SHOWN_MAX]:
        cells = (letter.sku, letter.key, f"{letter.quantity:,}", letter.code, letter.reason, f"{letter.attempts:,}")
        table.add_row(*(Text(cell) for cell in (*cells, time_text(letter.last_ms) or "")))
    console().print(table)
    if len(letters) > SHOWN_MAX:
        click.echo(f"The newest {SHOWN_MAX:,} of {len(letters):,} are shown; --json tells all.")


def _as_json(letter: DeadLetter) -> dict[str, Any]:
    told = msgspec.structs.asdict(letter)
    told["first_at"], told["last_at"] = time_text(told.pop("first_ms")), time_text(told.pop("last_ms"))
    return told


@click.command()
@channel_argument
@partition_option
@store_options
def reconcile(channel: str, partition: str, **overrides: object) -> None:
    """Compare everything with what a channel really shows, and mend what differs.

    For after somebody changed stock in the channel's own panel, or when a channel has lost what it was told. It is
    done beside the daily work, within the channel's limits; what it found stands in `holdfast channels status --json`.

    \b
      holdfast channels reconcile my-shop
    """  # noqa: D301  # click needs the character, not the two
    found = run(_reconcile(quiet_settings(**overrides), partition, channel))
    click.echo(f"Asked for a comparison of everything with {channel}.")
    _remark(found, channel)


async def _reconcile(settings: Settings, partition: str, channel: str) -> Standing:
    async with opened_store(settings) as store:
        kept = ChannelStore(store.client, Keyspace(partition))
        found = await standing(kept)
        check_known(channel, found, partition)
        await kept.ask(channel, "channel_reconcile", [], LOCAL.actor)
    return found


def _remark(found: Standing, channel: str) -> None:
    if not found.published(channel):
        text = f"Nobody publishes {channel} now; it is done once a server that does has started."
        progress_console().print(text, markup=False, soft_wrap=True)


@click.command()
@channel_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@partition_option
@store_options
def remove(channel: str, yes: bool, partition: str, **overrides: object) -> None:
    """Forget everything that is kept about a channel that is no longer configured.

    That is its listings, what it last confirmed, its dead letters, open tickets and rules, and the place up to which
    it has followed the journal: as long as that is kept, the journal behind it is kept, too. The channel itself is
    told nothing; it goes on showing what it shows.

    Take the channel out of the configuration file first and restart.

    \b
      holdfast channels remove old-shop
      holdfast channels remove old-shop --yes
    """  # noqa: D301  # click needs the character, not the two
    settings = quiet_settings(**overrides)
    counts = run(_kept(settings, partition, channel))
    what = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())
    if not yes:
        click.confirm(f"Forget all about {channel} in partition {partition} ({what})?", abort=True)
    run(_forget(settings, partition, channel))
    click.echo(f"Forgotten: {channel} ({what}).")


async def _kept(settings: Settings, partition: str, channel: str) -> dict[str, int]:
    async with opened_store(settings) as store:
        kept = ChannelStore(store.client, Keyspace(partition))
        _check_removable(channel, await standing(kept), partition)
        return await kept.kept(channel)


async def _forget(settings: Settings, partition: str, channel: str) -> None:
    async with opened_store(settings) as store:
        kept = ChannelStore(store.client, Keyspace(partition))
        _check_removable(channel, await standing(kept), partition)
        await kept.forget(channel)


def _check_removable(channel: str, found: Standing, partition: str) -> None:
    check_known(channel, found, partition)
    if found.published(channel):
        raise failure(
            f"{channel} is still being published, by {found.statuses[channel].publisher}, which would write it anew."
            f" Take [channels.{channel}] out of the configuration file, restart, and try again some seconds later."
        )
