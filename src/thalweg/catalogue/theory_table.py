"""The table of theories about a problem, which prints as a page that can be read."""

import textwrap

import pandas

from ..words.html_table import html_table

WIDTH = 118
SHOWN = {
    "theory": "theory",
    "kind": "kind",
    "applies": "applies",
    "strain": "strain",
    "assumption": "strained most",
    "conditions_on": "given",
    "claims": "claims",
}


class Menu(pandas.DataFrame):
    """A data frame whose text shows every theory: kind, what strains it, what it is given, what it claims and of what.

    Slices and other results are plain data frames.
    """

    @property
    def _constructor(self) -> type[pandas.DataFrame]:
        return pandas.DataFrame

    def __str__(self) -> str:
        if self.empty:
            return "no theory speaks about this problem; train(problem) needs none"
        rows = [{name: _cell(row[name]) for name in SHOWN} for row in self.to_dict("records")]
        widths = {name: max([len(title), *(len(row[name]) for row in rows)]) for name, title in SHOWN.items()}

        def line(cells: dict[str, str]) -> str:
            return "  ".join(cells[name].ljust(width) for name, width in widths.items()).rstrip()

        lines = [line(SHOWN)]
        for row, told in zip(rows, self.to_dict("records"), strict=True):
            lines += [line(row), *_indented(f"of: {told['speaks_of']}")]
            if told["why"]:
                lines += _indented(f"{'condition' if told['applies'] else 'why not'}: {told['why']}")
            lines += _indented(f"source: {told['source']}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        if self.empty:
            return f"<p>{self}</p>"
        titles = [*SHOWN.values(), "of", "why", "source"]
        columns = [*SHOWN, "speaks_of", "why", "source"]
        return html_table(titles, [[_cell(row[name]) for name in columns] for row in self.to_dict("records")])


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _indented(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="    ", subsequent_indent="        ")
