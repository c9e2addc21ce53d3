"""Source text as data: what a module's classes, constants and calls say, without running it."""

import ast
import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


@dataclasses.dataclass(frozen=True)
class Module:
    """A parsed file: its classes, and its module-level constants."""

    file: str
    tree: ast.Module
    classes: dict[str, ast.ClassDef]
    constants: dict[str, ast.expr]


def parse(path: Path, folder: Path) -> Module:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = {n.name: n for n in tree.body if isinstance(n, ast.ClassDef)}
    return Module(str(path.relative_to(folder)), tree, classes, dict(assignments(tree.body)))


def assignments(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for node in body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value


def last_name(node: ast.expr) -> str:
    """`Theory` of `Theory`, `theory.Theory` and `Theory[P]`."""
    if isinstance(node, ast.Subscript):
        return last_name(node.value)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def value_of(node: ast.expr | None, constants: dict[str, ast.expr]) -> Any:
    """The value of a constant expression; the text of any other."""
    if isinstance(node, ast.Name) and node.id in constants:
        return value_of(constants[node.id], constants)
    if isinstance(node, ast.Tuple):
        return tuple(value_of(e, constants) for e in node.elts)
    if node is None:
        return None
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


def keywords(call: ast.Call, constants: dict[str, ast.expr]) -> dict[str, Any]:
    """Keyword arguments by name, those of a `**CONSTANT` among them."""
    found: dict[str, Any] = {}
    for keyword in call.keywords:
        value = value_of(keyword.value, constants)
        found |= {keyword.arg: value} if keyword.arg else value if isinstance(value, dict) else {}
    return found


def doc_of(node: ast.ClassDef | ast.FunctionDef) -> str:
    return ast.get_docstring(node) or ""


def texts(node: ast.expr, constants: dict[str, ast.expr]) -> tuple[str, ...]:
    """A tuple of classes, texts or sources as texts: `Source("Key", "section 2")` becomes `Key, section 2`."""
    if isinstance(node, ast.Name) and node.id in constants:
        return texts(constants[node.id], constants)
    if isinstance(node, ast.Tuple | ast.List):
        return tuple(text for e in node.elts for text in texts(e, constants))
    if isinstance(node, ast.Starred):
        return texts(node.value, constants)
    if isinstance(node, ast.BinOp):
        return texts(node.left, constants) + texts(node.right, constants)
    if isinstance(node, ast.Call):
        said = [value_of(a, constants) for a in [*node.args, *(k.value for k in node.keywords)]]
        return (", ".join(str(s) for s in said if s),)
    return (str(value_of(node, constants)),)
