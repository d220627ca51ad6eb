"""Shared by the commands about channels: the state of a partition's channels, and the check of a channel's name."""

from collections.abc import Iterator

import click
import msgspec

from server.cli.common import failure
from server.cli.times import time_text
from server.config.toml_tables import listed
from server.domain.channels import ChannelStatus, check_channel_name
from server.domain.similar_names import did_you_mean
from server.store.repositories.channels import ChannelStore


class Standing(msgspec.Struct, frozen=True):
    """The known channels, and their state when their publisher last wrote it."""

    channels: list[str]
    statuses: dict[str, ChannelStatus]
    now_ms: int

    def age_s(self, channel: str) -> float:
        """Return how long ago a channel's publisher wrote."""
        return (self.now_ms - self.statuses[channel].written_ms) / 1000

    def published(self, channel: str) -> bool:
        """Whether a publisher runs for a channel now."""
        status = self.statuses.get(channel)
        return status is not None and status.is_current(self.now_ms)

    def unconfigured(self) -> list[str]:
        """Name the channels for which something is kept, and which the publisher that runs does not know.

        It writes a status of each channel of its configuration. Where none runs, nobody can tell.
        """
        if not any(map(self.published, self.channels)):
            return []
        return [channel for channel in self.channels if channel not in self.statuses]

    def silent(self) -> list[str]:
        """Name the other channels without a publisher."""
        unconfigured = self.unconfigured()
        return [channel for channel in self.channels if not self.published(channel) and channel not in unconfigured]

    def remarks(self) -> Iterator[str]:
        """Name the channels without a publisher, and what to do."""
        for channel in self.unconfigured():
            yield (
                f"{channel} is not in the configuration of the server that publishes; its listings and rules are kept."
                f" Add it there, or remove them: holdfast channels remove {channel}"
            )
        silent = self.silent()
        if not silent:
            return
        if len(silent) == len(self.channels):
            last_ms = max((status.written_ms for status in self.statuses.values()), default=None)
            when = "there was none yet" if last_ms is None else f"the last one wrote at {time_text(last_ms)}"
            yield f"No publisher is running: {when}. Changes are published once one runs: start holdfast serve."
            return
        yield (
            f"No publisher runs for {listed(silent)}. If it was removed from the configuration for good,"
            " run `holdfast channels remove`."
        )


async def standing(store: ChannelStore) -> Standing:
    """Read the state of the channels."""
    statuses = await store.statuses()
    return Standing(await store.channels(), statuses, await store.now_ms())


def _channel(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    try:
        check_channel_name(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return value


channel_argument = click.argument("channel", callback=_channel)


def check_known(channel: str, found: Standing, partition: str) -> None:
    """Accept a known channel; end the command for another one, with the most similar name.

    Raises
    ------
    click.ClickException
        The channel is not known.

    """
    if channel not in found.channels:
        question = did_you_mean(channel, found.channels) or "."
        text = f"Channel {channel!r} is not known in partition {partition}{question}"
        raise failure(f"{text} Known: {listed(found.channels)}.")
