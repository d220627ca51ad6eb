"""Holdfast: a low-latency async stock reservation server."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("holdfast")
except PackageNotFoundError:  # run from a bare checkout that was never installed
    __version__ = "0+unknown"
