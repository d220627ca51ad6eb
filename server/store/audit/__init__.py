"""Holds counters, reservations and journal against each other."""
