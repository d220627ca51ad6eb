"""How often the configuration was taken over anew."""

from typing import Final

from prometheus_client import Counter

CONFIGURATION_RELOADS: Final = Counter(
    "holdfast_configuration_reloads_total",
    "Times that SIGHUP asked for the configuration file anew, by what came of it: done, or refused.",
    ("result",),
)
