"""The files around the code: sources, versions, sizes, dependencies."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from thalweg._version import __version__
from thalweg.catalogue.bibliography import bibliography, places_of
from thalweg.catalogue.conventions_page import conventions, written

ROOT = Path(__file__).parent.parent
REFERENCES = sorted((ROOT / "src").rglob("references.bib"))
FILES = sorted((ROOT / "src").rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def entries(text: str) -> list[tuple[str, dict[str, str]]]:
    """Key and fields of each BibTeX entry; an entry ends where its braces close."""
    found = []
    for start in re.finditer(r"^@\w+\{([^,\s]+),", text, re.MULTILINE):
        depth, end = 1, start.end()
        while depth:
            assert end < len(text), f"{start[1]} never ends"
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        body = text[start.end() : end - 1]
        found.append((start[1], dict(re.findall(r"^\s*(\w+)\s*=\s*\{(.*)\},\s*$", body, re.MULTILINE))))
    return found


def functions(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            documented = ast.get_docstring(node) is not None
            documentation = node.body[0].end_lineno - node.body[0].lineno + 1 if documented else 0
            yield node.name, node.end_lineno - node.lineno + 1 - documentation


def test_every_source_is_stated_once_and_in_full():
    texts = [path.read_text() for path in REFERENCES]
    found = [entry for text in texts for entry in entries(text)]
    keys = [key for key, _ in found]
    assert len(keys) == sum(text.count("@") for text in texts), "an entry that cannot be read"
    assert len(keys) == len(set(keys)), "a key that is stated twice"
    assert set(keys) == set(bibliography())
    for key, fields in found:
        assert {"author", "title", "year"} <= fields.keys(), key
        assert re.fullmatch(r"\d{4}", fields["year"]), key
        assert re.fullmatch(r"[A-Z][A-Za-z]+\d{4}[a-z]?", key), f"{key} is not names and year"
        assert {"doi", "eprint", "journal", "publisher", "booktitle"} & fields.keys(), f"{key} can be found nowhere"


def test_the_version_is_the_same_everywhere():
    citation = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert citation[1].strip("\"'") == __version__
    assert re.search(rf"^## .*{re.escape(__version__)}", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_torch_comes_with_its_own_extra_only():
    extras = PROJECT["optional-dependencies"]
    assert extras["torch"] == ["torch==2.13.0"]
    others = PROJECT["dependencies"] + [r for name, extra in extras.items() if name != "torch" for r in extra]
    assert not [r for r in others if r.startswith("torch")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT / "src/thalweg")))
def test_files_and_functions_stay_short(path):
    assert path.read_text().count("\n") <= 300
    assert [(name, size) for name, size in functions(path) if size > 40] == []


def test_the_page_of_conventions_is_what_the_families_declare():
    page = (ROOT / "docs/conventions.md").read_text()
    assert written(page) == page, "run `make catalogue`"
    rows = conventions()
    assert [one.row for one in rows] == [f"C{i + 1}" for i in range(len(rows))]
    declaring = [path for path in FILES if path.read_text().count("\nCONVENTIONS = (")]
    assert sum(path.read_text().count("    Convention(\n") for path in declaring) == len(rows) > 0
    assert {key for one in rows for key in one.keys} <= set(bibliography())
    with pytest.raises(ValueError, match="lacks the marks"):
        written(page.replace("<!-- end of the rows -->", ""))


def test_sources_of_another_package_are_read_beside_its_files(tmp_path, monkeypatch):
    (tmp_path / "family").mkdir()
    own = "@misc{Somebody2031,\n  title = {{A} {Title}},\n}"
    (tmp_path / "family/references.bib").write_text(f"% a note\n{own}\n\n@book{{Goldt2019,\n}}\n")
    assert "Somebody2031" not in bibliography()
    for place in (tmp_path, tmp_path / "family/references.bib"):
        found = bibliography([place])
        assert found["Somebody2031"] == own
        assert found["Goldt2019"] == bibliography()["Goldt2019"]
    (tmp_path / "family/__init__.py").touch()
    (tmp_path / "family/theory.py").touch()
    (tmp_path / "alone.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert "Somebody2031" in bibliography(places_of("family"))
    assert "Somebody2031" in bibliography(places_of("family.theory"))
    # a file of its own among folders that are not: nothing below is read
    assert "Somebody2031" not in bibliography(places_of("alone"))
    assert places_of("not_there.at_all") == []
