"""Clock and amplitude of a whole curve: linear functionals that see an error of either more sharply than any one time
does."""

import dataclasses

import numpy as np

from ..words.problem import Observable
from .functionals import Functional, natural_scale, on_scale

CLOCK, AMPLITUDE = "clock", "amplitude"
FITTED = (CLOCK, AMPLITUDE)
# a clock is asked for half the resolution of a value: an error of 5 % of the clock is one of 2 % of a value
CLOCKS_ARE_SHARP = 0.5
# an error of one scale of the curve may not weigh more than this
SENSITIVE = 30.0


def fitted_of(observable: Observable, theory: np.ndarray, times: np.ndarray) -> list[Functional]:
    """Those of every component of a predicted curve (times, components); see `fitted`."""
    found: list[Functional] = []
    for component in np.ndindex(theory.shape[1:]):
        curve = on_scale(observable, theory[(..., *component)])
        if np.all(np.isfinite(curve)):
            found += fitted(observable.name, curve, times, component, natural_scale(observable, curve))
    return found


def fitted(
    variable: str, curve: np.ndarray, times: np.ndarray, component: tuple[int, ...], scale: float
) -> list[Functional]:
    """The functionals "clock" and "amplitude" of a predicted curve c (times,), on the observable's scale.

    A curve that runs faster by a share e and goes further by a share a is c + e t dc/dt + a (c - c(0)) to first order;
    e and a are read by least squares over the given times. Predicted is 1, measured 1 + e or 1 + a. `contrasts` are
    what neither error moves: the start, and what is left of a constant and of a line.
    None where the curve goes nowhere, or where its clock is not told from its amplitude (a line through the start).
    """
    way = curve - curve[0]
    if times.size < 8 or np.ptp(curve) < scale / 3:
        return []
    directions = np.stack([times * np.gradient(curve, times), way], axis=1)
    weights = np.linalg.pinv(directions)
    if not np.all(np.isfinite(weights)) or np.linalg.matrix_rank(directions, tol=1e-6 * np.linalg.norm(directions)) < 2:
        return []
    contrasts = _contrasts(directions)
    found = []
    for name, row, blunt in ((CLOCK, weights[0], CLOCKS_ARE_SHARP), (AMPLITUDE, weights[1], 1.0)):
        sensitivity = float(np.sum(np.abs(row)))
        if sensitivity * scale <= SENSITIVE:
            one = Functional(variable, name, component, sensitivity, 1.0, scale, bluntness=blunt)
            offset = 1.0 - float(row @ curve)
            found.append(dataclasses.replace(one, weights=row, offset=offset, contrasts=contrasts))
    return found


def _contrasts(directions: np.ndarray) -> np.ndarray:
    """Weights (3, times) of the start, and of a constant and a line from which both directions are taken away."""
    count = len(directions)
    grid = np.linspace(-1.0, 1.0, count)
    shapes = np.stack([np.eye(count)[0], np.ones(count) / count, grid / count], axis=1)
    basis, _ = np.linalg.qr(directions)
    found = (shapes - basis @ (basis.T @ shapes)).T
    # a start that both directions leave alone is the start and nothing else
    return np.where(np.abs(found) > 1e-12 * np.abs(found).max(1, keepdims=True), found, 0.0)
