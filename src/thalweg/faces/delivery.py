"""What a command hands over once its result is saved: pictures, a report, lines or JSON, and the exit code."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import click

from .console import exit_code, note, printer
from .output import Place


def deliver(result: Any, place: Place, as_json: bool) -> int:
    """The pictures of a saved result and (for a comparison) its report; print it; say the exit code."""
    from ..results.kinds import kind_of
    from .page import report
    from .picture import plot
    from .summary import lines, summary
    from .view_picture import views_in

    files = {"result": str(place.result)}
    with _or_told("picture"):
        picture = place.file("picture", ".png")
        plot(result, picture)
        files["picture"] = str(picture)
    for view in views_in(result):
        with _or_told(view.name):
            picture = place.file(view.name, ".png")
            plot(result, picture, view=view.name)
            files[view.name] = str(picture)
    if kind_of(result).judged:
        with _or_told("report"):
            files["report"] = str(report(result, place.file("report", ".html")))
    if as_json:
        click.echo(json.dumps(summary(result, files), indent=1))
    else:
        console = printer()
        for line in (*lines(result), f"written: {', '.join(files.values())}"):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    return exit_code(result.attrs.get("verdict"))


@contextlib.contextmanager
def _or_told(what: str) -> Iterator[None]:
    """What cannot be drawn is told; the result is saved, and the verdict stands."""
    from .layout import NothingToDraw

    try:
        yield
    except NothingToDraw:
        pass
    except ValueError as trouble:
        note(f"note: there is no {what}: {trouble}")
