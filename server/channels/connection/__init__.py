"""How a channel is reached, in both directions: client, limits, circuit breaker, addresses."""
