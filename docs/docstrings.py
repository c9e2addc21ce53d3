"""Docstrings as pages show them: equations stay as written, fields of problems, rules and parts stand in a table.

An extension of griffe, which reads the sources for mkdocstrings; mkdocs.yml names it.
"""

import re

import griffe

from thalweg.catalogue.entries import Entry
from thalweg.catalogue.index import index
from thalweg.words.phrases import plain_number, pretty


def as_markdown(text: str) -> str:
    """Plain text with `code` in it as Markdown: indented lines are code, no sign means anything but the backtick."""
    lines: list[str] = []
    code = False
    for line in text.splitlines():
        if line.strip() and (line.startswith("    ") != code):
            lines.append("")
            code = not code
        lines.append(line if code else _escaped(line))
    return "\n".join(lines)


def _escaped(line: str) -> str:
    parts = re.split(r"(`[^`]*`)", line)
    return "".join(
        p if p.startswith("`") else re.sub(r"([\\*_\[\]#<>])", r"\\\1", p).replace("\\<", "&lt;") for p in parts
    )


def table_of_fields(entry: Entry) -> str:
    """The fields of a class with their words, ranges and defaults; empty if it has none."""
    if not entry.fields:
        return ""
    rows = ["| field | meaning | symbol | allowed | default |", "|---|---|---|---|---|"]
    for field in entry.fields:
        default = "required" if field.required else f"`{plain_number(field.default)}`"
        cells = (field.words or field.annotation, pretty(field.symbol), field.allowed())
        rows.append(
            " | ".join(["| `" + field.name + "`", *(_escaped(c).replace("|", "\\|") for c in cells), default + " |"])
        )
    return "\n".join(rows)


class Docstrings(griffe.Extension):
    """Rewrites what is shown, not what stands in the source."""

    def __init__(self) -> None:
        super().__init__()
        found = index()
        self.entries = {**found.theories, **found.families, **found.parts, **found.problems}

    def on_object(self, *, obj: griffe.Object, **kwargs: object) -> None:
        if obj.docstring is None:
            return
        entry = self.entries.get(obj.name) if obj.is_class else None
        # another class may have the same name
        known = entry is not None and obj.docstring.value.startswith(entry.doc.splitlines()[0])
        obj.docstring.value = as_markdown(obj.docstring.value)
        if entry is not None and known:
            obj.docstring.value += "\n\n" + table_of_fields(entry)
