"""HTTP itself: routing, authentication, bodies in and out, problems, OpenAPI."""
