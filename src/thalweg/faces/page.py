"""report: one self-contained HTML page about a comparison, for a reader who has two minutes."""

import inspect
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..catalogue import bibliography
from ..catalogue.outsiders import announced
from ..results.kinds import kind_of, parts
from ..words.phrases import counted, cut, plain_number, pretty
from . import again, typesetting
from .page_pictures import pictures
from .page_tables import failures, number, percent, runs, told_seeds
from .reading import (
    Comparison,
    TheoryPart,
    class_of,
    main_parameters,
    own_parts,
    parameters,
    problem_of,
    rule_of,
    title_of,
)
from .style import VERDICT_COLOURS

MEANING = {
    "confirmed": "Theory and training agree, and the run was sharp enough to have seen a difference that matters.",
    "consistent": "Training is on its way to the limit that the theory states, within the approach that it declares.",
    "inconclusive": "Nothing contradicts the theory, but the run was not sharp enough to confirm it.",
    "contradicted": "They differ by more than the budget allows although every assumption holds: an error in the "
    "software, in the source, or in the list of assumptions.",
    "better than promised": "They agree although an assumption is broken.",
    "outside its regime": "They differ, and an assumption is broken: nothing is refuted.",
}


def report(result: Any, path: str | os.PathLike[str]) -> Path:
    """Write one HTML file about a result (or a saved one, by its path): no other file or connection is needed.

    Verdict with both of its numbers, pictures, model and theory with their equations, error budget, assumptions with
    their strains, what each run did, setting, sources as BibTeX, the command and the Python that run it again. It
    follows the reader's light or dark, and on a telephone pictures stand one below the other and tables become cards.
    Returns the path; ValueError where nothing can be written.
    """
    from ..results.checks import check
    from ..results.storage import load, write_aside

    found = load(result) if isinstance(result, str | os.PathLike) else result
    check(found)
    page = render(found)
    return write_aside(path, lambda name: Path(name).write_text(page, encoding="utf-8"))


def render(result: Any) -> str:
    """The page as text."""
    import jinja2

    loader = jinja2.PackageLoader("thalweg.faces", "templates")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"number": number, "percent": percent, "pretty": pretty}
    return environment.get_template("report.html").render(content(result))


def content(result: Any) -> dict[str, Any]:
    """All that the page says, as plain data."""
    kind = kind_of(result)
    theories = kind.ask("report")(result)
    described = problem_of(result)
    listed = main_parameters(described)
    cited = list(dict.fromkeys(s for t in parts(result, "theory") for s in json.loads(t.attrs.get("source", "[]"))))
    beside = [place for point in announced().values() for place in bibliography.places_of(point.module)]
    entries = {text for s in cited if (text := bibliography.entry(s, beside))}
    times = _times(result)
    return {
        "title": described["class"],
        "subtitle": " · ".join(
            filter(None, [", ".join(p.text for p in listed), *own_parts(described), rule_of(described)])
        ),
        "whole_title": title_of(result),
        "judged": kind.judged,
        "theories": theories,
        "resolution": result.attrs.get("resolution"),
        "model": _model(result),
        "named": again.named(result),
        "pictures": pictures(result),
        "parameters": parameters(described),
        "run": _run(result, times),
        "remarks": json.loads(result.attrs.get("remarks", "[]")),
        "failures": failures(result),
        "runs": runs(result),
        "sources": cited,
        "bibtex": "\n\n".join(sorted(entries)),
        "python": again.python(result, times),
        "command": again.command(result, times),
        "brought": again.modules_of(result),
        "versions": [f"{k} {result.attrs[k]}" for k in ("thalweg", "jax", "precision") if k in result.attrs],
    }


def _model(result: Any) -> list[dict[str, Any]]:
    """The problem, its rule and each theory: a sentence and equations, from the docstrings of their classes."""
    described = problem_of(result)
    told = json.loads(result.attrs.get("theory_json", "null")) or []
    if not told:
        told = [json.loads(t.attrs["theory_json"]) for t in parts(result, "theory") if "theory_json" in t.attrs]
    several = told if isinstance(told, list) else [told]
    rule = described["fields"].get("rule")
    roles = [("problem", described), *([("rule", rule)] if rule else []), *(("theory", one) for one in several)]
    known = [(role, one, class_of(one)) for role, one in roles]
    return [
        {"role": role, "name": one["class"], **typesetting.described(inspect.getdoc(kind) or "")}
        for role, one, kind in known
        if kind is not None
    ]


def judged_theories(result: xr.DataTree) -> list[dict[str, Any]]:
    """Verdict, budget and assumptions of each theory."""
    found = Comparison(result)
    return [_theory(part, found.curves()) for part in found.theories]


def told_theories(result: Any) -> list[dict[str, Any]]:
    """Name and assumptions of each theory."""
    return [{"name": t.attrs.get("theory", ""), "assumptions": _assumptions(t)} for t in parts(result, "theory")]


def _theory(part: TheoryPart, curves: list[str]) -> dict[str, Any]:
    rows = part.budget.to_dataframe().reset_index().to_dict("records")
    # curves in the problem's order, events after them
    rows.sort(key=lambda row: curves.index(row["variable"]) if row["variable"] in curves else len(curves))
    for row in rows:
        reach = row["allowance"] + row["error"]
        row["ratio"] = abs(row["gap"]) / reach if reach > 0 else (0.0 if row["gap"] == 0 else math.inf)
    word, _, rest = part.sentence.partition(": ")
    return {
        "name": part.name,
        "verdict": part.verdict or word,
        "numbers": rest or part.sentence,
        "colour": VERDICT_COLOURS.get(part.verdict, "#444"),
        "meaning": MEANING.get(part.verdict, ""),
        "agreement": part.told.attrs.get("agreement"),
        "sensitivity": part.told.attrs.get("sensitivity"),
        "rows": rows,
        "assumptions": _assumptions(part.told),
        "margin": any(row["margin"] for row in rows),
        "claims": any(row["claim"] != "value" for row in rows),
    }


def _assumptions(told: xr.Dataset) -> list[dict[str, Any]]:
    """Name, strain and the words that say what 1 means, the most strained first."""
    known = class_of(json.loads(told.attrs["theory_json"])) if "theory_json" in told.attrs else None
    words = {a.name: a.words for a in known.assumptions} if known else {}
    found = json.loads(told.attrs.get("strains", "{}"))
    rows = [{"name": n, "strain": float(s), "words": words.get(n, "")} for n, s in found.items()]
    for row in rows:
        row["state"] = "exact" if row["strain"] == 0 else "holds" if row["strain"] <= 1 else "broken"
    return sorted(rows, key=lambda row: -row["strain"] if row["strain"] == row["strain"] else -math.inf)


def _times(result: Any) -> np.ndarray:
    if isinstance(result, xr.Dataset):
        return result["time"].values
    return next(node["time"].values for node in result.subtree if "time" in node.coords)


def _run(result: Any, times: np.ndarray) -> list[tuple[str, str]]:
    clock = next((n["time"].attrs.get("long_name", "time") for n in _nodes(result) if "time" in n.coords), "time")
    said = [("times", f"{counted(times.size, 'time')} from {times[0]:g} to {times[-1]:g} ({clock})")]
    if "seeds" in result.attrs:
        said.append(("seeds", told_seeds(result)))
    if "over" in result.attrs:
        said += [
            (f"swept: {k}", cut([plain_number(one) for one in v])) for k, v in json.loads(result.attrs["over"]).items()
        ]
    return said


def _nodes(result: Any) -> list[Any]:
    return [result] if isinstance(result, xr.Dataset) else [node.to_dataset() for node in result.subtree]
