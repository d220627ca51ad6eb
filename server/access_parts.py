"""Who is let in, as it is configured: API keys of the file, browsers' tokens, and web pages of other servers."""

from collections.abc import Iterable

from aiohttp import web

from server.api.http.cors import Cors
from server.api.http.wire import respond_problem
from server.config.config_file import ConfiguredKey
from server.config.origins import cors_origins
from server.config.secret_keys import secret_keys
from server.config.settings import Settings
from server.domain.browser_tokens import BrowserTokens
from server.domain.principal import ApiKey
from server.schemas.problems import Problem


def configured_keys(keys: Iterable[ConfiguredKey]) -> list[ApiKey]:
    """Make the API keys of the configuration file."""
    return [each.key for each in keys]


def browser_tokens(settings: Settings) -> BrowserTokens | None:
    """Make what signs browsers' tokens; None: no secret is set. Raises ConfigError."""
    secrets = secret_keys(settings)
    return BrowserTokens(secrets) if secrets else None


def cors(settings: Settings) -> Cors | None:
    """Make what answers browsers on behalf of pages; None: no origin is configured. Raises ConfigError."""
    origins = cors_origins(settings)
    return Cors(origins, _refuse) if origins else None


def _refuse(request: web.Request, sent: Problem) -> web.Response:
    return respond_problem(sent, request=request)
