"""The import directions: whoever reads a file knows what it can depend on."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src"
FILES = sorted((SOURCE / "thalweg").rglob("*.py"))

# A folder may import itself and the folders before it.
ORDER = (
    "_version",
    "computing",
    "mathematics",
    "words",
    "data",
    "rules",
    "own_network",
    "catalogue",
    "results",
    "running",
    "diagnostics",
    "verdict",
    "verbs",
    "faces",
    "testing",
    "__main__",
)
# Folders beside this order: what they may import, apart from their own files.
BESIDE = {
    "systems": {
        "_version",
        "computing",
        "mathematics",
        "words",
        "data",
        "rules",
        "catalogue",
        "diagnostics",
        "learners",
    },
    "learners": {"_version", "computing", "mathematics", "words"},
    "torch": {"_version", "mathematics", "words", "rules", "own_network", "diagnostics"},
}
# The public names as a whole are for those who list them: nobody else imports the package itself.
LISTERS = {"catalogue", "faces"}
# the one folder of systems that every family may import
SHARED = "systems.shared"


def module_name(path: Path) -> str:
    """The dotted name of a file; a package's `__init__` has the package's name."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def running_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below this one, apart from what only a type checker sees."""
    yield node
    for child in node.orelse if is_for_types_only(node) else ast.iter_child_nodes(node):
        yield from running_nodes(child)


def imports(tree: ast.AST, name: str, is_package: bool) -> Iterator[str]:
    """The dotted names inside thalweg that a file imports, `from package import name` as `package.name`."""
    for node in running_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "thalweg")
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = node.level - is_package
                base = ".".join(filter(None, [*name.split(".")[: len(name.split(".")) - up], node.module]))
            if base.split(".")[0] == "thalweg":
                yield from (f"{base}.{alias.name}" for alias in node.names)


def part(name: str) -> str:
    """`thalweg.systems.linear.x` -> `systems`; the package itself -> the empty word."""
    return [*name.split("."), ""][1]


def family(name: str) -> str:
    """The part with its first folder or file: members of one family of systems may know each other."""
    return ".".join(name.split(".")[1:3])


def allowed(importer: str, imported: str) -> bool:
    here, there = part(importer), part(imported)
    if not here or importer == "thalweg.systems":  # the package, and the list of systems, may name everything
        return True
    if not there:
        return here in LISTERS
    if here == there == "systems":
        return family(imported) in (family(importer), SHARED)
    if here in BESIDE:
        return here == there or there in BESIDE[here]
    if there in BESIDE:
        # what the families share is no family
        return family(imported) == SHARED and ORDER.index(here) >= ORDER.index("verdict")
    return ORDER.index(there) <= ORDER.index(here)


def breaches(text: str, name: str, is_package: bool = False) -> list[str]:
    return [i for i in imports(ast.parse(text), name, is_package) if not allowed(name, i)]


def system_names() -> set[str]:
    """The public classes and functions of the systems."""
    definitions = (
        node
        for path in FILES
        if part(module_name(path)) == "systems" and family(module_name(path)) != SHARED
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
    )
    return {node.name for node in definitions if not node.name.startswith("_") and node.name[0].isupper()}


def docstrings(tree: ast.AST) -> set[int]:
    """Identities of the constants that are documentation, not code."""
    owners = (n for n in ast.walk(tree) if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef))
    first = (n.body[0] for n in owners if n.body)
    return {id(n.value) for n in first if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)}


def named(text: str, names: set[str], strings_too: bool) -> set[str]:
    """Which of these names the code speaks about: as identifiers and, if asked, inside strings."""
    tree = ast.parse(text)
    words, skip = set(), docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            words.add(node.id)
        elif isinstance(node, ast.Attribute):
            words.add(node.attr)
        elif isinstance(node, ast.alias):
            words.update(node.name.split("."))
        elif strings_too and isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skip:
            words.update(name for name in names if name in node.value)
    return words & names


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_point_downwards(path):
    name = module_name(path)
    known = {*ORDER, *BESIDE, ""}
    assert part(name) in known, f"give {part(name)} a place in ORDER or BESIDE"
    assert not breaches(path.read_text(), name, path.name == "__init__.py")


@pytest.mark.parametrize("path", [p for p in FILES if part(module_name(p)) == "faces"], ids=module_name)
def test_faces_know_no_system_by_name(path):
    """They read the registry; the demo alone may name presets, as strings."""
    assert not named(path.read_text(), system_names(), strings_too=path.stem != "demo")


