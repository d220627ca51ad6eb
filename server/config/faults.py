"""Gathers what is wrong with a configuration, so that all of it is said at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from server.config.toml_tables import ChannelConfigError


class ConfigError(Exception):
    """Something is configured wrongly; the message names each fault and what to write instead.

    ``faults`` has a sentence for each.
    """

    def __init__(self, *faults: str) -> None:
        self.faults = faults
        listed = "".join(f"\n  - {fault}" for fault in faults)
        super().__init__(faults[0] if len(faults) == 1 else f"{len(faults)} things are wrong:{listed}")


class Faults:
    """What was found. ``where`` stands before each fault that a table of the configuration file has."""

    def __init__(self, where: str = "") -> None:
        self.found: list[str] = []
        self._where = where

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Do a part of the work; what is wrong there does not keep the rest from being looked at."""
        try:
            yield
        except ChannelConfigError as error:
            self.found.append(f"{self._where}{error}")
        except ConfigError as error:
            self.found += error.faults

    def raise_if_any(self) -> None:
        """Raise ConfigError where something is wrong."""
        if self.found:
            raise ConfigError(*dict.fromkeys(self.found))
