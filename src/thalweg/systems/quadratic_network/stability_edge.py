"""How large a step of descent may be."""

from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from ...mathematics.factored_minimum import curvatures
from ...rules.demands import under_adam
from ...words.problem import Problem
from ...words.theory import Assumption, Exact, Source, structural
from .long_time import REACHED
from .problem import QuadraticNetwork
from .regime import NO_DECAY

STEPS = structural(
    "rule with a known limit",
    "The rule must be gradient flow, descent, heavy ball or Nesterov.",
    lambda problem: problem.rule.filtered,
    under_adam,
)


class StabilityEdge(Exact[QuadraticNetwork]):
    """Largest learning rate at which the teacher is a stable end of descent.

    The largest curvature of the loss at Z = Z* is twice the largest eigenvalue of M = 4 diag(lam) + 2 sqrt(lam)
    sqrt(lam)' over the positive eigenvalues (centred: 4 diag(lam)); descent is stable iff learning_rate < 1/eigmax(M),
    r equal eigenvalues c: 1/(4 c + 2 r c). For momentum rules the limit of a quadratic of that curvature.
    Beyond it descent does not converge: just above, it settles on a two-cycle whose loss is small and plausible.
    Teachers of trace of order d need learning rates of order 1/d. Conditions on the draw. Source: linearisation at the
    teacher of the flow of Martin, Bach & Biroli 2023.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (QuadraticNetwork,)
    source: ClassVar[tuple[Source, ...]] = (Source("MartinBachBiroli2023", "the loss"),)
    conditions_on: ClassVar[tuple[str, ...]] = ("draw",)
    speaks_of: ClassVar[tuple[str, ...]] = ("largest_stable_rate",)
    shapes: ClassVar[tuple[str, ...]] = ("dimension", "width", "teacher_width")
    assumptions: ClassVar[tuple[Assumption, ...]] = (STEPS, REACHED, NO_DECAY)

    def predict(self, problem: QuadraticNetwork, data: Any, start: Any, times: Array) -> dict[str, Array]:
        lam = jnp.asarray(data.values)
        top = curvatures(lam, lam > 0, problem.centred)[1]
        return {"largest_stable_rate": problem.rule.stable_rate(2 * top)}
