"""Writes the types of the Python client: a msgspec struct for each answer, and for each part of a body."""

import re
import textwrap
from collections.abc import Iterable, Iterator
from keyword import iskeyword
from typing import Final

from clients.generate.schemas import (
    COMMON,
    ByName,
    Either,
    Field,
    Kind,
    Many,
    Plain,
    Reference,
    Schema,
    Words,
    by_group,
    of_other_groups,
    parts,
)

WIDTH: Final = 120
_PLAIN: Final = {
    "text": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "time": "datetime",
    "date": "date",
    "anything": "object",
}
_HEAD: Final = '"""{about}\n\nWritten by ``python -m clients.generate``; a test compares it with the API.\n"""\n'


def files(schemas: list[Schema]) -> dict[str, str]:
    """Return the text of each module, by its name."""
    kept = [schema for schema in schemas if not schema.sent or _is_part(schema, schemas)]
    modules = {group: _module(group, members, kept) for group, members in by_group(kept).items()}
    return {f"{group}.py": text for group, text in modules.items()} | {"__init__.py": _index(kept)}


def _is_part(schema: Schema, schemas: Iterable[Schema]) -> bool:
    """Tell whether a body is part of another; one that is none is the parameters of a method."""
    return any(schema.name in parts(each) for each in schemas if each.sent)


def _index(schemas: list[Schema]) -> str:
    lines = [f"from holdfast.types.{schema.group} import {schema.name} as {schema.name}" for schema in schemas]
    return _HEAD.format(about="The types of what is sent and answered.") + "\n" + "\n".join(sorted(lines)) + "\n"


def _module(group: str, schemas: list[Schema], known: list[Schema]) -> str:
    body = "\n\n\n".join(_struct(schema) for schema in schemas)
    about = "What several resources send and answer." if group == COMMON else f"What is sent and answered: {group}."
    return _HEAD.format(about=about) + "\n" + _imports(group, schemas, body, known) + "\n\n\n" + body + "\n"


def _imports(group: str, schemas: list[Schema], body: str, known: list[Schema]) -> str:
    lines = []
    days = [name for name in ("date", "datetime") if re.search(rf": {name}\b|\b{name} \|", body)]
    if days:
        lines.append(f"from datetime import {', '.join(days)}")
    if "Literal[" in body:
        lines.append("from typing import Literal")
    lines += ["", "import msgspec"] if lines else ["import msgspec"]
    needed = set[str]().union(*map(parts, schemas))
    for other, names in of_other_groups(needed, group, known).items():
        lines += ["", f"from holdfast.types.{other} import {', '.join(names)}"]
    return "\n".join(lines)


def _struct(schema: Schema) -> str:
    tag = next((field for field in schema.fields if schema.sent and _is_tag(field)), None)
    options = ["frozen=True", "kw_only=True"]
    if schema.sent:
        options.append("omit_defaults=True")
    if tag is not None and isinstance(tag.kind, Words):
        options += [f'tag_field="{tag.name}"', f'tag="{tag.kind.words[0]}"']
    lines = [f"class {schema.name}(msgspec.Struct, {', '.join(options)}):"]
    lines += _docstring(schema.about)
    fields = [line for field in schema.fields if field is not tag for line in _field(field, sent=schema.sent)]
    return "\n".join([*lines, "", *fields])


def _is_tag(field: Field) -> bool:
    return isinstance(field.kind, Words) and len(field.kind.words) == 1


def _docstring(about: str) -> Iterator[str]:
    first, *rest = about.strip().replace("\\", "\\\\").split("\n")
    if not rest:
        yield f'    """{first}"""'
        return
    yield f'    """{first}'
    for line in rest:
        yield f"    {line}".rstrip()
    yield '    """'


def _field(field: Field, *, sent: bool) -> Iterator[str]:
    name = f"{field.name}_" if iskeyword(field.name) else field.name
    kind = _written(field.kind, sent=sent)
    empty = _empty(field) if not sent else None
    may_be_none = field.nullable or (not field.required and empty is None)
    if may_be_none:
        kind += " | None"
    options = [] if name == field.name else [f'name="{field.name}"']
    if not field.required:
        options.append(empty or "default=None")
    line = f"    {name}: {kind}"
    if options == ["default=None"]:
        line += " = None"
    elif options:
        line += f" = msgspec.field({', '.join(options)})"
    yield line
    if isinstance(field.kind, Words) and not sent:
        words = ", ".join(field.kind.words)
        if len(words) < WIDTH - len('    """One of: ."""'):
            yield f'    """One of: {words}."""'
    elif sent and field.about:
        about = field.about.replace("\\", "\\\\")
        yield from textwrap.wrap(f'"""{about}"""', WIDTH - 4, initial_indent="    ", subsequent_indent="    ")


def _empty(field: Field) -> str | None:
    """Return what stands for a list or an object that is left out: an empty one, and nobody has to ask."""
    if field.nullable or field.required:
        return None
    if isinstance(field.kind, Many):
        return "default_factory=list"
    return "default_factory=dict" if isinstance(field.kind, ByName) else None


def _written(kind: Kind, *, sent: bool) -> str:
    match kind:
        case Plain(name):
            return _PLAIN[name]
        case Words(words):
            # Later releases may answer with further words, which an older client should be able to read.
            return f"Literal[{', '.join(map(_quoted, words))}]" if sent else "str"
        case Reference(name):
            return name
        case Many(each):
            return f"list[{_written(each, sent=sent)}]"
        case ByName(each):
            return f"dict[str, {_written(each, sent=sent)}]"
        case Either(kinds):
            return " | ".join(dict.fromkeys(_written(each, sent=sent) for each in kinds))


def _quoted(word: str) -> str:
    return f'"{word}"'
