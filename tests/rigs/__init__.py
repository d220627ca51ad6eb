"""Rigs: long runs of whole systems that a person starts by hand, each with a short form among the soak tests."""
