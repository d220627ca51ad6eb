"""Writes the types of both clients from the OpenAPI description; a test finds what is not up to date."""
