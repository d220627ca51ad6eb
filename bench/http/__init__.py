"""Reserves over HTTP: throughput, latency, and the way of one request."""
