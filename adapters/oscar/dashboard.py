"""The dashboard of a django-oscar shop, by which an order gets another status and pieces go through events.

The API only reads orders, so what is said about them goes the way of the shop's people: signed in, as a form. The
dashboard answers the same whether it did something or not; who has said something looks at the order again.
"""

import re
from hashlib import blake2b
from typing import Final
from urllib.parse import quote, urlencode

import msgspec

from adapters.contract.errors import ClosedError, CredentialsError
from adapters.contract.http import COMMANDS, WRITE, Answer, Exchange, Request, check_command, check_status
from adapters.contract.orders import LineQuantities
from adapters.oscar.shop import NOT_FOUND, OscarOptions

FORM: Final = "application/x-www-form-urlencoded"
_MOVED: Final = 302
_COOKIE: Final = re.compile(r"(?:^|, )([!#$%&'*+.^_`|~0-9A-Za-z-]+)=([^;,\s]*)")
"""Several cookies come joined by commas, and the date of one has a comma of its own."""
_CSRF_COOKIE: Final = "csrftoken"
_CSRF_BYTES: Final = 16

Form = list[tuple[str, str]]


class Dashboard:
    """One shop's dashboard. Keeps the session that it has signed in to."""

    def __init__(self, options: OscarOptions, username: str, password: str) -> None:
        self._base = options.base_url.rstrip("/")
        self._login = f"{self._base}{options.api_path}/login/"
        self._orders = f"{self._base}{options.dashboard_path}/orders/"
        self._who = {"username": username, "password": password}
        # Django compares what a cookie and a header say, and an attacker could set neither; so we choose both.
        self._token = blake2b(f"{username}\0{password}".encode(), digest_size=_CSRF_BYTES).hexdigest()
        self._cookies: dict[str, str] = {}

    def set_status(self, number: str, status: str) -> Exchange[bool]:
        """Ask for another status of an order; False: the dashboard has no such order."""
        return self._say(number, [("order_action", "change_order_status"), ("new_status", status)])

    def add_event(self, number: str, event: str, lines: LineQuantities, reference: str) -> Exchange[bool]:
        """Ask for a shipping event of some pieces; False: the dashboard has no such order."""
        form = [("line_action", "create_shipping_event"), ("shipping_event_type", event), ("reference", reference)]
        for key, pieces in lines:
            form += [("selected_line", key), (f"selected_line_qty_{key}", str(pieces))]
        return self._say(number, form)

    def _say(self, number: str, form: Form) -> Exchange[bool]:
        """Send a form; once more where the session had ended, since nothing was carried out then.

        Raises
        ------
        CredentialsError
            The dashboard does not let the user in.
        ClosedError
            The dashboard does not take the form.
        UnknownResultError
            The dashboard has answered with a page.

        """
        if not self._cookies:
            yield from self._sign_in()
        answer = yield self._form(number, form)
        if self._is_sent_to_sign_in(answer):
            yield from self._sign_in()
            answer = yield self._form(number, form)
            if self._is_sent_to_sign_in(answer):
                self._cookies = {}
                raise CredentialsError("the dashboard does not let this user in: it must be of the staff")
        if answer.status == _MOVED:
            return True
        if answer.status in (401, 403):
            self._cookies = {}
        check_command(answer)
        if answer.status == NOT_FOUND:
            return False
        raise ClosedError(f"the dashboard answers a form with HTTP {answer.status}")

    def _form(self, number: str, form: Form) -> Request:
        cookies = {_CSRF_COOKIE: self._token, **self._cookies}
        headers = {
            "Content-Type": FORM,
            "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
            "X-CSRFToken": cookies[_CSRF_COOKIE],
            "Referer": f"{self._base}/",  # Django asks for it where TLS is spoken
        }
        return Request("POST", f"{self._orders}{quote(number, safe='')}/", headers, urlencode(form).encode(), COMMANDS)

    def _sign_in(self) -> Exchange[None]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        answer = yield Request("POST", self._login, headers, msgspec.json.encode(self._who), WRITE)
        check_status(answer)
        cookies = {name: value for name, value in _COOKIE.findall(answer.headers.get("set-cookie", "")) if value}
        if not cookies:
            raise CredentialsError(f"the shop lets nobody sign in at its API: HTTP {answer.status}")
        self._cookies = cookies

    def _is_sent_to_sign_in(self, answer: Answer) -> bool:
        location = answer.headers.get("location", "").partition("?")[0]
        return answer.status == _MOVED and "/login" in location
