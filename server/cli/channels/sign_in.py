"""``holdfast channels sign-in``: bring what a channel with credentials that change needs to begin."""

import asyncio
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from server.channels.connection.adapter_registry import sign_in_with
from server.cli.channels.common import channel_argument, standing
from server.cli.common import channels_of, failure, opened_store, partition_option, quiet_settings, run, store_options
from server.cli.terminal import ask_secret, say
from server.config.secret_keys import secret_keys
from server.config.settings import ConfigError, Settings
from server.config.toml_tables import ChannelConfigError, listed
from server.domain.channels import ChannelSettings
from server.domain.kept_tokens import GIVEN_LIFE_MS, SECRET_BYTES_MAX, Given
from server.domain.similar_names import did_you_mean
from server.store.command_session import OpenStore
from server.store.keys import Keyspace
from server.store.repositories.channel_tokens import TokenStore
from server.store.repositories.channels import ChannelStore
from server.store.repositories.sealing import Sealer, SealError

WAIT_S: Final = 30.0
"""A publisher looks each second, and a channel answers within some."""
_LOOK_S: Final = 0.1


@click.command("sign-in")
@channel_argument
@click.option("--with", "what", default="", help="What you bring, where the kind of channel takes several things.")
@click.option(
    "--from",
    "path",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The file that has it [standard input].",
)
@partition_option
@store_options
def sign_in(channel: str, what: str, path: Path | None, partition: str, **overrides: object) -> None:
    """Sign in to a channel whose credentials change.

    What the channel has given you, such as a code or a refresh token, is read from a file or from standard input, never
    from the command line. It is stored encrypted with HOLDFAST_SECRET_KEY, and the publisher exchanges it for tokens,
    which it keeps and renews from then on. This command waits for that.

    docs/channels.md says for each kind what to bring and where you get it.

    \b
      holdfast channels sign-in my-shop
      holdfast channels sign-in my-shop --with refresh_token --from token.txt
    """  # noqa: D301  # click needs the character, not the two
    settings = quiet_settings(**overrides)
    try:
        configured = channels_of(settings, partition)
        keys = secret_keys(settings)
        able = _able(configured, channel, partition)
    except (ConfigError, ChannelConfigError) as error:
        raise failure(str(error)) from None
    if not keys:
        raise failure("Set HOLDFAST_SECRET_KEY to the key of the server: what you bring is stored encrypted with it.")
    if what and what not in able:
        raise failure(f"--with {what}: {configured[channel].kind} takes {listed(able)}.")
    what = what or able[0]
    fault = run(_give(settings, partition, channel, (what, _secret(what, path)), Sealer(keys)))
    if fault is None:
        minutes = GIVEN_LIFE_MS // 60_000
        say(
            f"No publisher has taken it for {channel} yet. One that starts within {minutes} minutes takes it;"
            f" `holdfast channels status` shows it. Start holdfast serve with the same key."
        )
        sys.exit(1)
    if fault:
        raise failure(f"{channel} did not sign in: {fault}")
    say(f"{channel} is signed in.")


def _able(configured: dict[str, ChannelSettings], channel: str, partition: str) -> Sequence[str]:
    """Return what a channel can be signed in with, or end the command."""
    if channel not in configured:
        question = did_you_mean(channel, configured) or "."
        known = f" Known: {listed(configured)}." if configured else " Set HOLDFAST_CONFIG to the server's file."
        raise failure(f"Channel {channel!r} is not configured in partition {partition}{question}{known}")
    able = sign_in_with(configured[channel])
    if not able:
        raise failure(f"{channel} needs no sign-in: the credentials of {configured[channel].kind} do not change.")
    return able


def _secret(what: str, path: Path | None) -> str:
    if path is not None:
        with path.open("rb") as file:
            content = file.read(SECRET_BYTES_MAX + 1)
    elif sys.stdin.isatty():
        content = ask_secret(what).encode()
    else:
        content = sys.stdin.buffer.read(SECRET_BYTES_MAX + 1)
    try:
        secret = content.decode().strip()
    except UnicodeDecodeError:
        secret = ""
    if not secret or len(content) > SECRET_BYTES_MAX or not secret.isprintable():
        raise failure(
            f"What was read is no {what}: it must be one line of text, of {SECRET_BYTES_MAX:,} bytes at most."
        )
    return secret


async def _give(
    settings: Settings, partition: str, channel: str, brought: tuple[str, str], sealer: Sealer
) -> str | None:
    """Leave what was brought for the publisher; return why it failed, empty where it did not; None: nobody took it."""
    async with opened_store(settings) as store:
        return await _exchanged(store, Keyspace(partition), channel, brought, sealer)


async def _exchanged(
    store: OpenStore, keyspace: Keyspace, channel: str, brought: tuple[str, str], sealer: Sealer
) -> str | None:
    tokens = TokenStore(store.client, keyspace, channel, sealer)
    channels = ChannelStore(store.client, keyspace)
    what, secret = brought
    given = Given(id=secrets.token_hex(8), what=what, secret=secret, given_ms=await channels.now_ms())
    await tokens.give(given)
    until_s = time.monotonic() + WAIT_S
    while time.monotonic() < until_s and (await standing(channels)).published(channel):
        try:
            kept = await tokens.read()
        except SealError as error:
            return f"{error}"
        if kept is not None and kept.sign_in == given.id:
            return kept.sign_in_fault
        await asyncio.sleep(_LOOK_S)
    return None
