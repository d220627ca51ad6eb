"""The embedded store: a Valkey or Redis server of our own, started, adopted, watched, stopped and repaired."""

from server.store.embedded.binary import ProgramChoice
from server.store.embedded.repair import repair
from server.store.embedded.supervisor import EmbeddedStore

__all__ = ["EmbeddedStore", "ProgramChoice", "repair"]