@pytest.mark.parametrize(
    ("name", "text", "wrong"),
    [
        ("thalweg.mathematics.quadrature", "from ..data import mixtures", ["thalweg.data.mixtures"]),
        ("thalweg.words.problem", "import thalweg.rules", ["thalweg.rules"]),
        ("thalweg.words.problem", "from ..verbs import sweeps", ["thalweg.verbs.sweeps"]),
        ("thalweg.words.problem", "def f():\n    from ..faces.cli import main", ["thalweg.faces.cli.main"]),
        ("thalweg.verbs.comparison", "from ..systems import linear", ["thalweg.systems.linear"]),
        ("thalweg.verbs.comparison", "from ..systems.shared.square_loss import f", []),
        ("thalweg.verbs.comparison", "import thalweg", ["thalweg"]),
        ("thalweg.catalogue.registry", "import thalweg", []),
        ("thalweg.systems.linear", "from .deep import f", ["thalweg.systems.deep.f"]),
        ("thalweg.systems.own_data.adviser", "from ..shared.least_squares import f", []),
        (
            "thalweg.systems.own_data.adviser",
            "from ..linear_classifier.problem import f",
            ["thalweg.systems.linear_classifier.problem.f"],
        ),
        ("thalweg.systems.linear", "from ..verbs.sweeps import sweep", ["thalweg.verbs.sweeps.sweep"]),
        (
            "thalweg.words.problem",
            "if TYPE_CHECKING:\n  pass\nelse:\n  from ..rules import f",
            ["thalweg.rules.f"],
        ),
        ("thalweg.words.problem", "if TYPE_CHECKING:\n    from ..rules import Rule", []),
        ("thalweg.systems.linear.problem", "from .theory import f\nfrom ...rules import g\nimport jax", []),
        ("thalweg.verbs.comparison", "from .sweeps import f\nfrom ..results.checks import check", []),
    ],
)
def test_the_import_rule_itself(name, text, wrong):
    assert breaches(text, name) == wrong


def test_the_name_rule_itself():
    names = {"LinearClassifier"}
    text = '"""LinearClassifier, as an example."""\nhelp = "try LinearClassifier"'
    assert named(text, names, strings_too=True) == names
    assert not named(text, names, strings_too=False)
    assert named("from thalweg import LinearClassifier", names, strings_too=False) == names


# Names that several folders have, and what each means wherever it stands.
SAME_MEANING = {
    "__init__": "the folder",
    "__main__": "what `python -m` runs",
    "problem": "a problem: the word, or that of a family or of a user's network",
    "presets": "published settings of a family",
    "adviser": "what a family advises",
    "readings": "observables and what events watch, of a family",
    "regime": "assumptions of a family as numbers",
    "starts": "laws of the start of a family",
    "examples": "small problems of a family, for the contract",
    "conventions": "rows of the table of conventions",
}
# verbs of the package: no module takes their names, so that each names one thing
VERBS = ["predict", "train", "compare", "sweep", "plot", "report", "advise", "rerun", "replay", "save", "load", "solve"]
RULES = "GradientFlow GradientDescent HeavyBall Nesterov SGD OnePassSGD OnePassNaturalGradient Optax Scheduled Averaged"


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Every function with its lines, the docstring apart."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            first = node.body[0]
            told = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and first.value.value
            words = first.end_lineno - first.lineno + 1 if isinstance(told, str) else 0
            yield node.name, node.end_lineno - node.lineno + 1 - words


def test_the_root_is_small_and_folders_are_two_deep():
    package = SOURCE / "thalweg"
    assert len([p for p in package.iterdir() if p.is_file()]) <= 8
    assert max(len(p.relative_to(package).parts) for p in FILES) == 3


def test_no_two_files_of_one_name_mean_different_things():
    count = Counter(path.stem for path in FILES)
    assert {name for name, times in count.items() if times > 1} == SAME_MEANING.keys()
    assert not set(VERBS) & count.keys()


def test_files_and_functions_are_short():
    lines = {module_name(path): len(path.read_text().splitlines()) for path in FILES}
    assert not {name: n for name, n in lines.items() if n >= 300}
    long = {f"{module_name(path)}.{name}": n for path in FILES for name, n in functions(path) if n > 40}
    assert not long


def test_rules_are_asked_and_not_told_apart():
    names = {*RULES.split(), "Minibatches", "LeafRates", "DiscreteRule"}
    asked = [
        (module_name(path), node.lineno)
        for path in FILES
        if part(module_name(path)) != "rules"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "isinstance"
        and names & {n.id for n in ast.walk(node.args[1]) if isinstance(n, ast.Name)}
    ]
    assert len(asked) < 10, asked


def test_no_circles():
    """Not within one folder either."""
    names = {module_name(path) for path in FILES}
    after: dict[str, set[str]] = {}
    for path in FILES:
        name = module_name(path)
        found = imports(ast.parse(path.read_text()), name, path.name == "__init__.py")
        targets = {one if one in names else one.rpartition(".")[0] for one in found}
        # examples make what imports them when a test asks, and never otherwise
        after[name] = {one for one in targets & names if not one.endswith(".examples")} - {name, "thalweg"}
    while True:
        ends = {name for name, targets in after.items() if not targets}
        if not ends:
            break
        after = {name: targets - ends for name, targets in after.items() if name not in ends}
    assert not after, f"these import each other in a circle, or one that does: {sorted(after)}"
