"""``holdfast channels dead-letters``, ``reconcile`` and ``remove``: maintenance of a channel by hand."""

from typing import Any, Final

import click
import msgspec
from rich.table import Table
from rich.text import Text

from server.cli.channels.common import Standing, channel_argument, check_known, standing
from server.cli.common import (
    failure,
    json_option,
    named,
    opened_store,
    partition_option,
    quiet_settings,
    run,
    store_options,
)
from server.cli.terminal import confirm, console, print_json, progress_console, say
from server.cli.times import time_text
from server.config.settings import Settings
from server.domain.channels import DEAD_LETTERS_PER_PAGE_MAX, DeadLetter
from server.domain.components import sku_in
from server.domain.principal import LOCAL
from server.files.wording import counted
from server.service.checks import check_sku
from server.store.keys import Keyspace
from server.store.repositories.channels import ChannelStore

SHOWN_MAX: Final = 200
"""Dead letters on the terminal; --json prints all."""
_NOUNS: Final = {"listings": "listing", "shown": "shown value", "dead_letters": "dead letter", "tickets": "ticket"}
"""What is stored about a channel, in words."""


@click.command("dead-letters")
@channel_argument
@click.option("--sku", "skus", multiple=True, help="Only this SKU. Repeatable.")
@click.option("--retry", is_flag=True, help="Make the publisher send them again.")
@partition_option
@json_option
@store_options
def dead_letters(
    channel: str, skus: tuple[str, ...], retry: bool, partition: str, as_json: bool, **overrides: object
) -> None:
    """Show the values that a channel refuses, and why.

    A refused value is put aside, so that it does not delay the others. A quantity is sent again when the SKU's stock
    changes, a price when its listing does. To send them sooner, correct the cause and add --retry.

    \b
      holdfast channels dead-letters my-shop
      holdfast channels dead-letters my-shop --retry
      holdfast channels dead-letters my-shop --retry --sku TS-1001-SİYAH-M --sku TS-1001-SİYAH-L
    """  # noqa: D301  # click needs the character, not the two
    settings = quiet_settings(**overrides)
    found, letters = run(_dead_letters(settings, partition, channel, skus, retry=retry))
    if as_json:
        print_json([_as_json(letter) for letter in letters])
    elif letters:
        _print(channel, letters)
    else:
        say(f"{channel} has no dead letters." if not skus else f"{channel} has no dead letters of these SKUs.")
    if retry and letters:
        say(f"{counted(len(letters), 'dead letter')} will be sent again.", err=True)
        _remark(found, channel)
    missing = sorted(set(skus) - {letter.sku for letter in letters})
    if missing:
        raise failure(f"There is no dead letter of {', '.join(missing)}. Check the names.")


async def _dead_letters(
    settings: Settings, partition: str, channel: str, asked: tuple[str, ...], *, retry: bool
) -> tuple[Standing, list[DeadLetter]]:
    async with opened_store(settings) as store:
        kept = ChannelStore(store.client, Keyspace(partition))
        found = await standing(kept)
        check_known(channel, found, partition)
        skus = await named(store, partition, lambda: tuple(check_sku("--sku", sku) for sku in asked))
        letters = [letter async for letter in kept.dead_letters(channel) if not skus or letter.sku in skus]
        letters.sort(key=lambda letter: (-letter.last_ms, letter.sku))
        if retry and letters:
            wanted = list(dict.fromkeys(letter.sku for letter in letters)) if skus else []
            for start in range(0, max(1, len(wanted)), DEAD_LETTERS_PER_PAGE_MAX):
                part = wanted[start : start + DEAD_LETTERS_PER_PAGE_MAX]
                await kept.send_command(channel, "channel_retry", part, LOCAL.actor)
    return found, letters


