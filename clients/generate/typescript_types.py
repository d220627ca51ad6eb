"""Writes the types of the JavaScript client: an interface for each body, each answer, and each part of them."""

import textwrap
from collections.abc import Iterator
from typing import Final

from clients.generate.schemas import (
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
WORDS_MAX: Final = 20
"""An answer with more than so many words has text: those are the outcomes, and docs/api lists them."""
_PLAIN: Final = {
    "text": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "time": "string",
    "date": "string",
    "anything": "unknown",
}
_HEAD: Final = "// Written by `python -m clients.generate`; a test compares it with the API.\n\n"


def files(schemas: list[Schema]) -> dict[str, str]:
    """Return the text of each file, by its name."""
    groups = by_group(schemas)
    index = _HEAD + "".join(f'export * from "./{group}.js";\n' for group in groups)
    return {f"{group}.d.ts": _file(group, members, schemas) for group, members in groups.items()} | {
        "index.d.ts": index
    }


def _file(group: str, schemas: list[Schema], known: list[Schema]) -> str:
    needed = set[str]().union(*map(parts, schemas))
    imports = [line for other, names in of_other_groups(needed, group, known).items() for line in _import(names, other)]
    interfaces = ["\n".join(_interface(schema)) for schema in schemas]
    return _HEAD + "".join(f"{line}\n" for line in imports) + ("\n" if imports else "") + "\n\n".join(interfaces) + "\n"


def _import(names: list[str], group: str) -> list[str]:
    line = f'import type {{ {", ".join(names)} }} from "./{group}.js";'
    if len(line) <= WIDTH:
        return [line]
    return ["import type {", *(f"  {name}," for name in names), f'}} from "./{group}.js";']


def _interface(schema: Schema) -> Iterator[str]:
    yield from _comment(schema.about, "")
    yield f"export interface {schema.name} {{"
    for field in schema.fields:
        if schema.sent and field.about:
            yield from _comment(field.about, "  ")
        yield from _field(field, sent=schema.sent)
    yield "}"


def _comment(about: str, indent: str) -> Iterator[str]:
    text = about.strip().replace("``", "`").replace("*/", "* /")
    if "\n" not in text and len(text) < WIDTH - len(indent) - len("/**  */"):
        yield f"{indent}/** {text} */"
        return
    yield f"{indent}/**"
    for line in text.split("\n"):
        wrapped = textwrap.wrap(line, WIDTH - len(indent) - len(" * ")) or [""]
        yield from (f"{indent} * {each}".rstrip() for each in wrapped)
    yield f"{indent} */"


def _field(field: Field, *, sent: bool) -> list[str]:
    kinds = _options(field.kind, sent=sent) + (["null"] if field.nullable else [])
    if sent and not field.required:
        kinds.append("undefined")  # a body may be made with it: JSON leaves it out
    name = field.name if field.required else f"{field.name}?"
    line = f"  {name}: {' | '.join(kinds)};"
    if len(line) <= WIDTH:
        return [line]
    return [f"  {name}:", *(f"    | {kind}" for kind in kinds[:-1]), f"    | {kinds[-1]};"]


def _options(kind: Kind, *, sent: bool) -> list[str]:
    """Write a kind as the types of which it is one."""
    match kind:
        case Words(words) if sent or len(words) <= WORDS_MAX:
            # Later releases may answer with further words.
            return [f'"{word}"' for word in words] + ([] if sent else ["(string & {})"])
        case Words():
            return ["string"]
        case Either(kinds):
            return list(dict.fromkeys(option for each in kinds for option in _options(each, sent=sent)))
        case _:
            return [_written(kind, sent=sent)]


def _written(kind: Kind, *, sent: bool) -> str:
    match kind:
        case Plain(name):
            return "string | Date" if sent and name == "time" else _PLAIN[name]
        case Reference(name):
            return name
        case ByName(each):
            return f"Record<string, {_written(each, sent=sent)}>"
        case Many(Plain(name)):
            return f"readonly {_PLAIN[name]}[]"
        case Many(each):
            options = _options(each, sent=sent)
            return f"readonly {options[0]}[]" if len(options) == 1 else f"readonly ({' | '.join(options)})[]"
        case _:
            return " | ".join(_options(kind, sent=sent))
