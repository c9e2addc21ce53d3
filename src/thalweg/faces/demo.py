"""Two comparisons from start to end: `python -m thalweg.faces.demo [folder]`, also `make demo`."""

import sys
import time
from pathlib import Path
from typing import Any

from .console import Sentence, keep_compiled, printer, progress
from .output import writable_place
from .style import VERDICT_COLOURS

PRESETS = ("CouilletLiao2022.flow", "DigitsClassifier")


def run(name: str, target: Path) -> list[list[str]]:
    """Compare a preset, write its report, picture and data; one line a theory for the table."""
    import thalweg as tw

    from ..catalogue import registry
    from .page import report
    from .page_tables import percent
    from .picture import plot
    from .reading import Comparison

    begin = time.perf_counter()
    preset = registry.find_preset(name)
    assert preset is not None
    problem = preset()
    with progress(name) as told:
        times, chosen = preset.times(problem), list(preset.theories) or None
        result = tw.compare(problem, times, theory=chosen, seeds=preset.seeds or "enough", progress=told)
    tw.save(result, target / f"{name}.nc")
    plot(result, target / f"{name}.png")
    report(result, target / f"{name}.html")
    seconds = f"{time.perf_counter() - begin:.0f} s"
    rows = []
    for theory in Comparison(result).theories:
        colour = VERDICT_COLOURS.get(theory.verdict, "default")
        shares = [percent(theory.told.attrs[k]) for k in ("agreement", "sensitivity")]
        rows.append([name, theory.name, f"[{colour}]{theory.verdict}[/]", *shares, seconds])
        name, seconds = "", ""
    return rows


def table(rows: list[list[str]]) -> Any:
    """Verdicts with both of their numbers."""
    from rich import box
    from rich.table import Table

    found = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("preset", "theory", "verdict", "agrees within", "could have seen", "time"):
        found.add_column(column, overflow="fold")
    for row in rows:
        found.add_row(*row)
    return found


def main() -> None:
    """Run both presets; the folder is the first argument, out/demo by default."""
    keep_compiled()
    place = sys.argv[1] if len(sys.argv) > 1 else "out/demo"
    console = printer()
    try:
        with writable_place(place) as target:
            rows = [row for name in PRESETS for row in run(name, target.folder)]
    except ValueError as trouble:
        Sentence(str(trouble)).show()
        sys.exit(Sentence.exit_code)
    console.print(table(rows))
    console.print(f"Reports: {', '.join(f'{place}/{name}.html' for name in PRESETS)}", soft_wrap=True)


if __name__ == "__main__":
    main()
