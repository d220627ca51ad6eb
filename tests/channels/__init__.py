"""Adapters against simulated channels."""

import pytest

pytest.register_assert_rewrite("tests.channels.conformance", "tests.channels.ticket_conformance")
