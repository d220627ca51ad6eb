"""The fan-out's engine in a world that is made up and repeatable: its time, its store, its channels, their faults.

Everything of ``server/channels`` but the sockets is the real thing. What is simulated is around it: an event loop whose
clock jumps (:mod:`~tests.rigs.simulation.loop`), a store that keeps hashes and a journal
(:mod:`~tests.rigs.simulation.store`), shops that fail in every way a request can
(:mod:`~tests.rigs.simulation.shop`), and processes that are killed. A number decides all of it, so a number that
fails can be run again.
"""
