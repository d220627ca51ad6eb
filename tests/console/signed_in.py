"""A session of the console, used as a browser on our own page uses it: a cookie, and the token beside it."""

from typing import Any, NamedTuple

from tests.support.http import Answer, Api, Key


class Session(NamedTuple):
    """A cookie, the token beside it, and requests with them as a browser on our page sends them."""

    api: Api
    cookie: str
    csrf: str
    set_cookie: str

    async def send(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Send a request; ``headers`` by their names with underscores, empty: without it."""
        sent = {
            "Cookie": self.cookie,
            "X-CSRF-Token": self.csrf,
            "Sec-Fetch-Site": "same-origin",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        options: dict[str, Any] = {} if body is None else {"body": body}
        return await self.api.send(method, path, headers={k: v for k, v in sent.items() if v}, **options)


async def signed_in(anybody: Api, key: Key, person: str = "Ayşe", **headers: str) -> Session:
    """Sign in with a key; ``headers`` come along."""
    sent = {"Authorization": f"Bearer {key.token}", **headers}
    answer = await anybody.post("/v1/console/session", {"person": person}, headers=sent)
    view = answer.ok(201)
    set_cookie = answer.headers["Set-Cookie"]
    return Session(anybody, set_cookie.partition(";")[0], view["csrf_token"], set_cookie)
