"""Public names: which a family exports, and which of all stand in `dir(thalweg)`."""

import ast
from importlib import resources
from pathlib import Path

from .outsiders import announced
from .stored import stored

PACKAGE = resources.files("thalweg")
SYSTEMS = "systems"
MARK = "# names from .systems are written by `make catalogue`, all others by hand"
# a folder among the families that is none
SHARED = "shared"


def imports(text: str) -> dict[str, str]:
    """The names that a stub imports, with the module of each."""
    found = (node for node in ast.parse(text).body if isinstance(node, ast.ImportFrom))
    return {alias.asname or alias.name: node.module or "" for node in found for alias in node.names}


def families() -> list[str]:
    """The families of the package: folders or files of systems."""
    names = (Path(str(p)).stem for p in PACKAGE.joinpath(SYSTEMS).iterdir())
    return sorted({n for n in names if not n.startswith("_") and n != SHARED})


def exports(family: str) -> list[str]:
    """What a family exports: the names in its stub, or in `__all__` of a family of one file."""
    place = PACKAGE.joinpath(SYSTEMS)
    stub = place.joinpath(family, "__init__.pyi")
    if stub.is_file():
        return sorted(imports(stub.read_text(encoding="utf-8")))
    tree = ast.parse(place.joinpath(f"{family}.py").read_text(encoding="utf-8"))
    named = (n for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__")
    return sorted(name for node in named for name in ast.literal_eval(node.value))


def shown() -> list[str]:
    """Verbs, words, rules, problems and families."""
    problems = {e.name for e in stored()[0] if e.kind == "Problem"}
    named = imports(PACKAGE.joinpath("__init__.pyi").read_text(encoding="utf-8"))
    own = {n for n, module in named.items() if not module.startswith(f"{SYSTEMS}.") or n in problems}
    return sorted(own | set(announced()))


def root_stub(text: str) -> str:
    """The stub of the package: what stands in it by hand, then the families and their names."""
    by_hand = [line for line in text.splitlines() if line and line != MARK and not line.startswith(f"from .{SYSTEMS}")]
    lines = [f"from .{SYSTEMS} import {family} as {family}" for family in families()]
    lines += [f"from .{SYSTEMS}.{family} import {name} as {name}" for family in families() for name in exports(family)]
    return "\n".join([MARK, *by_hand, *lines, ""])


def systems_stub() -> str:
    """The stub of the folder of families."""
    return "".join(f"from . import {family} as {family}\n" for family in families())
