"""Names that a scrape gives, and names that the rules record: what rules, dashboards and pages may rest on."""

import re
from typing import Final

from prometheus_client import Counter, Histogram
from prometheus_client.metrics import MetricWrapperBase

from server.telemetry import metrics
from tests.support.prometheus import shipped_rules


def _names(metric: MetricWrapperBase) -> set[str]:
    if isinstance(metric, Histogram):
        return {f"{metric._name}_{part}" for part in ("bucket", "count", "sum")}
    return {f"{metric._name}_total" if isinstance(metric, Counter) else metric._name}


METRICS: Final = {metric._name for metric in vars(metrics).values() if isinstance(metric, MetricWrapperBase)}
"""As people call them: a histogram without its parts."""
SCRAPED: Final = {
    name for metric in vars(metrics).values() if isinstance(metric, MetricWrapperBase) for name in _names(metric)
}
RECORDED: Final = {rule["record"] for rule in shipped_rules() if "record" in rule}


def names_in(text: str) -> set[str]:
    """Find every name of ours in an expression or a text."""
    return set(re.findall(r"\bholdfast[_:][a-z_:0-9]+[a-z0-9]\b", text))
