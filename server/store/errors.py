"""Errors of the store itself; each message has what happened and what to do next."""


class StoreError(Exception):
    """The store cannot be used as asked. The message is meant for the operator."""


class StoreUrlError(StoreError):
    """The store's URL cannot be used as it is written."""


class StoreUnavailableError(StoreError):
    """The store cannot be reached, refuses the login, or is still loading its data."""


class StoreMisconfiguredError(StoreError):
    """The store answers, but its settings break the guarantees; ``problems`` has one sentence for each."""

    def __init__(self, where: str, problems: list[str]) -> None:
        self.problems = problems
        listed = "".join(f"\n  - {problem}" for problem in problems)
        super().__init__(f"The settings of the store at {where} break Holdfast's guarantees. Correct them:{listed}")


class DataDirectoryError(StoreError):
    """The data directory cannot be used: not a directory, not writable, no space."""


class DataDirectoryInUseError(StoreError):
    """Another live process owns the data directory; ``pid`` is 0 if it is not known."""

    def __init__(self, message: str, pid: int) -> None:
        self.pid = pid
        super().__init__(message)


class StoreBinaryMissingError(StoreError):
    """There is no Valkey or Redis server on this machine that the embedded store could run."""


class StoreBinaryUnknownError(StoreError):
    """The program for the embedded store has another hash than it must have."""


class StoreStartError(StoreError):
    """The embedded store was started and did not come up; the message has the reason and what to do."""


class StoreDataDamagedError(StoreStartError):
    """The append-only file cannot be read as it is; ``holdfast repair`` may repair it."""


class FencedError(StoreError):
    """Another publisher holds the lease of this partition; nothing was written."""


class BackupError(StoreError):
    """A backup cannot be taken, read, or restored as asked; nothing was changed."""


class HalfRestoredError(StoreError):
    """A restore was interrupted, or still runs: the store has a part of a backup, and serves nobody."""


class DocumentsError(Exception):
    """The documents database does not answer, or does not exist; nothing changed there. No stock depends on it."""


class DocumentsUrlError(StoreError):
    """The URL of the documents database cannot be used."""


class TooManyPlacesError(Exception):
    """A request is about more places (a SKU at a location) than one may read or list; ``places_max`` is how many."""

    def __init__(self, places_max: int) -> None:
        self.places_max = places_max
        super().__init__(f"more than {places_max:,} places")


class OrderTooWideError(TooManyPlacesError):
    """An order or an explanation looks at more places than one may. Nothing happened."""


class SimilarNameError(Exception):
    """A name would be new and is like a known one, ``similar``; nothing was written."""

    def __init__(self, similar: str) -> None:
        self.similar = similar
        super().__init__(f"did you mean {similar}?")


class OverloadedError(Exception):
    """Too many operations are waiting for the store; this one was not processed."""


class OutcomeUnknownError(Exception):
    """The operation was sent and no answer came: it may have taken effect. Send it again with the same key."""
