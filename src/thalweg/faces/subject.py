"""From words on the command line to a problem: what options it takes, and how it is built from them."""

from collections.abc import Iterable
from typing import Any

import click

from ..catalogue.entries import Entry, Field, PresetEntry
from ..catalogue.index import index
from ..data.arrays_in_words import read_arrays
from ..words.phrases import unknown
from .options import NEST, flag, options


def entry_of(name: str) -> Entry | PresetEntry:
    """The entry of a problem or preset; ValueError with the nearest name, or for one that is made of functions."""
    found = index()
    if name in found.problems:
        if not found.problems[name].made_in_words:
            raise ValueError(
                f"{name} is made of functions, which a command cannot give; use tw.{name}(...) in Python "
                "(docs/extending.md)."
            )
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
    of_problem = options(fields, with_default=isinstance(entry_of(name), Entry))
    return list(options(own)), [*of_problem, *extra]


def _owns_target(*fields: list[Field]) -> bool:
    """Whether the subject has a parameter of its own that is called target; then `--target` is that."""
    return any(field.name == "target" for several in fields for field in several)


def build(name: str, said: dict[str, Any]) -> Any:
    """The problem that these words describe. Raises ValueError with the repair."""
    from ..catalogue import registry
    from ..words.problem import Problem

    values = {k.replace(NEST, "."): v for k, v in said.items() if v is not None}
    arrays = _arrays_of(name)
    own, fields = fields_of(name)
    source = values.pop("data", None)
    target = None if _owns_target(own, fields) else values.pop("target", None)
    if source is not None:
        values |= read_arrays(source, arrays, target)
    entry = entry_of(name)
    _ask_for_missing(name, entry.fields, values)
    _make_parts([*own, *fields], values)
    if isinstance(entry, PresetEntry):
        found = registry.find_preset(name)
        assert found is not None
        mine = {f.name for f in own} & values.keys()
        made = found(**{k: values.pop(k) for k in mine})
    else:
        direct = {k: values.pop(k) for k in list(values) if "." not in k}
        kind: Any = registry.find(name, Problem)
        made = kind(**direct)
    return _varied(made, values, fields)


def _varied(made: Any, changes: dict[str, Any], fields: Iterable[Field], above: str = "") -> Any:
    """A module with these changes; ValueError for those inside a part that has no such field."""
    from ..words.fields import vary

    listed = list(fields)
    for path in changes:
        _check_path(made, path, listed, above)
    return vary(made, changes) if changes else made


def _check_path(module: Any, path: str, fields: Iterable[Field], above: str = "") -> None:
    """ValueError for `rule.learning_rate` where the rule that is there has none: it names those that have one."""
    head, _, rest = path.partition(".")
    field = next((f for f in fields if f.name == head), None)
    if not rest or field is None or not field.family:
        return
    held, members = getattr(module, head), index().members(field.family)
    inside = rest.partition(".")[0]
    if hasattr(type(held), "__dataclass_fields__") and inside in type(held).__dataclass_fields__:
        entry = members.get(type(held).__name__)
        _check_path(held, rest, entry.fields if entry else (), f"{above}{head}.")
        return
    able = [name for name, member in members.items() if inside in {f.name for f in member.fields}]
    there = f"{head} is {type(held).__name__} here, which has no {inside}" if held is not None else f"no {head} is set"
    raise ValueError(
        f"{flag(above + path)}: {there}; name one that has with {flag(above + head)}: {', '.join(able) or 'none does'}."
    )


def _ask_for_missing(name: str, fields: Iterable[Field], values: dict[str, Any], head: str = "") -> None:
    missing = [f for f in fields if f.required and f.name not in values]
    if missing:
        ways = ["--data FILE" if f.kind == "array" else flag(head + f.name) for f in missing]
        raise ValueError(
            f"{name} needs {', '.join(f.name for f in missing)}; give {' and '.join(dict.fromkeys(ways))}."
        )


def _make_parts(fields: Iterable[Field], values: dict[str, Any], above: str = "") -> None:
    """Replace the name of a rule, a start or another part, with its dotted fields, by the part itself."""
    for field in fields:
        chosen, head = values.get(field.name), f"{field.name}."
        if field.family and isinstance(chosen, str):
            said = {k.removeprefix(head): values.pop(k) for k in list(values) if k.startswith(head)}
            values[field.name] = _made(field, chosen, said, above + head)


def _made(field: Field, chosen: str, said: dict[str, Any], head: str) -> Any:
    """A member of the field's family, by name. `head` is the path of its own fields."""
    from ..catalogue import registry

    choices = index().members(field.family)
    if chosen not in choices:
        raise ValueError(unknown(field.name, chosen, choices))
    own = {f.name: f for f in choices[chosen].fields}
    for path in said:
        first, inside, _ = path.partition(".")
        if first not in own or (inside and not own[first].family):
            raise ValueError(unknown("option", flag(head + path), [flag(head + k) for k in own], f" of {chosen}"))
    _ask_for_missing(chosen, own.values(), said, head)
    _make_parts(own.values(), said, head)
    direct = {k: said.pop(k) for k in list(said) if "." not in k}
    return _varied(registry.find(chosen)(**direct), said, own.values(), head)
