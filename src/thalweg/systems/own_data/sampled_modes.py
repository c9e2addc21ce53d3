"""SGD on given rows: the exact mean over its draws, for a user's table, for regression and for classes alike."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ...mathematics.sampled_moments import row_basis, sampled_moments
from ...rules import SGD
from ...words.fields import vary
from ...words.problem import Problem
from ...words.theory import Assumption, Exact, Setting, Source, structural
from ..shared.least_squares import LeastSquaresProblem
from ..shared.square_loss import REPLACED, SAMPLED, draw_rate
from .regression_table import DatasetRegression
from .several_classes import DatasetClasses

QUADRATIC = ("train_loss", "test_loss", "overlap", "squared_norm")


def _under_sgd(problem: Any, rate: float) -> Any:
    return vary(problem, {"init_variance": 0.2, "weight_decay": 0.1, "rule": SGD(learning_rate=rate)})


ONE_OUTPUT = structural(
    "one output",
    "The problem must have one output, not one for each class.",
    lambda problem: problem.outputs == 1,
    lambda problem: _under_sgd(DatasetClasses.examples()[0], 0.05),
)


def _stable_strain(setting: Setting) -> float:
    problem = setting.problem
    return float(problem.rule.learning_rate / draw_rate(problem, setting.data))


class SampledModes(Exact[LeastSquaresProblem]):
    """Exact mean curves of SGD on this very data set and start, averaged over the rows that the steps draw.

    The gradient is linear in the weights, so that their mean m(k) and covariance M(k) move by a closed recursion
    (mathematics/sampled_moments.py): m is the path of gradient descent at the same rate, and M gains, at each step,
    learning_rate^2/batch times the covariance of a row's gradient. Every observable that is quadratic in w,
        E q(w(k)) = q(m(k)) + (1/2) tr[q'' M(k)],
    follows: train_loss, test_loss (on the test rows of the draw, or the population value), overlap, squared_norm.
    No accuracies, which are not quadratic, and no best time: a single run is noisy at its flat optimum.
    Rows and targets may be anything: no limit of many features, no small steps, no law of the inputs.
    Shapes: inputs (n, p), w_0 (p,). Clock: whole steps. Event: `largest_stable_rate` in the mean square, exact.
    Cost: n min(n, p)^2 a step, as much as min(n, p) runs. Conditions on the draw and the start.
    Fails beyond the stable rate, where a few runs make the mean (strain 1: at it), and for sampling without
    replacement, unless batch = samples, which is gradient descent; one output only.
    Source: linear algebra; second moments as in Paquette et al. 2021, before their limit is taken.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (LeastSquaresProblem,)
    source: ClassVar[tuple[Source, ...]] = (Source("Paquette2021", "second moments of given rows"),)
    conditions_on: ClassVar[tuple[str, ...]] = ("start", "draw")
    speaks_of: ClassVar[tuple[str, ...]] = (*QUADRATIC, "largest_stable_rate")
    shapes: ClassVar[tuple[str, ...]] = ("dimension", "samples", "moments", "intercept")
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        SAMPLED,
        REPLACED,
        ONE_OUTPUT,
        Assumption(
            "stable step",
            "1 means that the mean square is about to grow for ever: beyond it a few runs make the mean.",
            _stable_strain,
            broken_by=lambda problem: _under_sgd(problem, 0.5),
        ),
    )

    @classmethod
    def example(cls) -> Problem:
        return _under_sgd(DatasetRegression.examples()[0], 0.05)

    def predict(self, problem: LeastSquaresProblem, data: Any, start: Any, times: Array) -> dict[str, Array]:
        inputs, targets, _ = problem.training(data)
        known = [o.name for o in problem.observables if o.name in QUADRATIC]

        def read(weights: Array) -> Array:
            seen = problem.observe(weights, data)
            return jnp.stack([seen[name] for name in known])

        rule: Any = problem.rule
        share = 0.0 if rule.descends(inputs.shape[0]) else 1.0 / rule.batch
        ticks = jnp.round(jnp.asarray(times)).astype(int)
        bends = jax.hessian(read)(jnp.asarray(start))
        basis = row_basis(jnp.asarray(inputs), jnp.asarray(targets))
        found = sampled_moments(
            basis,
            jnp.asarray(targets),
            jnp.asarray(start),
            rule.learning_rate,
            problem.weight_decay,
            share,
            bends,
            ticks,
        )
        curves = jax.vmap(read)(found.means) + 0.5 * found.traces
        told = {name: curves[:, i] for i, name in enumerate(known)}
        return {**told, "largest_stable_rate": draw_rate(problem, data)}
