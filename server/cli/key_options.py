"""Options of ``holdfast keys``: the scopes and the limits of a key."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import click

from server.domain.key_limits import REQUESTS_PER_S_MAX
from server.domain.limits import QUANTITY_MAX, TTL_S_MAX
from server.domain.principal import Scope

LIFTED: Final[Mapping[str, str]] = {
    "channel": "channel",
    "ttl-max-s": "ttl_max_s",
    "expires": "expires_at",
    "requests-per-s": "requests_per_s",
    "held-units-max": "held_units_max",
    "customer-units-max": "customer_units_max",
}
"""What a limit is called on the command line, and in a body."""

scope_option: Final = click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    help="What the key may do. Repeatable.",
)
_OPTIONS: Final = (
    click.option("--channel", default=None, help="Its reservations and orders are of this channel alone."),
    click.option(
        "--ttl-max-s", type=click.IntRange(1, TTL_S_MAX), default=None, help="The longest time that it holds units."
    ),
    click.option(
        "--expires", "expires_at", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]), default=None,
        help="When it ends, in UTC.",
    ),
    click.option(
        "--requests-per-s", type=click.IntRange(1, REQUESTS_PER_S_MAX), default=None,
        help="How many requests it may make in a second, at all servers together.",
    ),
    click.option(
        "--held-units-max", type=click.IntRange(1, QUANTITY_MAX), default=None,
        help="How many units it may hold at a time.",
    ),
    click.option(
        "--customer-units-max", type=click.IntRange(1, QUANTITY_MAX), default=None,
        help="How many of them for each customer_ref.",
    ),
)  # fmt: skip


def term_options(command: Any) -> Any:
    """Add the options that limit a key."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def named_terms(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Divide what a command was given into the limits that were named, and the settings."""
    names = set(LIFTED.values())
    terms = {name: _in_utc(options[name]) for name in names if options[name] is not None}
    return terms, {name: value for name, value in options.items() if name not in names}


def _in_utc(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
