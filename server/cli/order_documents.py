"""Shared by the commands about orders: the documents database beside the store, and a caller who works with both."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click
from click.core import ParameterSource
from msgspec.structs import replace

from server.cli.common import channels_of, failure, heed_names, opened_store
from server.config.settings import Settings
from server.order_parts import order_documents
from server.service.caller import Caller, local_caller
from server.service.checks import InvalidError
from server.service.problems import ProblemError
from server.store.errors import DocumentsError


@asynccontextmanager
async def opened_orders(settings: Settings, partition: str) -> AsyncIterator[Caller]:
    """Open store and documents for a command; what is refused ends it with the reason."""
    channels = channels_of(settings, partition)
    async with opened_store(settings) as store:
        documents = order_documents(settings, store.client)
        await heed_names(store, partition)
        made = local_caller(store, partition)
        caller = Caller(made.principal, replace(made.partition, documents=documents, channels=channels))
        try:
            yield caller
        except ProblemError as error:
            raise failure(f"{error.problem.title}. {error.problem.detail}") from None
        except InvalidError as error:
            raise click.UsageError(f"{error.field} {error.rule}") from None
        except DocumentsError as error:
            raise failure(f"{error} Nothing changed.") from None
        finally:
            if documents is not None:
                await documents.close()


def refuse_misplaced(context: click.Context) -> None:
    """End a command that has options in front of the name of its part, where they would not count."""
    given = [name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if given:
        written = {each.name: each.opts[0] for each in context.command.params}
        raise click.UsageError(f"Write {written[given[0]]} behind {context.invoked_subcommand}.")
