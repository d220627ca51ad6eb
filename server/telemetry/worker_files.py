"""Where the metrics of worker processes are kept: in files named by the worker's number, not by its process.

So a worker that replaces another one goes on with its counters, and no restart leaves files behind.
"""

from collections.abc import Sequence
from typing import Final

from prometheus_client import values

WORKER_OPTION: Final = "--worker"
"""The option of ``holdfast serve`` that tells a worker its number."""


def name_files_by_worker(words: Sequence[str]) -> None:
    """Name the files by the number among the words of the command line. Comes before any metric is made."""
    if WORKER_OPTION in words:
        number = words[words.index(WORKER_OPTION) + 1]
        values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]