def _print(channel: str, letters: list[DeadLetter]) -> None:
    title = f"{counted(len(letters), 'value')} that {channel} refuses"
    table = Table("SKU", "key", title=title, title_justify="left")
    table.add_column("refused")
    table.add_column("code")
    table.add_column("reason", overflow="fold", ratio=1)
    table.add_column("attempts", justify="right")
    table.add_column("last")
    for letter in letters[:SHOWN_MAX]:
        refused = f"price {letter.price}" if letter.field == "price" else f"quantity {letter.quantity:,}"
        cells = (sku_in(letter.sku), letter.key, refused, letter.code, letter.reason, f"{letter.attempts:,}")
        table.add_row(*(Text(cell) for cell in (*cells, time_text(letter.last_ms) or "")))
    console().print(table)
    if len(letters) > SHOWN_MAX:
        say(f"The table has the newest {SHOWN_MAX:,} of {len(letters):,}; --json prints all.")


def _as_json(letter: DeadLetter) -> dict[str, Any]:
    fields = msgspec.structs.asdict(letter) | {"sku": sku_in(letter.sku)}
    fields["first_at"], fields["last_at"] = time_text(fields.pop("first_ms")), time_text(fields.pop("last_ms"))
    return fields


@click.command()
@channel_argument
@partition_option
@store_options
def reconcile(channel: str, partition: str, **overrides: object) -> None:
    """Correct every value that a channel shows wrongly.

    It compares every value with what the channel shows, and corrects the differences. Run it after stock was changed
    in the channel's own panel, or when a channel has lost values. It runs beside the normal publishing, within the
    channel's rate limits. See the result with `holdfast channels status --json`.

    \b
      holdfast channels reconcile my-shop
    """  # noqa: D301  # click needs the character, not the two
    found = run(_reconcile(quiet_settings(**overrides), partition, channel))
    say(f"Every value will be compared with {channel}.")
    _remark(found, channel)


async def _reconcile(settings: Settings, partition: str, channel: str) -> Standing:
    async with opened_store(settings) as store:
        kept = ChannelStore(store.client, Keyspace(partition))
        found = await standing(kept)
        check_known(channel, found, partition)
        await kept.send_command(channel, "channel_reconcile", [], LOCAL.actor)
    return found


def _remark(found: Standing, channel: str) -> None:
    if not found.published(channel):
        text = f"No publisher runs for {channel} now; it happens once one has started."
        progress_console().print(text, soft_wrap=True)


@click.command()
@channel_argument
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@partition_option
@store_options
def remove(channel: str, yes: bool, partition: str, **overrides: object) -> None:
    """Delete all data about a channel that was removed.

    That is: its listings, confirmed values, dead letters, open tickets, rules, and its position in the journal. As long
    as the position is stored, the journal after it is kept, too. Nothing is sent to the channel; it keeps showing the
    last values.

    Remove the channel from the configuration file and restart the server first.

    \b
      holdfast channels remove old-shop
      holdfast channels remove old-shop --yes
    """  # noqa: D301  # click needs the character, not the two
    settings = quiet_settings(**overrides)
    counts = run(_stored(settings, partition, channel))
    what = ", ".join(counted(count, _NOUNS[name]) for name, count in counts.items())
    if not yes:
        confirm(f"Delete all data about {channel} in partition {partition} ({what})?")
    run(_delete(settings, partition, channel))
    say(f"Deleted: {channel} ({what}).")


async def _stored(settings: Settings, partition: str, channel: str) -> dict[str, int]:
    async with opened_store(settings) as store:
        kept = ChannelStore(store.client, Keyspace(partition))
        _check_removable(channel, await standing(kept), partition)
        return await kept.kept(channel)


async def _delete(settings: Settings, partition: str, channel: str) -> None:
    async with opened_store(settings) as store:
        kept = ChannelStore(store.client, Keyspace(partition))
        _check_removable(channel, await standing(kept), partition)
        await kept.forget(channel, LOCAL.actor)


def _check_removable(channel: str, found: Standing, partition: str) -> None:
    check_known(channel, found, partition)
    if found.published(channel):
        raise failure(
            f"{channel} is still published by {found.statuses[channel].publisher}, which would write its data again."
            f" Remove [channels.{channel}] from the configuration file, restart, and try again some seconds later."
        )
