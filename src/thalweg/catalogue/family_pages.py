"""The pages of the interface, one a family: its public names by what they are, under a head that is written by hand."""

import importlib
import inspect
from typing import Any

from ..words.problem import Problem
from ..words.recommendations import Adviser
from ..words.theory import Theory
from .names import exports
from .registry import Preset

SECTIONS = (
    "Problems",
    "Theories",
    "Starts, laws and data",
    "Functions",
    "Advice",
    "Published settings and real tables",
)
MEMBERS = "\n    options:\n      members: true"


def written(family: str, text: str) -> str:
    """The page of a family, with its head as it stands; a plain head where there is none yet."""
    head = text.partition("\n## ")[0].rstrip() or f"# {family.replace('_', ' ').capitalize()}: names"
    module = importlib.import_module(f"thalweg.systems.{family}")
    found: dict[str, list[str]] = {section: [] for section in SECTIONS}
    for name in exports(family):
        value = getattr(module, name)
        # presets that stand in a class of their source are its members
        more = MEMBERS if inspect.isclass(value) and _holds_presets(value) else ""
        found[_section(value)].append(f"::: thalweg.{family}.{name}{more}")
    parts = [f"## {section}\n\n" + "\n\n".join(names) for section, names in found.items() if names]
    return "\n\n".join([head, *parts]) + "\n"


def _section(value: Any) -> str:
    """Where a public name stands."""
    if isinstance(value, Preset) or (inspect.isclass(value) and _holds_presets(value)):
        return "Published settings and real tables"
    if not inspect.isclass(value):
        return "Functions"
    for kind, section in ((Problem, "Problems"), (Theory, "Theories"), (Adviser, "Advice")):
        if issubclass(value, kind):
            return section
    return "Starts, laws and data"


def _holds_presets(kind: type) -> bool:
    return any(isinstance(getattr(part, "__func__", part), Preset) for part in vars(kind).values())
