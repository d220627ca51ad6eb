"""What goes wrong with the store itself; each message says what happened and what to do next."""


class StoreError(Exception):
    """The store cannot be used as asked. The message is meant for the operator."""


class StoreUrlError(StoreError):
    """The store's URL cannot be used as it is written."""


class StoreUnavailableError(StoreError):
    """The store cannot be reached, or does not let us in, or is still loading its data."""


class StoreMisconfiguredError(StoreError):
    """The store answers, but its settings cannot keep the promises; ``problems`` has one sentence for each."""

    def __init__(self, where: str, problems: list[str]) -> None:
        self.problems = problems
        listed = "".join(f"\n  - {problem}" for problem in problems)
        super().__init__(f"The store at {where} cannot keep what Holdfast promises:{listed}")


class DataDirectoryError(StoreError):
    """The data directory cannot be used: not a directory, not writable, no space."""


class DataDirectoryInUseError(StoreError):
    """Another live process owns the data directory; ``pid`` is 0 where it is not known."""

    def __init__(self, message: str, pid: int) -> None:
        self.pid = pid
        super().__init__(message)


class StoreBinaryMissingError(StoreError):
    """There is no Valkey or Redis server on this machine that the embedded store could run."""


class StoreStartError(StoreError):
    """The embedded store was started and did not come up; the message says why and what to do."""


class StoreDataDamagedError(StoreStartError):
    """The append-only file cannot be read as it is; ``holdfast repair`` may mend it."""


class FencedError(StoreError):
    """Another publisher holds the lease of this partition by now; nothing was written."""


class OverloadedError(Exception):
    """Too many operations are waiting for the store. Nothing happened."""


class OutcomeUnknownError(Exception):
    """The operation was sent and no answer came: it may or may not have taken effect. Ask again with the same key."""
