"""Crash runs of the publisher: killed again and again while it tells misbehaving channels, which must all end right."""
