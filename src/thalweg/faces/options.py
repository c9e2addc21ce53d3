"""Options of the command line, made from the fields in the index, and the values that they carry."""

import ast
import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import click

from ..catalogue.entries import Entry, Field
from ..catalogue.index import index
from ..words.phrases import plain_number, pretty

NEST = "__"
# how often a family may stand inside itself: a minibatch of an average of a descent
DEPTH = 3


class FieldValue(click.ParamType):
    """The text of one field as a value; ranges are checked by the problem itself."""

    def __init__(self, field: Field) -> None:
        self.field = field
        self.name = {"size": "int", "scalar": "number", "vector": "a,b,..", "module": "name"}.get(field.kind, "value")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A number, a list of numbers, or what the annotation asks for."""
        if not isinstance(value, str):
            return value
        if self.field.kind not in ("size", "scalar", "vector"):
            return value if self.field.family else _literal(value, self.field.annotation)
        try:
            # one number for all, where the default is that
            if self.field.kind == "vector" and not ("," not in value and isinstance(self.field.default, int | float)):
                return [float(part) for part in value.split(",")]
            number = float(value)
        except ValueError:
            self.fail(f"{value!r} is no number; give {self.field.allowed()}.", param, ctx)
        return int(number) if self.field.kind == "size" and number.is_integer() else number


def _literal(text: str, annotation: str) -> Any:
    """Python literals such as `3,8` or `true`; `a=1,b=2` as pairs; anything else stays text."""
    if annotation in ("str", "Path", "str | None", "str | Path", "str | os.PathLike[str]"):
        return text
    if text.lower() in ("true", "false", "none"):
        return {"true": True, "false": False}.get(text.lower())
    if "=" in text:
        pairs = [part.partition("=") for part in text.split(",")]
        return tuple((name.strip(), _literal(value, "float")) for name, _, value in pairs)
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def flag(path: str) -> str:
    """`rule.learning_rate` as an option."""
    return f"--{path.replace('_', '-')}"


def describe(field: Field, with_default: bool = True) -> str:
    """What a field means and takes, in one line."""
    return _meaning(field) + (f" [{_default(field)}]" if with_default else "")


def _meaning(field: Field) -> str:
    if field.family:
        return f"{brief(index().families[field.family])}: {', '.join(index().members(field.family))}"
    symbol = f" {pretty(field.symbol)}" if field.symbol else ""
    allowed = f"; {field.allowed()}" if field.kind != "plain" and field.allowed() else ""
    return f"{field.words or field.annotation}{symbol}{allowed}"


def _default(field: Field) -> str:
    if field.required:
        return "required"
    # a field that may be empty leaves the choice to what it belongs to
    own = field.family and field.default is None
    return "default: see above" if own else f"default {plain_number(field.default)}"


def brief(family: Entry) -> str:
    """What the members of a family are, in a few words."""
    words = family.words.partition(";")[0]
    return words[:1].lower() + words[1:]


def _option(field: Field, path: str, words: str, hidden: bool = False) -> click.Option:
    return click.Option([path.replace(".", NEST), flag(path)], type=FieldValue(field), help=words, hidden=hidden)


def options(fields: Iterable[Field], with_default: bool = True) -> Iterator[click.Option]:
    """The options of these fields; a part has a name, and options of its own: `--start NAME --start.rank INT`."""
    for field in fields:
        if field.kind != "array":
            yield _option(field, field.name, describe(field, with_default))
            yield from _inner_options(field.name, (field.family,)) if field.family else ()


def _inner_options(head: str, line: tuple[str, ...]) -> Iterator[click.Option]:
    """One option for each field of any member of the last family in line, saying whose it is.

    A family inside itself (a rule that holds a rule) has the same options again: they are taken, and not listed.
    """
    hidden = len(set(line)) < len(line)
    for name, owned in _owners(line[-1]).items():
        field, path = _common([f for _, f in owned]), f"{head}.{name}"
        defaults = ", ".join(f"{owner} {'(required)' if f.required else plain_number(f.default)}" for owner, f in owned)
        again = f"as {flag(head)}, with {flag(path)}... of its own"
        yield _option(field, path, f"{again if field.family in line else _meaning(field)} [{defaults}]", hidden)
        if field.family and line.count(field.family) < DEPTH:
            yield from _inner_options(path, (*line, field.family))


def _owners(family: str) -> dict[str, list[tuple[str, Field]]]:
    """Fields of the members by name, each with those who have one."""
    owners: dict[str, list[tuple[str, Field]]] = {}
    for member in index().members(family).values():
        for field in member.fields:
            owners.setdefault(field.name, []).append((member.name, field))
    return owners


def _common(fields: list[Field]) -> Field:
    """The first of these, which speaks for all; read as it is written where they are of several kinds."""
    same = len({(f.kind, f.family) for f in fields}) == 1
    return fields[0] if same else dataclasses.replace(fields[0], kind="plain", annotation="", family="")
