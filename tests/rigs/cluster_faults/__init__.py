"""Faults of stores that run on several servers: failovers, and slots that move, each an async function.

python -m tests.rigs.cluster_faults --seed 7
"""
