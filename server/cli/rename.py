"""``holdfast rename``: give a SKU another name. The old one goes on to work."""

import click

from server.cli.common import (
    failure,
    opened_store,
    partition_option,
    quiet_settings,
    reason_option,
    run,
    store_options,
)
from server.cli.files.command import allow_similar_option
from server.cli.terminal import say
from server.config.settings import Settings
from server.service.caller import local_caller
from server.service.checks import InvalidError
from server.service.old_names import heed_stored_names
from server.service.problems import ProblemError
from server.service.renames import rename_sku


@click.command()
@click.argument("sku")
@click.argument("to")
@allow_similar_option
@reason_option
@partition_option
@store_options
def rename(sku: str, to: str, *, allow_similar: bool, reason: str, partition: str, **overrides: object) -> None:
    """Give a SKU another name.

    Its units, reservations, listings, rules and reports follow. Requests and files that still use the old name mean the
    same SKU. A second time changes nothing.

    \b
      holdfast rename TS-1001-SİYAH-M TSHIRT-BLACK-M --reason "English names from now on"
    """  # noqa: D301  # click needs the character, not the two
    renaming = _rename(quiet_settings(**overrides), partition, sku, to, allow_similar=allow_similar, reason=reason)
    old, new = run(renaming)
    say(f"{old} is {new} now; the old name leads there.")


async def _rename(
    settings: Settings, partition: str, sku: str, to: str, *, allow_similar: bool, reason: str
) -> tuple[str, str]:
    async with opened_store(settings) as store:
        await heed_stored_names(store.client, partition)
        try:
            caller = local_caller(store, partition)
            return await rename_sku(caller, sku, to, allow_similar=allow_similar, reason=reason)
        except ProblemError as error:
            raise failure(f"{error.problem.title}. {error.problem.detail}") from None
        except InvalidError as error:
            raise click.UsageError(f"{error.field} {error.rule}") from None
