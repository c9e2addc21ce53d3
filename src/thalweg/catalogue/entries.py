"""What the index holds: fields, classes, presets. Nothing here needs jax."""

import dataclasses
from typing import Any

from ..words.phrases import first_sentence, plain_number


@dataclasses.dataclass(frozen=True)
class Field:
    """A parameter of a class or of a preset. `kind`: size, scalar, vector, array, module or plain.

    A module is one of a `family`: a rule, a start, a schedule.
    """

    name: str
    kind: str
    annotation: str = ""
    required: bool = True
    default: Any = None
    words: str = ""
    symbol: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    log: bool = False
    family: str = ""

    def allowed(self) -> str:
        """The range in words; empty where anything goes."""
        signs = ((">=", self.low), (">", self.above), ("<=", self.high), ("<", self.below))
        bounds = [f"{sign} {plain_number(bound)}" for sign, bound in signs if bound is not None]
        noun = {"size": "a whole number", "scalar": "a number", "vector": "numbers with commas between"}
        return " ".join(filter(None, [noun.get(self.kind, ""), " and ".join(bounds)]))


@dataclasses.dataclass(frozen=True)
class Entry:
    """A class: a problem, a part of one, a theory or an adviser (source, conditions_on and standing are for theories).

    `ancestors`, `of` and the `family` of a field are classes by `module:qualname` as stored, and by the shortest name
    that no other class has in an Index.
    """

    name: str
    kind: str
    doc: str
    module: str
    qualname: str
    fields: tuple[Field, ...]
    of: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    conditions_on: tuple[str, ...] = ()
    standing: str = ""
    ancestors: tuple[str, ...] = ()
    concrete: bool = True

    @property
    def identity(self) -> str:
        """`module:qualname`: the one name that nothing else has."""
        return f"{self.module}:{self.qualname}"

    @property
    def made_in_words(self) -> bool:
        """Whether a command line can make one: it has no way to give a function."""
        return not any(f.kind == "function" and f.required for f in self.fields)

    @property
    def words(self) -> str:
        """The first sentence of the docstring."""
        return first_sentence(self.doc)


@dataclasses.dataclass(frozen=True)
class PresetEntry:
    """A published setting: its own parameters, and the problem class that it returns."""

    name: str
    words: str
    doc: str
    module: str
    fields: tuple[Field, ...]
    returns: str
    source: str | None = None
    seeds: int | None = None
    recalled: bool = False
    theories: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Index:
    """All entries by name. `parts` are what fields of problems can hold; `families` are the bases of these."""

    problems: dict[str, Entry]
    families: dict[str, Entry]
    parts: dict[str, Entry]
    theories: dict[str, Entry]
    presets: dict[str, PresetEntry]

    def subjects(self) -> list[str]:
        """What a verb can be asked about: problems, then presets."""
        return [*(name for name, e in self.problems.items() if e.made_in_words), *self.presets]

    def about(self, problem: str) -> list[Entry]:
        """Theories that name this problem, or a class that it is one of."""
        kin = {problem, *self.problems[problem].ancestors} if problem in self.problems else {problem}
        return [t for t in self.theories.values() if kin & set(t.of)]

    def members(self, family: str) -> dict[str, Entry]:
        """The parts that a field of this family can hold."""
        return {name: e for name, e in self.parts.items() if family in (name, *e.ancestors)}

    @property
    def rules(self) -> dict[str, Entry]:
        """The laws of motion."""
        return self.members("Rule")
