"""A dry run of an import: it says what would be done, and changes nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click
import msgspec

from server.cli.common import heed_names, opened_store
from server.config.settings import Settings
from server.store.command_session import OpenStore, is_made

CHANGED_NOTHING: Final = "Dry run: nothing was changed."

dry_run_option: Final = click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")


@asynccontextmanager
async def opened_to_look(settings: Settings, partition: str) -> AsyncIterator[OpenStore]:
    """Open the store that the settings name, to read it; where none was made yet, an empty one that is gone then."""
    if is_made(settings.store_url, settings.data_dir):
        async with opened_store(settings) as store:
            if not await store.is_empty(partition):  # where nothing is stored, no name has to be looked at
                await heed_names(store, partition)
            yield store
        return
    with TemporaryDirectory(prefix="holdfast-") as nowhere:
        async with opened_store(msgspec.structs.replace(settings, data_dir=Path(nowhere)), create=True) as store:
            yield store
