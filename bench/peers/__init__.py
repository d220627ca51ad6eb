"""Holdfast side by side with what people would use in its place: Postgres, Redis as in most examples, and Medusa."""
