"""Opens the simulated channels and writes the configuration file with which a server publishes to them."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

from server.cli.demo.simulated_channels import HOST, OnShown, Receiver, SimulatedChannel
from server.cli.demo.simulated_orders import SecondMarketplace, Seller, SellingMarketplace, SellingShop

CONFIG: Final = "channels.toml"
KINDS: Final = (SellingMarketplace, SecondMarketplace, SellingShop, Receiver)
NAMES: Final = tuple(kind.name for kind in KINDS)
"""The names of all simulated channels. A real channel should have another name."""
_ORDERS: Final = 'enabled = true\nship = "when_fulfilled"\n'


class Stage(NamedTuple):
    """Channels that listen, and the configuration file that names them."""

    channels: Sequence[SimulatedChannel]
    config: Path


@asynccontextmanager
async def open_stage(
    folder: Path, on_shown: OnShown | None = None, kinds: Sequence[Callable[[OnShown | None], SimulatedChannel]] = KINDS
) -> AsyncIterator[Stage]:
    """Open the channels; ``folder`` gets the configuration file and the made-up secrets.

    Parameters
    ----------
    folder
        It exists, and no other user can read it.
    on_shown
        Called with each number that a channel shows.
    kinds
        What makes the channels; each has another name.

    """
    channels = tuple(kind(on_shown) for kind in kinds)
    async with AsyncExitStack() as opened:
        for channel in channels:
            await channel.start()
            opened.push_async_callback(channel.stop)
        config = folder / CONFIG
        config.write_text("\n".join(_table(channel, folder) for channel in channels), "utf-8")
        yield Stage(channels, config)


def _table(channel: SimulatedChannel, folder: Path) -> str:
    """Write a channel's part of the file, and its secrets into files beside it."""
    for name, secret in channel.credentials.items():
        (folder / f"{channel.name}.{name}").write_text(secret, "utf-8")
    options = "\n".join(f"{name} = {json.dumps(value)}" for name, value in channel.options().items())
    credentials = "\n".join(f'{name} = {{ file = "{channel.name}.{name}" }}' for name in channel.credentials)
    return (
        f'[channels.{channel.name}]\nkind = "{channel.kind}"\nlistings = "all"\nallow_private = ["{HOST}"]\n'
        f"[channels.{channel.name}.options]\n{options}\n"
        f"[channels.{channel.name}.credentials]\n{credentials}\n"
        + (f"[channels.{channel.name}.orders]\n{_ORDERS}" if isinstance(channel, Seller) else "")
    )


def sellers_of(channels: Sequence[SimulatedChannel], server_url: str) -> list[Seller]:
    """Return the channels that sell, and let each notify a server of its orders from now on."""
    sellers = [channel for channel in channels if isinstance(channel, Seller)]
    for seller in sellers:
        seller.notifications = f"{server_url}/v1/notifications/{seller.name}"
    return sellers
