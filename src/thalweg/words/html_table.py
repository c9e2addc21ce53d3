"""A small table as HTML, for notebooks: escaped, with the reader's own colours."""

from collections.abc import Iterable, Sequence
from html import escape

CELL = "text-align:left;vertical-align:top;padding:3px 10px 3px 0;white-space:normal"


def html_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts, the first column in bold."""
    head = "".join(f'<th style="{CELL}">{escape(name)}</th>' for name in columns)
    lines = []
    for first, *others in rows:
        cells = "".join(f'<td style="{CELL}">{escape(text)}</td>' for text in others)
        lines.append(f'<tr><td style="{CELL}"><b>{escape(first)}</b></td>{cells}</tr>')
    body = "".join(lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
