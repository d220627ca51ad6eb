"""Client libraries: ``python/`` and ``js/`` are packages of their own; ``generate/`` writes the types of both."""
