"""What the commands about channels share: how the channels of a partition stand, and finding the one that is meant."""

from collections.abc import Iterator
from datetime import UTC, datetime

import click
import msgspec

from server.cli.common import failure
from server.config.toml_tables import listed, nearest
from server.domain.channels import PUBLISHER_MISSING_MS, ChannelStatus, check_channel_name
from server.store.repositories.channels import ChannelStore


class Standing(msgspec.Struct, frozen=True):
    """The channels of which something is kept, and how they stood when their publisher last wrote."""

    channels: list[str]
    statuses: dict[str, ChannelStatus]
    now_ms: int

    def age_s(self, channel: str) -> float:
        """Tell how long ago a channel's publisher wrote."""
        return (self.now_ms - self.statuses[channel].written_ms) / 1000

    def published(self, channel: str) -> bool:
        """Whether somebody publishes a channel now."""
        status = self.statuses.get(channel)
        return status is not None and self.now_ms - status.written_ms <= PUBLISHER_MISSING_MS

    def remarks(self) -> Iterator[str]:
        """Say what the figures do not: who is not published, and what to do."""
        silent = [channel for channel in self.channels if not self.published(channel)]
        if not silent:
            return
        if len(silent) == len(self.channels):
            last_ms = max((status.written_ms for status in self.statuses.values()), default=None)
            when = "none has written yet" if last_ms is None else f"the last one wrote at {time_text(last_ms)}"
            yield f"No publisher is running: {when}. What changes now is told to the channels once one runs."
            return
        yield (
            f"Nobody publishes {listed(silent)}. If it was taken out of the configuration for good,"
            " `holdfast channels remove` forgets it."
        )


async def standing(store: ChannelStore) -> Standing:
    """Read how the channels stand."""
    statuses = await store.statuses()
    return Standing(await store.channels(), statuses, await store.now_ms())


def time_text(time_ms: int | None) -> str | None:
    """Write a time as RFC 3339, in UTC; None for none."""
    if time_ms is None:
        return None
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _channel(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    try:
        check_channel_name(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return value


channel_argument = click.argument("channel", callback=_channel)


def check_known(channel: str, found: Standing, partition: str) -> None:
    """Let pass a channel of which something is kept; else end with the nearest one.

    Raises
    ------
    click.ClickException
        Nothing is kept about it.

    """
    if channel not in found.channels:
        question = nearest(channel, found.channels) or "."
        text = f"Nothing is known about channel {channel!r} in partition {partition}{question}"
        raise failure(f"{text} Known: {listed(found.channels)}.")
