"""HTTP: one module per resource, and what they share: authentication, problems, the description of the API."""
