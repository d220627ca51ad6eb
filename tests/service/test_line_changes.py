"""Changes of lines: what a body means, and that bodies of earlier releases keep their fingerprint."""

import pytest

from server.domain.operations.base import fingerprint
from server.schemas.reservations import ChangeLineBody, ChangeLinesBody


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        (ChangeLineBody(line=2, sku="T"), {"line": 2, "sku": "T"}),
        (ChangeLineBody(line=2, sku="T", location="main"), {"line": 2, "sku": "T", "location": "main"}),
    ],
)
def test_a_mapping_has_the_fingerprint_that_it_had_before_there_were_edits(
    line: ChangeLineBody, sent: dict[str, object]
) -> None:
    before = fingerprint("map_lines", "o", {"lines": [sent]})

    assert fingerprint("map_lines", "o", ChangeLinesBody([line])) == before
