"""The rows of docs/conventions.md, gathered from the families that declare them."""

import importlib
import importlib.util
import pkgutil
import textwrap

from ..words.conversion import Convention

BEGIN = "<!-- rows of the families, written by `make catalogue` -->\n"
END = "<!-- end of the rows -->\n"
HEAD = ("row", "source", "what it does", "loss factor", "clock factor", "start, other symbols")


def conventions() -> list[Convention]:
    """All rows in the order of their numbers: `CONVENTIONS` of the file conventions.py of the rules and each family."""
    systems = importlib.import_module("thalweg.systems")
    folders = [f"thalweg.systems.{found.name}" for found in pkgutil.iter_modules(systems.__path__) if found.ispkg]
    files = [f"{folder}.conventions" for folder in ("thalweg.rules", *folders)]
    declaring = [importlib.import_module(file) for file in files if importlib.util.find_spec(file)]
    rows = [row for module in declaring for row in module.CONVENTIONS]
    return sorted(rows, key=lambda row: (len(row.row), row.row))


def table(rows: list[Convention]) -> str:
    """The rows in Markdown, and the keys of their sources."""
    cells = [(r.row, r.source, r.does, r.loss_factor, r.clock_factor, r.other) for r in rows]
    lines = ["| " + " | ".join(line) + " |" for line in (HEAD, *cells)]
    keys = [f"`{key}`" for key in dict.fromkeys(key for row in rows for key in row.keys)]
    told = f"Sources, keys of `references.bib` beside each family: {', '.join(keys[:-1])} and {keys[-1]}."
    lines[1:1] = ["|" + "---|" * len(HEAD)]
    return "\n".join([*lines, "", *textwrap.wrap(told, 120, break_on_hyphens=False), ""])


def written(page: str) -> str:
    """The page with the rows of today between its two marks; ValueError for a page without them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks the marks {BEGIN.strip()} and {END.strip()}; put them where the rows go.")
    return f"{before}{begin}\n{table(conventions())}\n{end}{after}"
