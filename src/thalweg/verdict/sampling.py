"""What the runs say of one functional: both sides of it, their gap, and how far chance may have moved it."""

import math
from typing import NamedTuple

import numpy as np

from ..words.problem import Observable, Problem
from .chance import Chance, Mean, count_error, held_mean_gap, mean_gap
from .functionals import Functional, largest, measure, on_scale
from .measures import Runs, good_seeds, measured_curve

# what varies by less, as a share of its size, is rounding
ROUNDING = 1e-10
# functionals whose chance is partly that of the start
AFTER_THE_START = ("end", "area", "half-time", "clock", "amplitude", "event")


class Sampled(NamedTuple):
    """Prediction and measurement of what the gap is of (all runs, or the one that decides), the gap with its errors,
    and by how much its sensitivity to errors of the curve grew when controls were taken off."""

    predicted: np.ndarray
    measured: np.ndarray
    mean: Mean
    added: float


def both_sides(
    functional: Functional, seen: Runs, told: Runs, observable: Observable | None, exact: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The functional as predicted and as measured, in the runs that ended well."""
    name, times, good = functional.variable, told.result["time"].values, good_seeds(seen.result)
    wanted = measure(functional, told.values(name, observable), times, observable)
    if "seed" in told.result[name].dims:
        wanted = wanted[good]
    runs = seen.values(name, observable)
    if functional.measure == "half-time" and not exact and np.ndim(wanted) == 0:
        # the half-time of a mean curve is not the mean half-time
        return wanted, _of_the_mean(functional, runs[good], times, observable)
    return wanted, measure(functional, runs, times, observable)[good]


def _of_the_mean(
    functional: Functional, values: np.ndarray, times: np.ndarray, observable: Observable | None
) -> np.ndarray:
    """Jackknife values of a functional of the mean curve over runs (seed, time, ...): their mean estimates it without
    the bias of order 1/seeds, their standard error is its own (Efron and Stein 1981)."""
    count = len(values)
    whole = measure(functional, values.mean(0), times, observable)
    if count < 2:
        return np.atleast_1d(whole)
    rest = (values.sum(0) - values) / (count - 1)
    return count * whole - (count - 1) * measure(functional, rest, times, observable)


def sampled(
    problem: Problem,
    functional: Functional,
    observable: Observable | None,
    runs: tuple[Runs, Runs],
    chance: Chance,
    systematic: float,
) -> Sampled:
    """The gap of a functional over the runs (seen, told).

    `systematic` is what an error of one unit of its sensitivity would allow: controls are taken off only where they
    gain more than that costs.
    """
    seen, told = runs
    wanted, measured = both_sides(functional, seen, told, observable, chance.exact)
    gaps = np.asarray(measured - wanted)
    real = np.isfinite(gaps)
    if chance.exact or real.sum() < 2:
        gap = _single(gaps, told.claim.kind, chance.exact)
        return Sampled(*_as_judged(gaps, gap.gap, wanted, measured, chance.exact), gap, 0.0)
    many = seen.at_start(functional, observable) if functional.measure == "start" and np.ndim(wanted) == 0 else None
    if many is not None and np.all(np.isfinite(many)):
        mean = mean_gap(many - wanted, chance, _distances(functional, observable, wanted, many))
        return Sampled(np.asarray(wanted), many, _counted(problem, observable, wanted, mean, many.size, chance), 0.0)
    distances = _distances(functional, observable, wanted, measured[real])
    plain = _counted(problem, observable, wanted, mean_gap(gaps[real], chance, distances), int(real.sum()), chance)
    sides = _as_judged(gaps, plain.gap, wanted, measured, False)
    held = _held(problem, functional, observable, runs, chance, gaps)
    if held is None or held.mean.width + held.added * systematic > plain.width:
        rest = np.zeros(gaps.shape)
        rest[real] = plain.rest
        return Sampled(*sides, plain._replace(rest=rest), 0.0)
    # what would have been measured, had the starts been typical (of a fitted functional: as predicted)
    return Sampled(sides[0], np.asarray(np.mean(sides[0]) + held.mean.gap), held.mean, held.added)


class _Held(NamedTuple):
    """A mean gap without the chance of the start, and what was added to its sensitivity."""

    mean: Mean
    added: float


def _held(
    problem: Problem,
    functional: Functional,
    observable: Observable | None,
    runs: tuple[Runs, Runs],
    chance: Chance,
    gaps: np.ndarray,
) -> _Held | None:
    """The mean gap with its controls taken off; None where there are none, or they say nothing."""
    claim = runs[1].claim
    suits = claim.kind == "value" and (observable is None or (claim.time and observable.pair is None))
    if not suits or functional.measure not in AFTER_THE_START or not np.all(np.isfinite(gaps)):
        return None
    contrasts = functional.contrasts
    found = (
        _starts(problem, functional, observable, runs) if contrasts is None else _apart(functional, observable, runs)
    )
    if found is None or not np.all(np.isfinite(found.values)):
        return None
    held = held_mean_gap(gaps, found.values, chance, found.population, ROUNDING * found.size)
    # the theory's own contrasts stand for the mean of the controls
    added = 0.0 if held is None or contrasts is None else float(np.abs(held.shares) @ np.abs(contrasts).sum(1))
    return None if held is None else _Held(held, added)


class _Controls(NamedTuple):
    """Controls (seeds, k), what many more starts show of them (None: their mean is 0), and the size of what they are
    differences of."""

    values: np.ndarray
    population: np.ndarray | None
    size: float


def _apart(functional: Functional, observable: Observable | None, runs: tuple[Runs, Runs]) -> _Controls:
    """Contrasts (seeds, k) of a curve, measured - predicted, which are 0 in the mean if the theory is right."""
    name, good = functional.variable, good_seeds(runs[0].result)
    seen, said = (on_scale(observable, one.values(name, observable)[(..., *functional.component)]) for one in runs)
    apart = seen[good] - (said[good] if "seed" in runs[1].result[name].dims else said)
    assert functional.contrasts is not None
    return _Controls(apart @ functional.contrasts.T, None, largest(seen))


def _starts(
    problem: Problem, functional: Functional, observable: Observable | None, runs: tuple[Runs, Runs]
) -> _Controls | None:
    """The start (seeds, 1) of a curve, or of the one that an event is read from, and what many more starts show."""
    seen, told = runs
    if seen.starts is None or "seed" in told.result[functional.variable].dims:
        return None
    if observable is not None:
        name, component = functional.variable, functional.component
    else:
        detector = next((e.detector for e in problem.events if e.name == functional.variable), None)
        read = (
            [] if detector is None else [o for o in detector.watches if o in seen.starts and seen.starts[o].ndim == 1]
        )
        if not read:
            return None
        name, component = read[0], ()
        observable = measured_curve(problem, name)
    if name not in seen.starts or name not in seen.result:
        return None
    many = on_scale(observable, seen.starts[name][(..., *component)])
    own = on_scale(observable, seen.result[name].values[(..., *component)])[good_seeds(seen.result)]
    if own.ndim != 2 or not np.all(np.isfinite(many)):
        return None
    return _Controls(own[:, :1], many[:, None], largest(many))


def _distances(
    functional: Functional, observable: Observable | None, wanted: np.ndarray, measured: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Values above 0 (or above a lower bound) and below 0 (or an upper bound), of what is told as one number."""
    if np.ndim(wanted) or functional.weights is not None or (observable is not None and observable.log):
        return ()
    high = 0.0 if observable is None or observable.high is None else observable.high
    return measured, high - measured


def _counted(
    problem: Problem, observable: Observable | None, wanted: np.ndarray, mean: Mean, runs: int, chance: Chance
) -> Mean:
    """With the width of a count, where a share of so many cases was counted."""
    if observable is None or observable.counted is None:
        return mean
    least = count_error(float(np.mean(wanted)), runs * float(observable.counted(problem)), chance)
    return mean._replace(below=max(mean.below, least), above=max(mean.above, least))


def _single(gaps: np.ndarray, kind: str, exact: bool) -> Mean:
    """The gap of the worst seed of an exact theory, with no error; the gap of a single run, with any.

    The worst seed of a bound is the one that comes nearest to breaking it, or breaks it most.
    """
    real = gaps[np.isfinite(gaps)]
    if real.size == 0:
        return Mean(math.nan, math.inf, math.inf)
    if not exact:
        return Mean(float(real[0]), math.inf, math.inf)
    worst = {"upper": np.argmax(real), "lower": np.argmin(real)}.get(kind, np.argmax(np.abs(real)))
    return Mean(float(real[worst]), 0.0, 0.0)


def _as_judged(
    gaps: np.ndarray, gap: float, wanted: np.ndarray, measured: np.ndarray, exact: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Prediction and measurement of what the gap is of: of all runs, or of the one that decides."""
    both = np.broadcast_to(wanted, gaps.shape), np.broadcast_to(measured, gaps.shape)
    if exact and np.isfinite(gap):
        one = np.unravel_index(np.nanargmin(np.abs(gaps - gap)), gaps.shape)
        return np.asarray(both[0][one]), np.asarray(both[1][one])
    kept = np.isfinite(gaps)
    return both[0][kept], both[1][kept]
