"""Linear range: the step up to which a network moves as its linearisation does."""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import equinox as eqx
import numpy as np
from jaxtyping import Float, Int

from ..mathematics.crossings import first_crossings
from ..own_network.problem import NetworkProblem
from ..words.problem import Problem
from .as_loss import descent, in_float64, on_data
from .expansion import Measured, expand

Denominator = Literal["min", "tangent"]
Method = Literal["one-shot", "root"]
# rounding may make up this share of a nonlinearity before it counts as lost
LOST = 0.1


@runtime_checkable
class Curve(Protocol):
    """A network along a direction, from the state at step 0; see `Expansion`."""

    def measure(self, step: float, denominator: str) -> Measured: ...
    def bend(self) -> float: ...
    def reach(self) -> float: ...
    def moves(self) -> bool: ...
    def dead_units(self) -> np.ndarray: ...
    def precision(self) -> str: ...


class LinearRange(eqx.Module):
    """The largest step within the linear range, and what was seen on the way to it.

    `step`: a number, or an array for a sequence of thresholds; inf where the threshold is never reached.
    `per_layer` (layers,) or (thresholds, layers): nonlinearity of each layer at that step, NaN at an infinite one.
    `dead_units` (layers,): units that the direction does not move on any sample, to first order.
    `floored` (layers,) or (thresholds, layers): samples whose denominator vanished while its numerator did not, at
    that step: silent ReLU units that wake, or a state that returns to where it began. They make eps huge.
    `nonlinearity(steps)` and `layer_nonlinearity(steps)` give the curve, one forward pass a step.
    """

    step: float | Float[np.ndarray, " thresholds"]
    per_layer: Float[np.ndarray, " *thresholds layers"]
    dead_units: Int[np.ndarray, " layers"]
    floored: Int[np.ndarray, " *thresholds layers"]
    threshold: float | tuple[float, ...] = eqx.field(static=True)
    denominator: Denominator = eqx.field(static=True)
    method: Method = eqx.field(static=True)
    start_step: float = eqx.field(static=True)
    curve: Any

    def nonlinearity(self, steps: Any) -> Any:
        """eps at each step: the mean over layers and samples; a number for a number."""
        return np.mean(self.layer_nonlinearity(steps), axis=-1)[()]

    def layer_nonlinearity(self, steps: Any) -> np.ndarray:
        """eps of each layer at each step, layers last."""
        steps = np.asarray(steps, float)
        rows = [self.curve.measure(step, self.denominator).layers for step in steps.ravel().tolist()]
        return np.reshape(rows, (*steps.shape, -1))


@in_float64
def linear_range(
    states: Callable[..., Any] | Problem,
    params: Any = None,
    inputs: Any = None,
    direction: Any = None,
    threshold: float | Sequence[float] = 1.0,
    denominator: Denominator = "min",
    method: Method = "one-shot",
    start_step: float = 1.0,
) -> LinearRange:
    """The first step eta > 0 along `direction` at which the states of a network leave their linearisation.

    states(params, inputs) -> list of layer states, samples first (or one array: the final outputs). With the actual
    change fd_l = a_l(params + eta direction) - a_l(params) and the tangent change ld_l, linear in eta,

        eps(eta) = mean over samples and layers of |fd_l - ld_l| / D_l,   eps(range) = threshold,

    one Euclidean norm a sample and layer; D = min(|fd|, |ld|) + 1e-12 ("min") or |ld| + 1e-12 ("tangent"). The tangent
    denominator saturates at 1 where states are bounded: use it for thresholds below 0.6. `direction` has the structure
    of `params` (for descent: minus the gradient), so that eta is a learning rate: units of parameters^2 / loss.

    "one-shot": start_step threshold / eps(start_step), exact where eps is proportional to eta; costs two passes.
    "root": scan upwards, then bisection; independent of `start_step`. Several thresholds share one tangent pass.

    `linear_range(problem)` of a `tw.NetworkProblem`: its outputs at the start of seed 0, on its inputs, downhill on its
    objective, in place of what is not given; in float64.
    Computed in the precision of `params`. UserWarning where rounding hides the nonlinearity, with the smallest safe
    step, and where the direction moves no state, as a zero one, so that there is no range. ValueError: states that do
    not depend on the parameters, parameters that are integers or not finite, an empty batch, a direction of another
    structure, states that overflow at the start step.
    It fails as advice where the network's first steps say little about later ones.
    Source: Ni & Talnikar 2019 (arXiv 1905.04561).
    """
    levels = check_options(threshold, denominator, method, start_step)
    if isinstance(states, Problem):
        return linear_range(*_of_problem(states, params, inputs, direction), threshold, denominator, method, start_step)
    return find_range(expand(states, params, inputs, direction), levels, denominator, method, start_step)


