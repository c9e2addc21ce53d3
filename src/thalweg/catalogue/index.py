"""What exists by name, read from the source text: problems, their parts, presets and theories, without jax."""

import ast
import dataclasses
import functools
from collections.abc import Iterable, Iterator, Set
from pathlib import Path
from typing import Any, TypeVar

from .entries import Entry, Field, Index, PresetEntry
from .syntax import Module, assignments, doc_of, keywords, last_name, parse, texts, value_of

PACKAGE = Path(__file__).parent.parent
SHARED = ("words/rule", "own_network/problem")
ROOTS = {"Problem": "words/problem.py", "Theory": "words/theory.py"}
MAKERS = ("size", "scalar", "vector", "array", "function", "tree")
Told = TypeVar("Told", Entry, PresetEntry)


@functools.cache
def _maker_defaults() -> dict[str, dict[str, Any]]:
    """What size(), scalar(), ... say when they are not told, from their own signatures."""
    tree = ast.parse((PACKAGE / "words" / "fields.py").read_text(encoding="utf-8"))
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
    return Field(name, "plain", annotation, node.value is None, value_of(node.value, constants))


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
        """Every public class; its kind is its root, or the oldest of its ancestors."""
        for module in self.modules:
            for name in module.classes:
                if not name.startswith("_"):
                    yield _entry(self.lineage(name, module))


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


def _entry(line: list[tuple[ast.ClassDef, Module]]) -> Entry:
    fields: dict[str, Field] = {}
    said: dict[str, Any] = {"of": (), "source": (), "conditions_on": ()}
    for node, module in line:
        for part in node.body:
            if isinstance(part, ast.AnnAssign) and not (_is_no_field(part.annotation) or _is_derived(part.value)):
                fields[ast.unparse(part.target)] = _field(part, module.constants)
        own = dict(assignments(node.body))
        said |= {k: texts(own[k], module.constants) for k in said if k in own}
    node, module = line[-1]
    older = tuple(ancestor.name for ancestor, _ in line[:-1])
    return Entry(
        node.name,
        next((name for name in older if name in ROOTS), line[0][0].name),
        doc_of(node),
        module.file,
        tuple(fields.values()),
        **said,
        ancestors=older,
        concrete=node.name not in ROOTS and not _unfinished(line),
    )


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
    # rules, a user's own network, and classes between the roots and the systems stand in files of their own
    shared = [path for path in (folder / f"{name}.py" for name in SHARED) if path.is_file()]
    paths = [*sorted((folder / "rules").glob("*.py")), *shared, *sorted((folder / "systems").rglob("*.py"))]
    roots = [parse(folder / file, folder) for file in dict.fromkeys(ROOTS.values())]
    modules = [parse(path, folder) for path in paths]
    classes = {e.name: e for e in _Classes([*roots, *modules]).entries()}
    bases = {older for e in classes.values() if e.concrete for older in e.ancestors} & classes.keys() - ROOTS.keys()
    known = {name: _with_families(e, bases) for name, e in classes.items()}
    problems, theories = ({n: e for n, e in known.items() if e.concrete and e.kind == kind} for kind in ROOTS)
    settled = (_with_families(_with_words(p, problems.get(p.returns)), bases) for m in modules for p in _presets(m))
    presets = {p.name: p for p in settled}
    families = _reached([*problems.values(), *presets.values()], known)
    parts = {n: e for n, e in known.items() if e.concrete and families.keys() & {n, *e.ancestors}}
    return Index(problems, families, parts, theories, presets)


def _with_families(entry: Told, bases: Set[str]) -> Told:
    """The entry, told of those fields that hold a module: their annotation is a class with concrete heirs."""
    return dataclasses.replace(entry, fields=tuple(_with_family(f, bases) for f in entry.fields))


def _with_family(field: Field, bases: Set[str]) -> Field:
    named = [part.strip() for part in field.annotation.split("|") if part.strip() != "None"]
    told = len(named) == 1 and named[0] in bases
    return dataclasses.replace(field, kind="module", family=named[0]) if told else field


def _reached(subjects: Iterable[Entry | PresetEntry], known: dict[str, Entry]) -> dict[str, Entry]:
    """The families that fields of these hold, then those that fields of their members hold."""
    found: dict[str, Entry] = {}
    waiting = [f.family for s in subjects for f in s.fields if f.family]
    for name in waiting:
        if name not in found:
            found[name] = known[name]
            heirs = [e for e in known.values() if e.concrete and name in (e.name, *e.ancestors)]
            waiting += [f.family for e in heirs for f in e.fields if f.family]
    return found


def _with_words(preset: PresetEntry, problem: Entry | None) -> PresetEntry:
    """A preset's parameter that bears the name of a field of its problem means the same."""
    known = {f.name: f for f in (problem.fields if problem else ()) if f.kind in MAKERS}
    fields = [dataclasses.replace(known.get(f.name, f), required=f.required, default=f.default) for f in preset.fields]
    return dataclasses.replace(preset, fields=tuple(fields))


@functools.cache
def index() -> Index:
    """The index of this installation."""
    return read()
