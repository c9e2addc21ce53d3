"""The test curve and the best stopping time from the training points alone."""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...mathematics.covariance_equivalent import contour_nodes
from ...mathematics.held_out import HeldOut, act, without_each
from ...mathematics.sampled_moments import noise_response, row_basis
from ...rules import SGD
from ...rules.demands import under_adam
from ...words.fields import varied, vary
from ...words.problem import Problem, seed_keys
from ...words.theory import Assumption, Estimate, Setting, Source, structural
from ..shared.least_squares import TableProblem, TrainingPart
from ..shared.square_loss import REPLACED, best_time, draw_rate
from .class_table import TRACE
from .regression_table import DatasetRegression
from .several_classes import DatasetClasses
from .two_classes import DatasetClassifier


def _size_strain(setting: Setting) -> float:
    # leaving one of n out moves the curve by a share of about 1/n of its distance to the limit of many points
    return (1 / setting.problem.samples) / setting.problem.margins["test_loss"]


# of the largest stable rate of SGD: up to here the shortcuts of noise_response hold to a few per cent of the loss
CALM_SHARE = 0.8
# splits of which the least stable is taken, where none is given
SPLITS = 8


def followed(problem: TableProblem) -> bool:
    """Whether the path can be followed by modes, in the mean over a rule's own draws."""
    rule: Any = problem.rule
    return rule.filtered or rule.draws_anew or rule.descends(problem.samples)


def _is_followed(problem: Any) -> bool:
    # sampling without replacement is another assumption's
    return problem.rule.mean().filtered


def _start_strain(setting: Setting) -> float:
    problem = setting.problem
    entries = problem.appended * problem.outputs
    return entries * problem.init_variance / np.shape(problem.inputs)[1] / problem.margins["test_loss"]


def _noise_strain(setting: Setting) -> float:
    problem = setting.problem
    if not problem.rule.draws_anew:
        return 0.0
    draws = [setting.given_data]
    if setting.given_data is None:
        # a few rows can make one split unstable at a rate that is calm for another
        draws = [problem.draw(seed_keys(np.int64(seed))[0]) for seed in range(SPLITS)]
    least = min(float(draw_rate(problem, problem.training(draw))) for draw in draws)
    return float(problem.rule.learning_rate) / least / CALM_SHARE


LINEAR = structural(
    "linear rule",
    "The rule must be gradient flow, gradient descent, heavy ball, Nesterov or SGD; no other can be followed by modes.",
    _is_followed,
    under_adam,
)
CALM = Assumption(
    "calm steps",
    "1 means that the rate of SGD is four fifths of the largest stable one (the least of eight splits, where none is "
    "given); beyond, the noise of few rows grows.",
    _noise_strain,
    broken_by=lambda problem: vary(DatasetRegression.examples()[0], {"rule": SGD(learning_rate=0.3)}),
)
START = Assumption(
    "start of the bias",
    "1 means that taking the bias to start like the weights, where it starts at 0, may cost as much as the margin.",
    _start_strain,
    broken_by=lambda problem: vary(DatasetClasses.examples()[0], {"init_variance": 3.0, "intercept": 0}),
)
ENOUGH = Assumption(
    "enough points",
    "1 means that leaving one point out costs as much as the margin.",
    _size_strain,
    broken_by=varied(samples=8),
)


class HeldOutPath(NamedTuple):
    """For each time (rows) and each training point held out: its target, the mean output, the spread of the start.

    Several outputs stand before all other axes.
    """

    targets: Float[Array, "*outputs n"]
    outputs: Float[Array, "*outputs times n"]
    spread: Float[Array, "*outputs times n"]

    def losses(self) -> Float[Array, "times n"]:
        """Half the squared error on each point held out, averaged over the start, summed over outputs."""
        each = 0.5 * ((self.targets[..., None, :] - self.outputs) ** 2 + self.spread)
        return jnp.sum(each, axis=0) if each.ndim == 3 else each


