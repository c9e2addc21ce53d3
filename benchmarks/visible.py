"""Whether an error of a theory shows: how far it moves the numbers that a comparison looks at."""

import math
from typing import Any

import numpy as np

from thalweg.testing.random_problems import Case
from thalweg.verdict.functionals import Functional, measure
from thalweg.verdict.measures import Runs, claim_of, functionals_of, measured_curve

# an error is visible where some number moves by more than this many allowances
VISIBLE = 2.0


def most_moved(case: Case, right: Any, wrong: Any) -> dict[str, Any]:
    """The number that moves furthest beyond its allowance (finite size, integrators, margin), and if that is seen."""
    budget = right["budget"].to_dataset()
    allowed = dict(zip(budget["functional"].values.tolist(), budget["allowance"].values, strict=True))
    scales = dict(zip(budget["functional"].values.tolist(), budget["scale"].values, strict=True))
    one, other = (tree["theory"].to_dataset() for tree in (right, wrong))
    if "seed" in one.dims:
        both = np.intersect1d(one["seed"], other["seed"])
        one, other = one.sel(seed=both), other.sel(seed=both)
    found: dict[str, Any] = {"by": "", "moves": 0.0, "allowance": 0.0, "visible": False}
    most = -1.0
    for functional in functionals_of(case.problem, case.theory, one, right["training"].to_dataset()):
        if functional.name not in allowed or functional.variable not in other:
            continue
        move, allowance = _move(case, functional, one, other), float(allowed[functional.name])
        if move / max(allowance, 1e-300) > most:
            most, scale = move / max(allowance, 1e-300), float(scales[functional.name])
            found = {"by": functional.name, "moves": move / scale, "allowance": allowance / scale}
            found["visible"] = most > VISIBLE
    return found


def _move(case: Case, functional: Functional, one: Any, other: Any) -> float:
    """The largest change of any run where runs are predicted one by one, else that of the mean."""
    observable = measured_curve(case.problem, functional.variable)
    name, meant = functional.variable, claim_of(case.theory, functional)
    values = [
        measure(functional, Runs(told, None, *meant).values(name, observable), told["time"].values, observable)
        for told in (one, other)
    ]
    apart = np.atleast_1d(values[1] - values[0])
    if not np.all(np.isfinite(apart[np.isfinite(np.atleast_1d(values[0]))])):
        return math.inf
    return float(abs(apart.mean()) if case.theory.estimates else np.nanmax(np.abs(apart), initial=0.0))
