"""Headers that have one value: a second one may be what a proxy in front has looked at."""

from aiohttp import web

from server.service.checks import InvalidError


def header_once(request: web.BaseRequest, name: str) -> str | None:
    """Return a header; None: it was not sent.

    Raises
    ------
    InvalidError
        It was sent several times: a proxy in front may have looked at another one than this server would. aiohttp
        itself refuses a second ``Host``, ``Content-Type``, ``Content-Length`` and ``Transfer-Encoding``.

    """
    sent = request.headers.getall(name, None)
    if sent is None:
        return None
    if len(sent) > 1:
        raise InvalidError(str(name), f"must be sent once; this request has it {len(sent)} times")
    return sent[0]
