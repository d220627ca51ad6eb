"""Nobody can hurt the others: each attack in turn, and what a neighbour with another key notices of it.

python -m tests.rigs.neighbours --only query
"""
