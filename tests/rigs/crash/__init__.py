"""Crash runs: a real server and store under load, killed again and again, and everything accounted for afterwards."""
