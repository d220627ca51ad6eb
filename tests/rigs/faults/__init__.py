"""Faults on real processes, one small class each, and one table of what came of them.

python -m tests.rigs.faults --seed 7
"""
