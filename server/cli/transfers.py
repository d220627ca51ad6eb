"""``holdfast transfers``: what is between two locations, and cancelling what never left."""

from collections.abc import Callable

import click

from server.cli.common import (
    counted,
    failure,
    named,
    opened_store,
    partition_option,
    quiet_settings,
    run,
    store_options,
)
from server.cli.terminal import say
from server.config.settings import Settings
from server.domain.answers import Refused
from server.domain.operations.transfers import CancelTransfer
from server.domain.outcomes import OUTCOMES
from server.domain.principal import LOCAL
from server.domain.transfer import TransferChanged
from server.service.checks import check_reference, check_reservation_id
from server.store.keys import Keyspace
from server.store.repositories.transfers import SCAN_COUNT, open_transfers


@click.group()
def transfers() -> None:
    """Show transfers that are on their way, and cancel one that never left.

    \b
      holdfast transfers list
      holdfast transfers cancel t-12 --reason "the van broke down"
    """  # noqa: D301  # click needs the character, not the two


@transfers.command("list")
@partition_option
@store_options
def list_(partition: str, **overrides: object) -> None:
    """List the transfers that are on their way, in no order.

    \b
      holdfast transfers list
    """  # noqa: D301  # click needs the character, not the two
    run(_list(quiet_settings(**overrides), partition))


async def _list(settings: Settings, partition: str) -> None:
    async with opened_store(settings) as store:
        after, found = "0", 0
        while after:
            page = await open_transfers(store.client, Keyspace(partition), after, SCAN_COUNT)
            for transfer_id, transfer in page.transfers:
                units = sum(line.in_transit for line in transfer.lines)
                way = f"{transfer.source} → {transfer.destination}"
                say(f"{transfer_id}: {way}, {counted(units, 'unit')} of {counted(len(transfer.lines), 'line')}")
            after, found = page.next, found + len(page.transfers)
        if not found:
            say("Nothing is on its way.")


@transfers.command()
@click.argument("transfer_id")
@click.option("--reason", help="A reason, kept in the journal.")
@partition_option
@store_options
def cancel(transfer_id: str, *, reason: str | None, partition: str, **overrides: object) -> None:
    """Cancel a transfer that never left: its units are at the source again.

    One of which units have arrived cannot be cancelled. Cancelling again changes nothing.

    \b
      holdfast transfers cancel t-12 --reason "the van broke down"
    """  # noqa: D301  # click needs the character, not the two

    def operation() -> CancelTransfer:
        target = check_reservation_id("TRANSFER_ID", transfer_id)
        return CancelTransfer("", LOCAL.actor, "", target, check_reference("--reason", reason))

    answer = run(_cancel(quiet_settings(**overrides), partition, operation))
    units, source = sum(line.cancelled for line in answer.transfer.lines), answer.transfer.source
    was = "was cancelled before" if answer.replayed else "is cancelled"
    say(f"{transfer_id} {was}: {counted(units, 'unit')} at {source}")


async def _cancel(settings: Settings, partition: str, make: Callable[[], CancelTransfer]) -> TransferChanged:
    async with opened_store(settings) as store:
        answer = await store.ledger(partition).run(await named(store, partition, make))
    if isinstance(answer, Refused):
        outcome = OUTCOMES[answer.outcome]
        raise failure(f"{outcome.title}. {outcome.detail}")
    return answer
