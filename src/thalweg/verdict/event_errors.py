"""How far a time that is read from a curve may move where the curve itself is known to a given accuracy."""

import numpy as np

from ..words.events import Crossing, Detector, Extremum
from ..words.problem import Problem
from .functionals import Functional, largest, natural_scale
from .measures import Runs, measured_curve

# a time that is open by more than this share of itself is none
OPEN = 0.3


def too_flat(functional: Functional, loose: float) -> str:
    """Why a time is not compared though both sides have it: its curve is flat there to the last digit; else ""."""
    if loose <= OPEN * functional.scale:
        return ""
    return (
        f"{functional.name} is not compared: its curve is so flat there that its rounding or its integrator decides "
        f"the time (by up to {loose:.3g})."
    )


def next_step(problem: Problem, functional: Functional, told: Runs) -> float:
    """By how much a time is late that runs have at the next whole step, and a prediction between two of them: one step.

    0 where the rule has no steps, or where the prediction is in whole steps itself.
    """
    unit = problem.rule.steps_per_unit(problem)
    timed = any(e.name == functional.variable and e.unit == "clock" for e in problem.events)
    if unit is None or not timed:
        return 0.0
    steps = unit * told.result[functional.variable].values
    steps = steps[np.isfinite(steps)]
    return 0.0 if np.all(np.abs(steps - np.round(steps)) <= 1e-6 * np.maximum(1.0, np.abs(steps))) else 1 / unit


def loose_time(problem: Problem, functional: Functional, told: Runs, accuracy: float) -> float:
    """What an error of `accuracy` (a share of the curve's scale) leaves open of the time of an event; 0 of a value.

    If two curves are within e of each other, the best time of one lies where the other is within 2 e of its best: about
    sqrt(4 e / |c''|) around it, or as far as it is flat. A crossing moves by e / |c'|. Read from the predicted curve at
    the times that are looked at; the widest over seeds.
    """
    event = next((e for e in problem.events if e.name == functional.variable), None)
    watched = getattr(event.detector, "of", None) if event is not None and event.unit == "clock" else None
    if event is None or not isinstance(watched, str) or watched not in told.result or functional.component:
        return 0.0
    curves, when = told.result[watched], np.atleast_1d(told.result[event.name].values)
    if set(curves.dims) - {"seed"} != {"time"} or curves.sizes["time"] < 3:
        return 0.0
    observable = measured_curve(problem, watched)
    times, values = told.result["time"].values, np.atleast_2d(curves.values)
    plain = observable is None or observable.log
    scale = largest(values) if plain else natural_scale(observable, values)  # pyright: ignore[reportArgumentType]
    both = zip(np.broadcast_to(values, (max(len(values), len(when)), times.size)), when, strict=False)
    return max((_of_one(event.detector, times, c, t, accuracy * scale) for c, t in both if np.isfinite(t)), default=0.0)


def _of_one(detector: Detector, times: np.ndarray, curve: np.ndarray, when: float, error: float) -> float:
    """The same of one curve (times,) with an event at `when`, for an error in units of the curve."""
    slope = np.gradient(curve, times)
    if isinstance(detector, Crossing):
        steep = abs(float(np.interp(when, times, slope)))
        return min(error / steep, float(np.ptp(times))) if steep > 0 else float(np.ptp(times))
    if not isinstance(detector, Extremum):
        return 0.0
    best = np.nanmin(detector.sign * curve)
    flat = times[detector.sign * curve <= best + 2 * error]
    bend = abs(float(np.interp(when, times, np.gradient(slope, times))))
    around = np.sqrt(4 * error / bend) if bend > 0 else float(np.ptp(times))
    # how far it is flat is seen; where no two times are, the bend tells
    return float(max(np.max(np.abs(flat - when)), min(around, np.ptp(flat)))) if flat.size > 1 else float(around)
