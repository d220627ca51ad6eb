"""Events to endpoints that merchants name."""
