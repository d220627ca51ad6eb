"""How old the index is that found what a page has."""

from server.schemas.common import time_of
from server.schemas.finding import IndexView
from server.service.documents import Freshness


def index_view(age: Freshness) -> IndexView:
    """Show how old the index is."""
    return IndexView(time_of(age.as_of_ms), age.seq, age.is_complete)
