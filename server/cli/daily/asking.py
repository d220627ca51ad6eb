"""How a command for daily work asks the API: on a store that it opens itself, or of a server at ``--url``.

A key is never part of a command line, which everybody on the machine can read. It stands in a file or in the
environment.
"""

import asyncio
import secrets
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, NamedTuple, Protocol, TypeVar
from urllib.parse import quote

import click
import msgspec
from click.core import ParameterSource
from msgspec.structs import replace
from yarl import URL

from server.cli.api_key import key_option
from server.cli.common import (
    channels_of,
    failure,
    heed_names,
    json_option,
    opened_store,
    partition_option,
    quiet_settings,
    run,
    setting,
    sources_of,
    store_options,
)
from server.config.settings import Settings
from server.order_parts import opened_documents
from server.service.caller import Caller, local_caller

T = TypeVar("T")

TRIES: Final = 3
"""How often a request is sent that was not answered, or not carried out; it has an idempotency key where it writes."""
PAUSE_S: Final = 1.0
PAGE: Final = 200
"""The most that one page of a listing has."""
_JSON: Final = "application/json"
_AGAIN: Final = (429, 503)
_REFUSED: Final = 400
_HERE: Final = "http://here"


class Answered(NamedTuple):
    """An answer; ``status`` 0: there is none, and ``body`` says in words why."""

    status: int
    body: bytes