def right(
    problem: TableProblem, part: TrainingPart, kernels: HeldOut, seen: HeldOutPath, times: Array
) -> Float[Array, "times n"]:
    """1 where the mean output has the sign of the label, or the largest is that of the own class; else 0.

    The intercept is that of all rows: classes have the same shares in every split, so that a label held out tells
    nothing about it (the mean of the others would tell the opposite label, where classes are even).
    """
    # at a zero start the answer is that of the limit t -> 0+
    still = (problem.init_variance == 0) & (times == 0)
    outputs = jnp.where(still[:, None], TRACE * kernels.direction[..., None, :], seen.outputs)
    middle, targets = jnp.asarray(part.middle), jnp.asarray(part.targets)
    if outputs.ndim == 3:
        labels = targets + jnp.broadcast_to(middle, targets.shape[1:])[None, :]
        hits = jnp.argmax(outputs + middle[..., None, None], axis=0) == jnp.argmax(labels, axis=1)[None, :]
    else:
        hits = (outputs + middle) * (targets + middle)[None, :] > 0
    return hits.astype(outputs.dtype)


def nodes_for(problem: TableProblem, times: np.ndarray) -> int:
    """Nodes of the contour, by the draw of seed 0; another draw may have a largest eigenvalue half as large again."""
    inputs = np.asarray(problem.training(Setting(problem).data).inputs)
    n, p = inputs.shape
    top = np.linalg.eigvalsh(inputs.T @ inputs if p <= n else inputs @ inputs.T)[-1] / (n - 1)
    return contour_nodes(1.5 * float(top), float(times[-1] * problem.rule.effective_pace()))


def held_out(problem: TableProblem, part: TrainingPart, end: Array | float, nodes: int) -> tuple[Array, HeldOut]:
    """Nodes and kernels for times up to `end`; kernels have one more axis, the first, for several outputs."""
    horizon = end * problem.rule.effective_pace()

    def one(targets: Array) -> tuple[Array, HeldOut]:
        return without_each(part.inputs, targets, problem.centred, horizon, nodes)

    # rows and nodes are the same for all outputs: one eigenproblem
    return one(part.targets) if part.targets.ndim == 1 else jax.vmap(one, in_axes=1, out_axes=(None, 0))(part.targets)


def curves(problem: TableProblem, z: Array, kernels: HeldOut, times: Array) -> HeldOutPath:
    """What each point held out sees along the path of the mean weights."""
    p = np.shape(problem.inputs)[1]
    f, g = problem.rule.mean().filter(z + problem.weight_decay, times)

    def one(kernels: HeldOut) -> HeldOutPath:
        start = problem.init_variance / p * act(f**2, kernels.spreads)
        return HeldOutPath(kernels.targets, act(g, kernels.outputs), start)

    return one(kernels) if kernels.targets.ndim == 1 else jax.vmap(one)(kernels)


def step_noise(
    problem: TableProblem, part: TrainingPart, z: Array, kernels: HeldOut, times: Array
) -> Float[Array, "times n"]:
    """Variance of the output on each point held out that the steps' own draws add, summed over outputs; 0 where they
    add none."""
    rule: Any = problem.rule
    if not rule.draws_anew:
        return jnp.zeros((times.shape[0], kernels.targets.shape[-1]))
    inputs, targets = jnp.asarray(part.inputs), jnp.asarray(part.targets)
    scales = (problem.init_variance / inputs.shape[1], rule.learning_rate, problem.weight_decay, 1 / rule.batch)
    ticks = jnp.round(times).astype(int)

    def one(targets: Array, spreads: Array) -> Array:
        return act(noise_response(row_basis(inputs, targets), targets, *scales, z, ticks), spreads)

    if targets.ndim == 1:
        return one(targets, kernels.spreads)
    return jnp.sum(jax.vmap(one, in_axes=(1, 0))(targets, kernels.spreads), axis=0)


def sound(problem: TableProblem, z: Array, kernels: HeldOut, times: Array) -> Array:
    """Whether the contour reproduces a sum over eigenvalues at the last time."""
    last = times[-1:]
    if kernels.targets.ndim == 2:
        kernels = jax.tree.map(lambda leaf: leaf[0], kernels)
    told = act(problem.rule.mean().filter(z + problem.weight_decay, last)[1], kernels.trace)[0, 0]
    known = problem.rule.mean().filter(kernels.values + problem.weight_decay, last)[1]
    return jnp.abs(told - jnp.sum(known)) <= 1e-7 * jnp.sum(jnp.abs(known))


