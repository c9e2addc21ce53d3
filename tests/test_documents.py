"""What the documents promise runs as it is written, and every public name stands where a reader looks for it."""

import ast
import importlib
import inspect
import re
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import thalweg as tw
from thalweg.catalogue.names import families

ROOT = Path(__file__).parent.parent
PAGES = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md"))]
RECORDS = [path for path in sorted((ROOT / "docs/decisions").glob("*.md")) if path.stem[0].isdigit()]
# pages whose blocks run here, with a word that they print
RUNS = {
    "README.md": "confirmed",
    "docs/index.md": "confirmed",
    "docs/extending.md": "confirmed",
    "docs/step_sizes.md": "linear range",
    "docs/own_data.md": "",
    "docs/deep_linear.md": "why not",
    "docs/linear_classifier.md": "ridge",
    "docs/linear_regression.md": "0.125",
    "docs/logistic.md": "FiniteOptimum",
    "docs/implicit_bias.md": "least potential",
    "docs/orthogonal_relu.md": "0.99",
    "docs/committee_machine.md": "2.3068",
    "docs/quadratic_network.md": "107.3",
}
NIGHTLY = ("docs/learning_rates.md",)
# modules that are public beside the package itself
MODULES = ("rules", "testing", "diagnostics", "torch")


def blocks(name: str) -> list[str]:
    """The Python blocks of a document, in order; those that import PyTorch only where it is installed."""
    found = re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), flags=re.DOTALL)
    return [block for block in found if find_spec("torch") or "import torch\n" not in block]


@pytest.mark.parametrize(("name", "word"), RUNS.items())
def test_blocks_run_one_after_the_other(name, word, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    place: dict = {"__name__": "document"}
    for block in blocks(name):
        exec(compile(block, name, "exec"), place)
    printed = capsys.readouterr().out
    assert word in printed


@pytest.mark.nightly
def test_the_page_on_learning_rates_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    place: dict = {"__name__": "document"}
    for block in blocks("docs/learning_rates.md"):
        exec(compile(block, "learning_rates.md", "exec"), place)
    assert "learning rate" in capsys.readouterr().out
    assert (tmp_path / "rates.png").is_file()


def test_no_page_has_blocks_that_never_run():
    with_blocks = {name for name in ("README.md", "CONTRIBUTING.md", *PAGES) if blocks(name)}
    assert with_blocks <= {*RUNS, *NIGHTLY}


def test_links_lead_somewhere():
    for name in ("README.md", "CONTRIBUTING.md", *PAGES):
        folder = (ROOT / name).parent
        for link in re.findall(r"\]\(([^)#]+)\)", (ROOT / name).read_text()):
            if "://" not in link:
                assert (folder / link).exists(), f"{name} links to {link}, which does not exist"


def test_every_finding_has_its_command():
    """Each entry says what is stated and what holds, and names a command that is there."""
    text = (ROOT / "docs/findings.md").read_text()
    written = re.findall(r"^def (\w+)\(\) -> None:", (ROOT / "benchmarks/findings.py").read_text(), re.MULTILINE)
    assert sorted(re.findall(r"python benchmarks/findings\.py (\w+)", text)) == sorted(written)
    for entry in text.split("\n### ")[1:]:
        assert all(f"- **{word}**" in entry for word in ("Stated", "Holds", "Command")), entry.splitlines()[0]


def test_every_page_stands_in_the_menu():
    menu = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2]
    assert sorted(re.findall(r"[\w/-]+\.md", menu)) == sorted(name.removeprefix("docs/") for name in PAGES)


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_has_its_parts_and_stands_in_the_index(path):
    text = path.read_text()
    title = re.match(r"# (.+)\n\nDate: (\d{4}-\d\d-\d\d)\b", text)
    assert title
    assert path.stem.startswith(title[2])
    assert all(text.count(f"\n**{part}.**") == 1 for part in ("Context", "Decision", "Consequence"))
    assert f"| {title[2]} | [{title[1]}]({path.name}) |" in (path.parent / "index.md").read_text()


def directives(page: Path) -> list[str]:
    """The names that a page of the interface shows."""
    return re.findall(r"^::: (\S+)$", page.read_text(), re.MULTILINE)


def exported(module: str) -> list[str]:
    """`__all__` of a module without importing it, for those that need an extra."""
    tree = ast.parse((ROOT / "src/thalweg" / module / "__init__.py").read_text())
    (names,) = (n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__")
    return ast.literal_eval(names)


def public() -> dict[str, Any]:
    """Every public name with what it names; what names a thing of PyTorch is its own name, for torch may be missing."""
    found: dict[str, Any] = {}
    for name in tw.__all__:
        value = getattr(tw, name)
        if inspect.ismodule(value):
            found |= {f"thalweg.{name}.{member}": getattr(value, member) for member in value.__all__}
        elif not name.startswith("_"):
            found[f"thalweg.{name}"] = value
    for module in MODULES:
        for member in exported(module):
            name = f"thalweg.{module}.{member}"
            found[name] = name if module == "torch" else getattr(importlib.import_module(f"thalweg.{module}"), member)
    return found


def home(value: Any) -> str:
    """The family of systems in which something is written; empty for what belongs to none."""
    module = getattr(getattr(value, "build", value), "__module__", None) or ""
    return module.removeprefix("thalweg.systems.").partition(".")[0] if module.startswith("thalweg.systems.") else ""


def test_every_public_name_stands_on_exactly_one_page():
    known = public()
    shown = [name for page in (ROOT / "docs/api").glob("*.md") for name in directives(page)]
    assert not set(shown) - known.keys(), "these are shown, but are not public"
    counts = Counter(id(known[name]) for name in shown)
    assert not [name for name, value in known.items() if counts[id(value)] == 0], "these stand on no page of docs/api"
    assert not [name for name, value in known.items() if counts[id(value)] > 1], "these are shown more than once"


def test_what_belongs_to_a_family_stands_on_its_page():
    known = public()
    folders = families()
    for page in (ROOT / "docs/api").glob("*.md"):
        homes = {home(known[name]) for name in directives(page)} - {"", "shared"}
        assert homes == ({page.stem} if page.stem in folders else set()), page.name
    assert all((ROOT / "docs" / place / f"{name}.md").is_file() for name in folders for place in (".", "api"))
