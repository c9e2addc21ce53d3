"""How many panels stand in a row, and which curves they show."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from ..words.phrases import unknown
from .style import blank, most_columns

# a figure, the sentences of its header with their verdicts, and the entries of its legend
Parts = tuple[Figure, list[tuple[str, str]], list[Any]]


class NothingToDraw(ValueError):
    """A result of single numbers, such as a critical rate."""


def columns_for(count: int) -> int:
    """At most three panels a row (on a phone one); four stand two by two."""
    return min(2 if count == 4 else count, most_columns())


def select(known: list[str], chosen: Sequence[str] | None) -> list[str]:
    """The curves asked for; ValueError with the nearest name for one that is not there."""
    for name in chosen or ():
        if name not in known:
            raise ValueError(unknown("observable", name, known))
    found = known if chosen is None else list(chosen)
    if not found:
        raise NothingToDraw("this result holds no curve over time, so there is nothing to draw.")
    return found


def grid(figure: Figure, count: int) -> list[Any]:
    """That many axes, as many a row as there is room for."""
    columns = columns_for(count)
    outer = figure.add_gridspec(-(-count // columns), columns)
    return [figure.add_subplot(outer[divmod(i, columns)]) for i in range(count)]


def empty_for(count: int) -> Figure:
    """A figure of the size that so many single panels need."""
    columns = columns_for(count)
    return blank(columns, 2.9 * -(-count // columns))