class LeaveOneOut(Estimate[TableProblem]):
    """Test loss along the path by holding each training point out in turn, exactly, without training.

    For point i, S_i = sum_{j != i} x_j x_j'/(n-1) and b_i = sum_{j != i} y_j x_j/(n-1), of rows and targets centred
    by the other points where the problem centres; the rule's filter gives
        w_i(t) = f(S_i + gamma) w_0 + g(S_i + gamma) b_i,
        test_loss(t) = (1/2n) sum_i [(y_i - x_i.g b_i)^2 + (init_variance/p) |f x_i|^2],
    the start being averaged. With weight decay the path ends at ridge regression, and the curve at its closed form
    (1/2n) sum_i [e_i/(1 - H_ii)]^2, e the residuals and H the hat matrix of penalty (n-1) gamma.
    Leaving a row out is a change of rank one, so that one eigenproblem and a contour integral of that closed form over
    complex ridge serve all points, times and rules (mathematics/held_out.py); NaN where the contour fails its check.
    Several outputs (DatasetClasses): the same for every column of one-hot targets, summed; the largest is the answer.
    `test_accuracy` is the share of points held out that are classified rightly by their mean output. Event:
    `best_time_loss`, the root of the derivative of this curve. Clock: the rule's own. Conditions on the draw; the
    moment part and the test part are not used. The scale of the columns is not taken again without the point.
    It estimates the test loss of n - 1 points, O(1/n) above that of n; strain 1 means that this reaches the margin.
    A single curve is as uncertain as a mean of n squared errors: 10 to 20 % at n = 100, more with heavy tails.
    Source: Patil et al. 2024 (consistency along the path), Allen 1974 (the closed form of ridge).
    """

    nodes: int | None = None

    of: ClassVar[tuple[type[Problem], ...]] = (DatasetClassifier, DatasetRegression, DatasetClasses)
    source: ClassVar[tuple[Source, ...]] = (
        Source("Patil2024", "leave-one-out along the path"),
        Source("Allen1974", "the closed form of ridge"),
    )
    conditions_on: ClassVar[tuple[str, ...]] = ("draw",)
    # measured: 1 % on digits, at most 2 % on tables under SGD
    declared_error: ClassVar[float] = 0.02
    speaks_of: ClassVar[tuple[str, ...]] = ("test_loss", "test_accuracy", "best_time_loss")
    shapes: ClassVar[tuple[str, ...]] = ("samples", "moments", "classes", "bias", "intercept")
    assumptions: ClassVar[tuple[Assumption, ...]] = (LINEAR, REPLACED, CALM, START, ENOUGH)

    def prepare(self, problem: TableProblem, times: np.ndarray) -> "LeaveOneOut":
        if self.nodes is not None:
            return self
        return dataclasses.replace(self, nodes=nodes_for(problem, times))

    def predict(self, problem: TableProblem, data: Any, start: Any, times: Array) -> dict[str, Array]:
        assert self.nodes is not None
        times = jnp.asarray(times)
        part = problem.training(data)
        z, kernels = held_out(problem, part, times[-1], self.nodes)

        def loss(at: Array) -> Array:
            return jnp.mean(curves(problem, z, kernels, at).losses(), axis=1)

        noise = 0.5 * jnp.mean(step_noise(problem, part, z, kernels, times), axis=1)
        found = {"test_loss": loss(times) + noise}
        if not problem.rule.random:
            found["best_time_loss"] = best_time(problem, loss, times[-1], 1)
        if "test_accuracy" in (o.name for o in problem.observables):
            found["test_accuracy"] = jnp.mean(
                right(problem, part, kernels, curves(problem, z, kernels, times), times), axis=1
            )
        fits = sound(problem, z, kernels, times)
        return {name: jnp.where(fits, value, jnp.nan) for name, value in found.items()}
