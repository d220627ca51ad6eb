"""Errands of people who work with Holdfast, each done by requests to the public API alone; see docs/errands.md."""
