"""A rolling upgrade on a living store: two releases side by side under load, forward and back, all accounted for.

    python -m tests.rigs.rolling_upgrade --from v0.1.0

The servers are black boxes: processes that are started by the command line and talked to over HTTP, each release from
its own files. ``timeline`` says what happens when, ``stories`` what callers ask, ``balancer`` who answers them,
``expected`` what must be there afterwards, and ``checks`` whether it is.
"""
