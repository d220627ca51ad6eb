"""Holds answers against the OpenAPI document: every status documented, every body as its schema says."""

import re
from functools import cache
from typing import Any

import jsonschema_rs
import msgspec

import server
from server.api.http import openapi
from server.api.routes import ROUTES


class Contract:
    """One OpenAPI document, ready to judge answers."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._paths = [(_pattern(template), operations) for template, operations in document["paths"].items()]
        self._validators: dict[str, Any] = {}

    def faults(self, method: str, path: str, status: int, content_type: str, body: object) -> list[str]:
        """Return what of an answer the document does not allow; ``body`` is decoded."""
        operation = self._operation(method, path.partition("?")[0])
        if operation is None:
            return []
        described = operation["responses"].get(str(status))
        if described is None:
            return [f"status {status} is not documented"]
        if "content" not in described:
            return [] if body is None else ["a body where none is documented"]
        media = described["content"].get(content_type)
        if media is None:
            return [f"{content_type} is not documented for status {status}"]
        errors = self._validator(media["schema"]).iter_errors(msgspec.to_builtins(body))
        return [f"{error.instance_path}: {error.message}" for error in errors]

    def _operation(self, method: str, path: str) -> Any:
        # A fixed path goes before one with names in it.
        for pattern, operations in sorted(self._paths, key=lambda each: each[0].groups):
            if pattern.fullmatch(path) and method.lower() in operations:
                return operations[method.lower()]
        return None

    def _validator(self, schema: dict[str, Any]) -> Any:
        name = str(schema)
        if name not in self._validators:
            whole = {**schema, "components": self.document["components"]}
            self._validators[name] = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        return self._validators[name]


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{\w+\\}", "([^/]+)", re.escape(template)))


@cache
def contract() -> Contract:
    """Return the contract of this version."""
    return Contract(openapi.document(ROUTES, server.__version__))
