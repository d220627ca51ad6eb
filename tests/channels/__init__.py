"""Adapters against simulated channels."""

import pytest

pytest.register_assert_rewrite("adapters.testing.conformance", "adapters.testing.ticket_conformance")
