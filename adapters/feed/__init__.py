"""A supplier's feed: a list of SKUs and quantities as CSV, JSON or XML, at an address or in a file."""

from collections.abc import Mapping
from typing import Final

from adapters.contract.adapter import Kind
from adapters.feed.options import Options
from adapters.feed.source import Feed

__all__ = ["SOURCE", "Feed", "Options"]


def _build(options: Options, credentials: Mapping[str, str]) -> Feed:
    return Feed(options, credentials)


SOURCE: Final = Kind(
    name="feed",
    summary="A supplier's list of quantities, as CSV, JSON or XML, at an address or in a file",
    options=Options,
    credentials=(),
    optional_credentials=("username", "password", "token"),
    build=_build,
)
