"""What the documents promise runs as it is written."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def blocks(name: str) -> list[str]:
    """The Python blocks of a document, in order; those that import PyTorch only where it is installed."""
    found = re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), flags=re.DOTALL)
    return [block for block in found if find_spec("torch") or "import torch\n" not in block]


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("README.md", "confirmed"),
        ("docs/extending.md", "confirmed"),
        ("docs/step_sizes.md", "linear range"),
        ("docs/own_data.md", ""),
        ("docs/deep_linear.md", "why not"),
    ],
)
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


def test_links_lead_somewhere():
    for name in ("README.md", *(str(p.relative_to(ROOT)) for p in (ROOT / "docs").glob("*.md"))):
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
