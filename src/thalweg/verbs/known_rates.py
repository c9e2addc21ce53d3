"""rate_study_of: the same study on a problem of the library, beside the stable rates that are known exactly there."""

from typing import Any

import numpy as np
import xarray as xr

from ..catalogue import choice
from ..computing.float64 import float64
from ..diagnostics.as_loss import beginning
from ..running.evaluation import evaluate
from ..running.request import Request, given, time_axis
from ..words.problem import Problem, draw_events
from ..words.theory import Setting, Theory
from .rate_study import learning_rate_study

# variables of theories and events that are learning rates, in the rule's own units
RATES = ("largest_stable_rate", "critical_rate")


def known_rates(problem: Problem, data: Any, start: Any) -> dict[str, float]:
    """Stable rates of this draw that are known exactly: its own event, and the theories that apply, by name."""
    events = {n: v for n, v in draw_events(problem, data).items() if n in RATES}
    found = {f"{n.replace('_', ' ')} of the draw": float(v) for n, v in events.items() if np.isfinite(v)}
    for theory, strains in choice.menu(problem, Setting(problem, data, start)):
        names = [n for n in theory.speaks_of if n in RATES]
        if names and choice.worst(strains)[1] <= 1:
            found |= _told(problem, theory, names, data, start)
    return found


def _told(problem: Problem, theory: Theory, names: list[str], data: Any, start: Any) -> dict[str, float]:
    told = evaluate(theory, Request(problem, time_axis(problem, None), (0,), data, start))
    found = {} if told is None else told.values
    values = {n: float(np.ravel(found[n])[0]) for n in names if n in found}
    return {f"{type(theory).__name__}": v for v in values.values() if np.isfinite(v)}


def rate_study_of(
    problem: Problem, *, seed: int = 0, start: Any = None, rates: Any = None, steps: int = 200, then: int = 0
) -> xr.Dataset:
    """learning_rate_study of a problem, with the stable rates that are known exactly as marks.

    One draw and one start (or the `start` given), in float64. Known rates: the largest stable rate of the draw, and
    those of the theories that apply (Marchenko-Pastur edge, critical rate on line, edge of the quadratic network).
    A problem of fresh samples is run one sample a step, through 1024 of them again and again. Other arguments and the
    answer as for `learning_rate_study`; ValueError for a rule without a learning rate.
    """
    given(problem, None, start)
    known = rates_known_of(problem, seed, start)
    return learning_rate_study(problem, start, rates=rates, steps=steps, then=then, known=known, seed=seed)


def rates_known_of(problem: Problem, seed: int = 0, start: Any = None) -> dict[str, float]:
    """Stable rates that are known exactly for the draw and the start of one seed."""
    with float64():
        data, params, _ = beginning(problem, seed, start)
        return known_rates(problem, data, params)


__all__ = ["known_rates", "rate_study_of", "rates_known_of"]
