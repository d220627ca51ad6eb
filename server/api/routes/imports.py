"""Imports of files: those that are remembered, and one taken back as far as nothing since contradicts."""

from typing import Final

from server.api.http.file_target import file_target
from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.domain.principal import Scope
from server.files.file_import import ImportStoppedError, Tally
from server.files.file_kinds import KINDS
from server.files.file_views import FIRST
from server.files.undo import STOCK_KINDS, Undone, choose, undo_stock
from server.files.undo_lists import undo_list
from server.schemas.common import time_of
from server.schemas.imports import ImportList, ImportView, NotTakenBack, UndoneView, UndoQuery
from server.schemas.problems import Problem
from server.service.checks import check_reason
from server.service.problems import ProblemError, problem
from server.store.repositories.imports import ImportRecord, ImportStore


async def read_many(call: Call) -> ImportList:
    """Read which imports are remembered, also those of commands."""
    records = await ImportStore(call.state.client, call.caller.partition.keyspace).all()
    return ImportList([_view(each) for each in records])


def _view(record: ImportRecord) -> ImportView:
    return ImportView(
        import_id=record.id,
        kind=record.kind,
        file=record.file,
        where=record.where,
        at=time_of(record.at_ms),
        actor=record.actor,
        rows=record.set,
        state=record.state,
        is_kept=record.keeps,
    )


async def undo(call: Call) -> UndoneView | Problem:
    """Take an import back, or say what would come of that. Repeated, it goes on, and what is done stays so."""
    query, wanted = call.query(UndoQuery), call.named("import_id")
    state, caller, why = call.state, call.caller, check_reason(query.reason)
    partition = caller.partition.keyspace.partition
    async with state.files.turn(partition):
        records = await ImportStore(state.client, caller.partition.keyspace).all()
        record = next((each for each in records if each.id == wanted), None)
        if record is None:
            return problem("unknown_import")
        _check_scope(call, record)
        if record.state == "undone":
            return _undone_view(record, Undone(before=record.set), applied=not query.dry_run)
        try:
            choose(records, wanted, interrupted=query.interrupted)
            done = await _taken_back(call, record, query, why)
        except ImportStoppedError as error:
            return problem("import_stays", str(error))
    return _undone_view(record, done, applied=not query.dry_run)


def _check_scope(call: Call, record: ImportRecord) -> None:
    scope = KINDS[record.kind].scope
    if not call.caller.principal.allows(scope):
        raise ProblemError(problem("forbidden", f"To take back this kind of file needs a key with the scope {scope}."))


async def _taken_back(call: Call, record: ImportRecord, query: UndoQuery, why: str) -> Undone:
    target = file_target(call.state, call.caller)
    if record.kind not in STOCK_KINDS:
        return await undo_list(target, record, only_look=query.dry_run, why=why)
    return await undo_stock(target, record, Tally(), may_be_short=query.short, only_look=query.dry_run, why=why)


def _undone_view(record: ImportRecord, done: Undone, *, applied: bool) -> UndoneView:
    refused = [NotTakenBack(what, why) for what, why in done.refused.items()]
    return UndoneView(
        import_id=record.id,
        kind=record.kind,
        file=record.file,
        applied=applied,
        taken_back=done.taken[:FIRST],
        taken_back_total=len(done.taken),
        before=done.before,
        refused=refused[:FIRST],
        refused_total=len(refused),
        stays=done.stays,
    )


_PATH: Final = "/v1/imports"

ROUTES = [
    Route("GET", _PATH, read_many, Scope.READ, "Read which imports are remembered", {200: ImportList}),
    Route(
        "POST", _PATH + "/{import_id}/undo", undo, Scope.STOCK, "Take an import back, or look at what would come of it",
        {200: UndoneView}, query=UndoQuery, outcomes=("invalid", "unknown_import", "import_stays"), share=Share.BULK,
    ),
]  # fmt: skip
