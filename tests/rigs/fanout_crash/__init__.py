"""Crash runs of the publisher: killed often while it publishes to misbehaving channels, which must all end right."""
