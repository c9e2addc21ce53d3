"""What exists by name, read from the source text: an index of problems, presets, rules and theories without jax."""

import ast
import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .syntax import Module, assignments, doc_of, keywords, last_name, parse, texts, value_of
from .words import plain_number

PACKAGE = Path(__file__).parent.parent
ROOTS = {"Problem": "problem.py", "Rule": "problem.py", "Theory": "theory.py"}
MAKERS = ("size", "scalar", "vector", "array")


@dataclasses.dataclass(frozen=True)
class Field:
    """A parameter of a class or of a preset. `kind`: size, scalar, vector, array, module (a rule) or plain."""

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

    def allowed(self) -> str:
        """The range in words; empty where anything goes."""
        signs = ((">=", self.low), (">", self.above), ("<=", self.high), ("<", self.below))
        bounds = [f"{sign} {plain_number(bound)}" for sign, bound in signs if bound is not None]
        noun = {"size": "a whole number", "scalar": "a number", "vector": "numbers with commas between"}
        return " ".join(filter(None, [noun.get(self.kind, ""), " and ".join(bounds)]))


@dataclasses.dataclass(frozen=True)
class Entry:
    """A concrete class: a problem, a rule or a theory (of, source and conditions_on are for theories)."""

    name: str
    kind: str
    doc: str
    file: str
    fields: tuple[Field, ...]
    of: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    conditions_on: tuple[str, ...] = ()
    ancestors: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The first sentence of the docstring."""
        return self.doc.partition("\n")[0].partition(". ")[0].removesuffix(".")


@dataclasses.dataclass(frozen=True)
class PresetEntry:
    """A published setting: its own parameters, and the problem class that it returns."""

    name: str
    words: str
    doc: str
    file: str
    fields: tuple[Field, ...]
    returns: str
    source: str | None = None
    seeds: int | None = None
    recalled: bool = False
    theories: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Index:
    """All entries by name."""

    problems: dict[str, Entry]
    rules: dict[str, Entry]
    theories: dict[str, Entry]
    presets: dict[str, PresetEntry]

    def subjects(self) -> list[str]:
        """What a verb can be asked about: problems, then presets."""
        return [*self.problems, *self.presets]


@functools.cache
def _maker_defaults() -> dict[str, dict[str, Any]]:
    """What size(), scalar(), ... say when they are not told, from their own signatures."""
    tree = ast.parse((PACKAGE / "fields.py").read_text(encoding="utf-8"))
    defined = {n.name: n.args for n in tree.body if isinstance(n, ast.FunctionDef)}
    return {
        name: {a.arg: value_of(d, {}) for a, d in zip(defined[name].kwonlyargs, defined[name].kw_defaults, strict=True)}
        for name in MAKERS
    }


def _field(node: ast.AnnAssign, constants: dict[str, ast.expr]) -> Field:
    name, annotation = ast.unparse(node.target), ast.unparse(node.annotation)
    call = node.value if isinstance(node.value, ast.Call) else None
    maker = last_name(call.func) if call else ""
    if call and maker in MAKERS:
        said = {**_maker_defaults()[maker], "default": ..., **keywords(call, constants)}
        default = said.pop("default")
        required = default is ...
        words = value_of(call.args[0], constants)
        return Field(name, maker, annotation, required, None if required else default, words, **said)
    if call and maker == "field":
        said = keywords(call, constants)
        return Field(name, "plain", annotation, "default" not in said, said.get("default"))
    kind = "module" if annotation in ROOTS or (call and maker[:1].isupper()) else "plain"
    return Field(name, kind, annotation, node.value is None, value_of(node.value, constants))


class _Classes:
    """The classes of all files, with their ancestors."""

    def __init__(self, modules: list[Module]) -> None:
        self.modules = modules
        self.home = {name: m for m in modules for name in m.classes}

    def lineage(self, name: str, module: Module) -> list[tuple[ast.ClassDef, Module]]:
        """The class after its ancestors, the root first; bases are looked for in the same file first."""
        home = module if name in module.classes else self.home.get(name)
        if home is None:
            return []
        node = home.classes[name]
        older = [pair for base in node.bases for pair in self.lineage(last_name(base), home)]
        # an ancestor of two parents stands once
        return [*{older_node.name: (older_node, place) for older_node, place in older}.values(), (node, home)]

    def entries(self) -> Iterator[Entry]:
        """Every public concrete class below a root."""
        for module in self.modules:
            for name in module.classes:
                line = self.lineage(name, module)
                kind = next((node.name for node, _ in line if node.name in ROOTS), None)
                if kind and name not in ROOTS and not name.startswith("_") and not _unfinished(line):
                    yield _entry(kind, line)


def _unfinished(line: list[tuple[ast.ClassDef, Module]]) -> set[str]:
    """Abstract methods that no descendant wrote."""
    missing: set[str] = set()
    for node, _ in line:
        for part in node.body:
            if isinstance(part, ast.FunctionDef):
                abstract = any(last_name(d) == "abstractmethod" for d in part.decorator_list)
                missing = missing | {part.name} if abstract else missing - {part.name}
    return missing


def _is_derived(value: ast.expr | None) -> bool:
    """A field that follows from the others and that nobody sets."""
    return isinstance(value, ast.Call) and any(
        k.arg == "metadata" and "derived" in ast.unparse(k.value) for k in value.keywords
    )


def _is_no_field(annotation: ast.expr) -> bool:
    return last_name(annotation) in ("ClassVar", "AbstractVar", "AbstractClassVar")


def _entry(kind: str, line: list[tuple[ast.ClassDef, Module]]) -> Entry:
    fields: dict[str, Field] = {}
    said: dict[str, Any] = {"of": (), "source": (), "conditions_on": ()}
    for node, module in line:
        for part in node.body:
            if isinstance(part, ast.AnnAssign) and not (_is_no_field(part.annotation) or _is_derived(part.value)):
                fields[ast.unparse(part.target)] = _field(part, module.constants)
        own = dict(assignments(node.body))
        said |= {k: texts(own[k], module.constants) for k in said if k in own}
    node, module = line[-1]
    ancestors = tuple(dict.fromkeys(older.name for older, _ in line[:-1]))
    return Entry(node.name, kind, doc_of(node), module.file, tuple(fields.values()), **said, ancestors=ancestors)


def _presets(module: Module) -> Iterator[PresetEntry]:
    places = [("", module.tree.body), *((f"{n}.", c.body) for n, c in module.classes.items())]
    for prefix, body in places:
        for node in body:
            if not isinstance(node, ast.FunctionDef):
                continue
            for call in node.decorator_list:
                if isinstance(call, ast.Call) and last_name(call.func) == "preset":
                    yield _preset(prefix + node.name, node, call, module)


def _preset(name: str, node: ast.FunctionDef, call: ast.Call, module: Module) -> PresetEntry:
    said = keywords(call, module.constants)
    words = value_of(call.args[0], module.constants) if call.args else said.get("words", "")
    listed = [*node.args.posonlyargs, *node.args.args]
    defaults = [None] * (len(listed) - len(node.args.defaults)) + list(node.args.defaults)
    pairs = [*zip(listed, defaults, strict=True), *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)]
    fields = tuple(_preset_field(a, d, module.constants) for a, d in pairs)
    returns = last_name(node.returns) if node.returns else ""
    kept = {k: said[k] for k in ("source", "seeds", "recalled", "theories") if k in said}
    return PresetEntry(name, words, doc_of(node), module.file, fields, returns, **kept)


def _preset_field(argument: ast.arg, default: ast.expr | None, constants: dict[str, ast.expr]) -> Field:
    annotation = ast.unparse(argument.annotation) if argument.annotation else ""
    kind = "array" if "Array" in annotation or "ndarray" in annotation else "plain"
    return Field(argument.arg, kind, annotation, default is None, value_of(default, constants))


def read(folder: Path = PACKAGE) -> Index:
    """The index of a package folder, read anew from its files."""
    # classes between the roots and the systems stand in files of their own
    shared = [path for path in (folder / "square_loss.py", folder / "tables.py") if path.is_file()]
    paths = [*sorted((folder / "rules").glob("*.py")), *shared, *sorted((folder / "systems").rglob("*.py"))]
    roots = [parse(folder / file, folder) for file in dict.fromkeys(ROOTS.values())]
    modules = [parse(path, folder) for path in paths]
    entries = {e.name: e for e in _Classes([*roots, *modules]).entries()}
    kinds = ({n: e for n, e in entries.items() if e.kind == kind} for kind in ROOTS)
    presets = (_with_words(p, entries.get(p.returns)) for m in modules for p in _presets(m))
    return Index(*kinds, presets={p.name: p for p in presets})


def _with_words(preset: PresetEntry, problem: Entry | None) -> PresetEntry:
    """A preset's parameter that bears the name of a field of its problem means the same."""
    known = {f.name: f for f in (problem.fields if problem else ()) if f.kind in MAKERS}
    fields = [dataclasses.replace(known.get(f.name, f), required=f.required, default=f.default) for f in preset.fields]
    return dataclasses.replace(preset, fields=tuple(fields))


@functools.cache
def index() -> Index:
    """The index of this installation."""
    return read()
