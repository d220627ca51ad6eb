"""Shared by commands that list: how many entries, and what programs get."""

from typing import Any, Final

import click

SHOWN_MAX: Final = 50
LIMIT_MAX: Final = 10_000

limit_option: Final = click.option(
    "--limit", type=click.IntRange(1, LIMIT_MAX), default=SHOWN_MAX, show_default=True, help="How many, at most."
)


def as_page(name: str, found: list[Any], following: str) -> dict[str, Any]:
    """Return what programs get of a listing: its entries, and ``next``, empty where these are all."""
    return {name: found, "next": following}