class Answers(Protocol):
    """What answers: the store here, or a server elsewhere."""

    async def answer(
        self, method: str, path: str, *, url: URL, names: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """Return status and body; status 0: nobody answered, and the body says why."""


class Api:
    """Asks the API; what is refused ends the command with the reason.

    ``again_s``: how long to wait before a request that was not carried out is sent again; None: it is not.
    """

    def __init__(self, answers: Answers, base: URL, *, again_s: float | None = None) -> None:
        self._answers = answers
        self._base = base
        self._again_s = again_s

    async def ask(
        self,
        method: str,
        path: str,
        *,
        names: Mapping[str, str] | None = None,
        query: Mapping[str, object] | None = None,
        body: object = None,
        key: str = "",
        again: str = "",
        unless: str = "",
    ) -> Any:
        """Ask, and return what the answer says.

        ``again``: options with which a repetition is the same. ``unless``: the refusal that is returned as None.

        Raises
        ------
        click.ClickException
            It was refused, or nobody answered; the message says what to do.

        """
        status, raw = await self._answer(method, path, names=names, query=query, body=body, key=key)
        if status == 0:
            raise failure(f"{raw.decode()}{_repeat(key, again)}")
        told = _decoded(raw)
        if status >= _REFUSED and unless and _outcome(told) == unless:
            return None
        if status >= _REFUSED:
            raise failure(refused(told) + (_repeat(key, again) if _outcome(told) == "outcome_unknown" else ""))
        return told

    async def _answer(
        self,
        method: str,
        path: str,
        *,
        names: Mapping[str, str] | None,
        query: Mapping[str, object] | None,
        body: object,
        key: str,
    ) -> Answered:
        headers = {"Accept": _JSON}
        if key:
            headers["Idempotency-Key"] = key
        raw = b""
        if body is not None:
            headers["Content-Type"], raw = _JSON, msgspec.json.encode(body)
        names = {name: _in_path(value) for name, value in (names or {}).items()}
        asked = URL(path.format(**{name: quote(value, safe="") for name, value in names.items()}), encoded=True)
        given = {name: _text(value) for name, value in (query or {}).items() if value not in (None, "")}
        url = self._base.join(asked).with_query(given) if given else self._base.join(asked)
        found = Answered(0, b"")
        for left in reversed(range(TRIES)):
            found = Answered(*await self._answers.answer(method, path, url=url, names=names, headers=headers, body=raw))
            if self._again_s is None or not left or (found.status and found.status not in _AGAIN):
                break
            await asyncio.sleep(self._again_s)
        return found

    async def pages(
        self, path: str, field: str, *, names: Mapping[str, str] | None = None, limit: int, **query: object
    ) -> tuple[list[Any], str]:
        """Read pages of a listing until there are ``limit`` entries; return these, and where it goes on, if it does."""
        found: list[Any] = []
        after = str(query.pop("after", ""))
        while True:
            asked = {**query, "limit": min(PAGE, limit - len(found)), "after": after}
            page = await self.ask("GET", path, names=names, query=asked)
            found += page[field]
            after = page["next"]
            if not after or len(found) >= limit:
                return found[:limit], after


def _in_path(value: str) -> str:
    """Write a name for a path: what begins with ~ would be read as base64url."""
    return f"~{urlsafe_b64encode(value.encode()).decode().rstrip('=')}" if value.startswith("~") else value


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _decoded(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw) if raw else None
    except msgspec.DecodeError:
        raise failure("What answers there is no Holdfast: its answer is not JSON. Check the URL.") from None


def refused(told: Any) -> str:
    """Say a refusal in words, with the fields and lines that it is about."""
    if not isinstance(told, dict) or "title" not in told:
        return "What answers there is no Holdfast, or a proxy before it refuses. Check the URL."
    fields = "".join(f"\n  {each['field']} {each['rule']}" for each in told.get("errors", ()))
    lines = "".join(f"\n  {_line(each)}" for each in told.get("lines", ()))
    return f"{told['title']}. {told['detail']}{fields}{lines}"


def _outcome(told: Any) -> str:
    return str(told.get("outcome", "")) if isinstance(told, dict) else ""


def _line(each: Mapping[str, Any]) -> str:
    what = f"{each['sku']} at {each['location']}"
    return f"line {each['line']}: {what}, {each['requested']:,} asked for, {each['available']:,} there"


def _repeat(key: str, again: str) -> str:
    return f" It may have taken effect. To be sure, run it again with --once {key}{again}" if key else ""


# -- the options


class Where(NamedTuple):
    """On what a command works: a partition of the store here, or what the key of a server elsewhere opens."""

    settings: Settings
    partition: str


_url_option: Final = setting("url", "A server to ask, such as https://stock.example [the store here].", metavar="URL")
once_option: Final = click.option(
    "--once", metavar="NAME", default="", help="Have one effect, however often it is run with this name [a new name]."
)


def api_options(command: Any) -> Any:
    """Add the options that choose where a command asks; it passes them to :func:`asked`."""
    return _url_option(key_option(partition_option(json_option(store_options(command)))))


def asked(work: Callable[[Api], Awaitable[T]], *, partition: str, failure_code: int = 1, **overrides: object) -> T:
    """Have a command ask, and return what came of it; an error ends the command."""
    where = chosen(partition=partition, **overrides)

    async def ask() -> T:
        async with opened_api(where) as api:
            return await work(api)

    try:
        return run(ask(), failure_code=failure_code)
    except click.ClickException as error:
        if error.exit_code == 1:
            raise failure(error.message, failure_code) from None
        raise


def chosen(*, partition: str, **overrides: object) -> Where:
    """Return where a command asks."""
    context = click.get_current_context()
    if overrides.get("url") and (overrides.get("data_dir") or overrides.get("store_url")):
        raise click.UsageError("Name a server with --url, or a store, not both.")
    settings = quiet_settings(**overrides)
    if settings.url and context.get_parameter_source("partition") is ParameterSource.COMMANDLINE:
        raise click.UsageError(
            "The key decides on the partition of a server. Leave out --partition, or use another key."
        )
    if overrides.get("key_file") and not settings.url:
        raise click.UsageError("A key is for a server. Name it with --url.")
    return Where(settings, partition)


@asynccontextmanager
async def opened_api(where: Where) -> AsyncIterator[Api]:
    """Open the store, or the connection to the server."""
    if where.settings.url:
        from server.cli.daily.remote import opened_server  # noqa: PLC0415  # most commands work here

        async with opened_server(where.settings) as (answers, base):
            yield Api(answers, base, again_s=PAUSE_S)
        return
    from server.local_api import LocalApi  # noqa: PLC0415  # all routes: nothing for who asks elsewhere

    async with AsyncExitStack() as opened:
        store = await opened.enter_async_context(opened_store(where.settings))
        await heed_names(store, where.partition)
        made = local_caller(store, where.partition)
        documents = opened_documents(where.settings, store.client, opened)
        parts = {
            "documents": documents,
            "channels": channels_of(where.settings, where.partition),
            "sources": sources_of(where.settings, where.partition),
        }
        caller = Caller(made.principal, replace(made.partition, **parts))
        yield Api(LocalApi(store, caller), URL(_HERE))


def key_of(name: str) -> str:
    """Return the idempotency key of a command that writes: the name that was given, or a new one."""
    return name or f"cli-{secrets.token_hex(8)}"
