"""docs/api/ and docs/metrics.md say what the code does: routes, outcomes, metrics, and examples that ran."""

import re
from typing import Any, cast

from aiohttp import web
from prometheus_client import Counter, Histogram
from prometheus_client.metrics import MetricWrapperBase

from server.api.http.api_examples import PAGES
from server.api.http.app_state import AppState
from server.api.routes import ROUTES
from server.app import build
from server.domain.outcomes import OUTCOMES
from server.telemetry import metrics
from server.telemetry.metrics_page import MetricsPage
from tests.support.docs_examples import API, NOT_SHOWN, comparable, examples, run, whole
from tests.support.http import ROOT

METRICS = ROOT / "docs" / "metrics.md"
HEADING = re.compile(r"^## `([A-Z]+) (/[^`]*)`$", re.MULTILINE)
EVERYWHERE = {"unauthorized", "forbidden", "overloaded", "store_unavailable", "outcome_unknown"}


def sections() -> dict[tuple[str, str], str]:
    """The text below each heading that names a route."""
    found: dict[tuple[str, str], str] = {}
    for page in API:
        _, *parts = HEADING.split(page.read_text("utf-8"))
        found |= {(parts[at], parts[at + 1]): parts[at + 2] for at in range(0, len(parts), 3)}
    return found


def app() -> web.Application:
    """The routes as they are served; nothing is started, so no part of the state is needed."""
    return build(cast("AppState", _Nothing()), page=MetricsPage(multiprocess=False))


class _Nothing:
    def __getattr__(self, name: str) -> Any:
        return None


def test_every_page_of_the_api_is_in_its_order() -> None:
    assert {page.name for page in API} == {path.name for path in API[0].parent.glob("*.md")}


def test_the_server_has_a_link_to_every_page() -> None:
    links = {path.name: path.resolve() for path in PAGES.iterdir()}

    assert links == {page.name: page for page in API}, "ln -s ../../../../docs/api/PAGE.md server/api/http/examples/"


async def test_every_route_is_documented_and_every_documented_route_exists() -> None:
    served = {
        (route.method, route.resource.canonical)
        for route in app().router.routes()
        if route.resource is not None and route.method not in ("*", "HEAD")
    }

    assert set(sections()) == served


def test_every_route_names_its_scope_its_limit_and_its_refusals() -> None:
    for route in ROUTES:
        text = sections()[route.method, route.path]
        [scope] = re.findall(r"^Scope `(\w+)`\.", text, re.MULTILINE)
        limits = re.findall(r"Body up to (\d+ [KM]iB)\.", text)
        refusals = re.search(r"Refusals: ([^.]*)\.", text)
        assert refusals is not None, route.path
        assert scope == route.scope
        assert limits == ([] if route.body is None else ["1 MiB" if route.body_bytes_max > 2**16 else "64 KiB"])
        assert set(re.findall(r"`(\w+)`", refusals[1])) - EVERYWHERE == set(route.refusals) - EVERYWHERE, route.path


def test_every_outcome_is_documented_with_its_status_and_words_and_every_documented_one_exists() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (yes|no) \| (.*) \|$", whole(), re.MULTILINE)

    assert rows == [
        (name, str(each.status), "yes" if each.retryable else "no", f"**{each.title}.** {each.detail}")
        for name, each in OUTCOMES.items()
    ]


def test_every_metric_is_documented_with_its_labels_and_every_documented_one_exists() -> None:
    rows = re.findall(r"^\| `(holdfast_\w+)` \| (\w+) \| ([^|]*) \|", METRICS.read_text("utf-8"), re.MULTILINE)

    assert {(name, kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows} == {
        (_name(metric), _kind(metric), metric._labelnames)
        for metric in vars(metrics).values()
        if isinstance(metric, MetricWrapperBase)
    }


def _name(metric: MetricWrapperBase) -> str:
    return f"{metric._name}" + ("_total" if isinstance(metric, Counter) else "")


def _kind(metric: MetricWrapperBase) -> str:
    return "counter" if isinstance(metric, Counter) else "histogram" if isinstance(metric, Histogram) else "gauge"


async def test_every_example_answers_as_the_document_says() -> None:
    found = examples(whole())

    answers = await run(found)

    for example, answer in zip(found, answers, strict=True):
        assert comparable(example.answer) == comparable(answer), example.request


def test_every_route_has_an_example() -> None:
    for name, text in sections().items():
        [*found] = examples(text)
        assert found, name
        assert all(example.answer.strip() != NOT_SHOWN for example in found)
