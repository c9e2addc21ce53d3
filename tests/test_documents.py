"""What the documents promise runs as it is written."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def blocks(name: str) -> list[str]:
    """The Python blocks of a document, in order."""
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("name", ["README.md", "docs/extending.md", "docs/own_data.md"])
def test_blocks_run_one_after_the_other(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    place: dict = {"__name__": "document"}
    for block in blocks(name):
        exec(compile(block, name, "exec"), place)
    printed = capsys.readouterr().out
    assert "confirmed" in printed


def test_links_lead_somewhere():
    for name in ("README.md", *(str(p.relative_to(ROOT)) for p in (ROOT / "docs").glob("*.md"))):
        folder = (ROOT / name).parent
        for link in re.findall(r"\]\(([^)#]+)\)", (ROOT / name).read_text()):
            if "://" not in link:
                assert (folder / link).exists(), f"{name} links to {link}, which does not exist"