def _of_problem(problem: Problem, params: Any, inputs: Any, direction: Any) -> tuple[Any, Any, Any, Any]:
    if not isinstance(problem, NetworkProblem):
        raise ValueError(
            f"{type(problem).__name__} does not say what its layers hold; give states(params, inputs), params, inputs "
            "and a direction, or a tw.NetworkProblem."
        )
    loss, params, data = on_data(problem, params, None)
    direction = descent(loss, params, data) if direction is None else direction
    return problem.states, params, data[0] if inputs is None else inputs, direction


def check_options(threshold: Any, denominator: str, method: str, start_step: float) -> float | tuple[float, ...]:
    """The thresholds as numbers; ValueError with the repair for an option that means nothing."""
    levels = np.asarray(threshold, float)
    if levels.ndim > 1 or levels.size == 0 or not np.all((levels > 0) & np.isfinite(levels)):
        raise ValueError(f"threshold={threshold!r}: give a positive number, such as 1.0, or a sequence of them.")
    choices = (("denominator", denominator, Denominator), ("method", method, Method))
    for word, given, allowed in choices:
        if given not in get_args(allowed):
            raise ValueError(f"{word}={given!r} is not known; use one of {', '.join(map(repr, get_args(allowed)))}.")
    if not (math.isfinite(start_step) and start_step > 0):
        raise ValueError(f"start_step={start_step}: give a positive step, such as 1.0.")
    return float(levels) if levels.ndim == 0 else tuple(levels.tolist())


def find_range(
    curve: Curve, threshold: float | tuple[float, ...], denominator: Denominator, method: Method, start_step: float
) -> LinearRange:
    """The linear range on any curve: shared by the JAX functions and the PyTorch door."""
    levels = threshold if isinstance(threshold, tuple) else (threshold,)
    if method == "root":
        steps = _roots(curve, levels, denominator)
    else:
        value = measured_start(curve, start_step, denominator)
        steps = [start_step * level / value if value > 0 else math.inf for level in levels]
    if not np.any(np.isfinite(steps)) and not curve.moves():
        warnings.warn(
            "the direction moves no state on these inputs (it is zero, or reaches none), so that its linear range, "
            "inf, says nothing; give a direction that moves some, such as minus the gradient where that is not zero.",
            UserWarning,
            stacklevel=3,
        )
    seen = [curve.measure(step, denominator) if math.isfinite(step) else None for step in steps]
    dead = curve.dead_units()
    per_layer = np.stack([np.full(dead.shape, np.nan) if s is None else s.layers for s in seen])
    floored = np.stack([np.zeros(dead.shape, int) if s is None else s.floored.astype(int) for s in seen])
    many = isinstance(threshold, tuple)
    return LinearRange(
        step=np.asarray(steps) if many else steps[0],
        per_layer=per_layer if many else per_layer[0],
        dead_units=dead,
        floored=floored if many else floored[0],
        threshold=threshold,
        denominator=denominator,
        method=method,
        start_step=start_step,
        curve=curve,
    )


def measured_start(curve: Curve, step: float, denominator: Denominator) -> float:
    """eps at the start step; 0 where the states are linear in it, with a warning where rounding hides what they are."""
    seen = curve.measure(step, denominator)
    value, rounding = seen.mean, float(np.mean(seen.rounding))
    if not math.isfinite(value):
        raise ValueError(
            f"the states are not finite after a step of {step:g} along the direction; give a smaller start_step, or "
            "method='root'."
        )
    if rounding > LOST * value:
        bend = curve.bend()
        if bend == 0:
            return 0.0
        # the nonlinearity grows and the rounding shrinks in proportion to the step
        safe = math.sqrt(rounding * step / (LOST * bend))
        if step < safe:
            warnings.warn(
                f"at a step of {step:.2g} the nonlinearity is lost in the rounding of {curve.precision()}; the "
                f"smallest safe step is {safe:.2g}. Start there, use method='root', or use float64.",
                UserWarning,
                stacklevel=4,
            )
    return value


def _roots(curve: Curve, levels: Sequence[float], denominator: Denominator) -> list[float]:
    """First crossings, searched from far below where the tangents say that they lie."""
    bend, lowest, known = curve.bend(), min(levels), {}

    def height(step: float) -> float:
        if step not in known:
            known[step] = curve.measure(step, denominator)
        return known[step].mean

    begin = min(lowest / (32 * bend) if bend > 0 else math.inf, curve.reach() / 32)
    if not math.isfinite(begin):
        begin = 1.0
    digits = 1e-12 if curve.precision() == "float64" else 1e-6
    height(begin)
    safe = begin * float(np.mean(known[begin].rounding)) / (LOST * lowest)
    steps = first_crossings(height, levels, begin, safe, digits)
    if min(steps) <= safe:
        warnings.warn(
            f"the linear range {min(steps):.2g} is too short to be seen in {curve.precision()}; the smallest safe "
            f"step is {safe:.2g}. Use float64.",
            UserWarning,
            stacklevel=4,
        )
    return steps
