"""What a file that came in over HTTP changes, or an undo of one."""

from server.api.http.app_state import AppState
from server.files.file_import import Target
from server.service.caller import Caller
from server.store.command_session import OpenStore


def file_target(state: AppState, caller: Caller) -> Target:
    """Return the store and the partition of a request, on behalf of its key, at the pace of its bulk requests."""
    store = OpenStore("", state.client, state.batcher, state.retention)
    partition = caller.partition
    return Target(store, partition.keyspace.partition, caller.actor, in_flight=partition.bulk_at_once)
