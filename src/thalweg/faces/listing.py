"""`thalweg list`: systems, their parts, theories and presets, from the index alone."""

import dataclasses
from typing import Any

from ..catalogue.entries import Entry, Field, Index, PresetEntry
from ..words.phrases import plain_number, pretty, unknown
from .options import brief

WHOLE = ("name", "about", "problem", "theory")


def as_json(found: Index) -> dict[str, Any]:
    """The whole index as plain data."""
    return {kind: [dataclasses.asdict(e) for e in entries.values()] for kind, entries in vars(found).items()}


def presets_of(found: Index, problem: str) -> list[PresetEntry]:
    """Presets that return this problem."""
    return [p for p in found.presets.values() if p.returns == problem]


def _table(title: str, *columns: str) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, column in enumerate(columns):
        table.add_column(column, style="cyan" if i == 0 else "", no_wrap=column in WHOLE, overflow="fold")
    return table


def _preset_table(presets: list[PresetEntry]) -> Any:
    table = _table("Presets", "name", "what it sets", "problem", "source")
    for entry in presets:
        source = f"{entry.source or '-'}{' (recalled, not read)' if entry.recalled else ''}"
        table.add_row(entry.name, entry.words, entry.returns, source)
    return table


def _theory_table(theories: list[Entry]) -> Any:
    table = _table("Theories", "name", "what it says", "about", "given the", "source")
    for entry in theories:
        given = " and ".join(entry.conditions_on) or "sizes alone"
        name = f"{entry.name}\n  {entry.standing}"
        table.add_row(name, entry.words, "\n".join(entry.of), given, "\n".join(entry.source))
    return table


def _field_table(title: str, fields: tuple[Field, ...]) -> Any:
    table = _table(title, "name", "meaning", "symbol", "allowed", "default")
    for field in fields:
        default = "required" if field.required else plain_number(field.default)
        words = field.words or field.annotation
        table.add_row(field.name, words, pretty(field.symbol), field.allowed(), default)
    return table


def tables(found: Index) -> list[Any]:
    """Everything, as tables for a terminal."""
    systems = _table("Problems", "name", "what happens", "parameters")
    for entry in found.problems.values():
        systems.add_row(entry.name, entry.words, ", ".join(f.name for f in entry.fields))
    parts = [_family_table(found, family) for family in found.families.values()]
    return [systems, *parts, _theory_table(list(found.theories.values())), _preset_table(list(found.presets.values()))]


def _family_table(found: Index, family: Entry) -> Any:
    table = _table(f"{family.name}: {brief(family)} ({_holders(found, family.name)})", "name", "about it", "parameters")
    for entry in found.members(family.name).values():
        table.add_row(entry.name, entry.words, ", ".join(f.name for f in entry.fields))
    return table


def _holders(found: Index, family: str) -> str:
    """The fields that hold a member, and whose they are."""
    holders: dict[str, list[str]] = {}
    for entry in [*found.problems.values(), *found.parts.values()]:
        for field in entry.fields:
            if field.family == family:
                holders.setdefault(field.name, []).append(entry.name)
    every = [*found.problems]
    told = {name: ["every problem", *(o for o in owners if o not in every)] if {*every} <= {*owners} else owners
            for name, owners in holders.items()}  # fmt: skip
    return "; ".join(f"{name} of {', '.join(owners)}" for name, owners in told.items())


def about(found: Index, name: str) -> list[Any]:
    """One entry in full: its documentation, its parameters, what belongs to it."""
    every: dict[str, Entry | PresetEntry] = {k: v for kind in vars(found).values() for k, v in kind.items()}
    if name not in every:
        raise ValueError(unknown("name", name, sorted(every)))
    from rich.text import Text

    entry = every[name]
    parts: list[Any] = [Text(entry.name, style="bold"), Text(entry.doc or getattr(entry, "words", ""))]
    if entry.fields:
        parts.append(_field_table("Parameters", entry.fields))
    if isinstance(entry, PresetEntry):
        parts.insert(1, _preset_table([entry]))
    elif name in found.families:
        parts.append(_family_table(found, entry))
    elif entry.kind == "Problem":
        parts += [_family_table(found, found.families[f]) for f in dict.fromkeys(f.family for f in entry.fields) if f]
        parts += [_theory_table(found.about(name)), _preset_table(presets_of(found, name))]
    elif entry.kind == "Theory":
        parts.append(_theory_table([entry]))
    return parts
