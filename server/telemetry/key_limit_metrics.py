"""How many requests the limits of API keys have refused."""

from typing import Final

from prometheus_client import Counter

KEY_LIMIT_REFUSALS: Final = Counter(
    "holdfast_key_limit_refusals_total", "Requests refused by a limit that their API key was made with.", ("reason",)
)
