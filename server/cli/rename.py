"""``holdfast rename``: give a SKU another name. The old one goes on to work."""

import click

from server.cli.common import failure, opened_store, partition_option, quiet_settings, run, store_options
from server.cli.csv.command import allow_similar_option
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
@partition_option
@store_options
def rename(sku: str, to: str, *, allow_similar: bool, partition: str, **overrides: object) -> None:
    """Give a SKU another name.

    Its units, reservations, listings, rules and reports follow. Requests and files that still use the old name mean the
    same SKU. A second time changes nothing.

    \b
      holdfast rename TS-1001 TSHIRT-BLACK-M
    """  # noqa: D301  # click needs the character, not the two
    old, new = run(_rename(quiet_settings(**overrides), partition, sku, to, allow_similar=allow_similar))
    say(f"{old} is {new} now; the old name leads there.")


async def _rename(settings: Settings, partition: str, sku: str, to: str, *, allow_similar: bool) -> tuple[str, str]:
    async with opened_store(settings) as store:
        await heed_stored_names(store.client, partition)
        try:
            return await rename_sku(local_caller(store, partition), sku, to, allow_similar=allow_similar)
        except ProblemError as error:
            raise failure(f"{error.problem.title}. {error.problem.detail}") from None
        except InvalidError as error:
            raise click.UsageError(f"{error.field} {error.rule}") from None
