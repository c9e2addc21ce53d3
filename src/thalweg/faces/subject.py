"""From words on the command line to a problem: options made from the index, and the values that they carry."""

import ast
from collections.abc import Iterable, Iterator
from typing import Any

import click

from .index import Entry, Field, PresetEntry, index
from .tables import read_arrays
from .words import plain_number, pretty, unknown

NEST = "__"


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
            return _literal(value, self.field.annotation)
        try:
            if self.field.kind == "vector":
                return [float(part) for part in value.split(",")]
            number = float(value)
        except ValueError:
            self.fail(f"{value!r} is no number; give {self.field.allowed()}.", param, ctx)
        return int(number) if self.field.kind == "size" and number.is_integer() else number


def _literal(text: str, annotation: str) -> Any:
    """Python literals such as `3,8` or `true`; `a=1,b=2` as pairs; anything else stays text."""
    if annotation in ("str", "Path", "str | None", "str | Path", "Rule", "str | os.PathLike[str]"):
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
    symbol = f" {pretty(field.symbol)}" if field.symbol else ""
    allowed = f"; {field.allowed()}" if field.kind != "plain" and field.allowed() else ""
    default = " [required]" if field.required else f" [default {plain_number(field.default)}]"
    return f"{field.words or field.annotation}{symbol}{allowed}{default if with_default else ''}"


def _option(field: Field, path: str, words: str) -> click.Option:
    return click.Option([path.replace(".", NEST), flag(path)], type=FieldValue(field), help=words)


def _options(fields: Iterable[Field], with_default: bool = True) -> Iterator[click.Option]:
    for field in fields:
        if field.kind == "array":
            continue
        words = describe(field, with_default)
        if field.kind == "module":
            words = f"law of motion: {', '.join(index().rules)}{words.removeprefix(field.annotation)}"
        yield _option(field, field.name, words)
        if field.kind == "module":
            yield from _inner_options(field.name)


def _inner_options(head: str) -> Iterator[click.Option]:
    """One option for each field of any rule, saying whose it is."""
    owners: dict[str, list[tuple[str, Field]]] = {}
    for rule in index().rules.values():
        for field in rule.fields:
            owners.setdefault(field.name, []).append((rule.name, field))
    for name, owned in owners.items():
        field = owned[0][1]
        allowed = f"; {field.allowed()}" if field.kind != "plain" else ""
        defaults = ", ".join(f"{rule} {'(required)' if f.required else plain_number(f.default)}" for rule, f in owned)
        yield _option(field, f"{head}.{name}", f"{field.words or field.annotation}{allowed} [{defaults}]")


def entry_of(name: str) -> Entry | PresetEntry:
    """The entry of a problem or preset; ValueError with the nearest name otherwise."""
    found = index()
    if name in found.problems:
        return found.problems[name]
    if name in found.presets:
        return found.presets[name]
    raise ValueError(unknown("problem or preset", name, found.subjects()))


def fields_of(name: str) -> tuple[list[Field], list[Field]]:
    """A preset's own parameters (none for a problem), and the fields of the problem that are not hidden by them."""
    entry = entry_of(name)
    if isinstance(entry, Entry):
        return [], list(entry.fields)
    own = {f.name for f in entry.fields}
    problem = index().problems.get(entry.returns)
    return list(entry.fields), [f for f in (problem.fields if problem else ()) if f.name not in own]


def _arrays_of(name: str) -> list[str]:
    """Arrays that the user brings: those of a problem class, or those among a preset's own parameters."""
    own, fields = fields_of(name)
    source = own if isinstance(entry_of(name), PresetEntry) else fields
    return [f.name for f in source if f.kind == "array"]


def options_of(name: str) -> tuple[list[click.Parameter], list[click.Parameter]]:
    """Options of a preset's own parameters, and of the problem's fields (with `--data` where it takes arrays)."""
    own, fields = fields_of(name)
    arrays = _arrays_of(name)
    extra: list[click.Parameter] = []
    if arrays:
        words = (
            f"{', '.join(arrays)}: FILE.npz with these keys, FILE.csv, or sklearn:NAME such as sklearn:breast_cancer"
        )
        extra.append(click.Option(["data", "--data"], metavar="FILE", help=words))
        if not _owns_target(own, fields):
            words = "column of FILE.csv to be learned"
            extra.append(click.Option(["target", "--target"], metavar="COLUMN", help=words))
    of_problem = _options(fields, with_default=isinstance(entry_of(name), Entry))
    return list(_options(own)), [*of_problem, *extra]


def _owns_target(*fields: list[Field]) -> bool:
    """Whether the subject has a parameter of its own that is called target; then `--target` is that."""
    return any(field.name == "target" for several in fields for field in several)


def build(name: str, said: dict[str, Any]) -> Any:
    """The problem that these words describe. Raises ValueError with the repair."""
    from .. import registry
    from ..fields import vary

    values = {k.replace(NEST, "."): v for k, v in said.items() if v is not None}
    arrays = _arrays_of(name)
    own, fields = fields_of(name)
    source = values.pop("data", None)
    target = None if _owns_target(own, fields) else values.pop("target", None)
    if source is not None:
        values |= read_arrays(source, arrays, target)
    entry = entry_of(name)
    _ask_for_missing(name, entry.fields, values)
    _make_rules(name, values)
    if isinstance(entry, PresetEntry):
        mine = {f.name for f in own} & values.keys()
        made = registry.presets()[name](**{k: values.pop(k) for k in mine})
        return vary(made, values) if values else made
    direct = {k: values.pop(k) for k in list(values) if "." not in k}
    made = registry.problems()[name](**direct)
    return vary(made, values) if values else made


def _ask_for_missing(name: str, fields: Iterable[Field], values: dict[str, Any], head: str = "") -> None:
    missing = [f for f in fields if f.required and head + f.name not in values]
    if missing:
        ways = ["--data FILE" if f.kind == "array" else flag(head + f.name) for f in missing]
        raise ValueError(
            f"{name} needs {', '.join(f.name for f in missing)}; give {' and '.join(dict.fromkeys(ways))}."
        )


def _make_rules(name: str, values: dict[str, Any]) -> None:
    """Replace the name of a rule, with its dotted fields, by the rule itself."""
    from .. import registry

    _, fields = fields_of(name)
    for field in fields:
        chosen = values.get(field.name)
        if field.kind != "module" or not isinstance(chosen, str):
            continue
        if chosen not in index().rules:
            raise ValueError(unknown(field.name, chosen, index().rules))
        entry, head = index().rules[chosen], f"{field.name}."
        inner = {k: values[k] for k in values if k.startswith(head)}
        known = {head + f.name: f for f in entry.fields}
        for path in inner:
            if path not in known:
                raise ValueError(unknown("option", flag(path), [flag(k) for k in known], f" of {chosen}"))
        _ask_for_missing(chosen, entry.fields, values, head)
        parts = {k[len(head) :]: _part(known[k], values.pop(k)) for k in inner}
        values[field.name] = registry.rules()[chosen](**parts)


def _part(field: Field, value: Any) -> Any:
    """A part of a rule that is a module itself (a schedule), from its name; any other value as it is."""
    from .. import registry

    return registry.find(value)() if field.kind == "module" and isinstance(value, str) else value
