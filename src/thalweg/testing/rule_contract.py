"""The contract of rules as a plain function, for rules outside the package too: what they say is what they do."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..results.serial import from_json, to_json
from ..rules import DiscreteRule, GradientFlow
from ..verbs.real_runs import train
from ..words.problem import FisherProblem, Observable, Rule, SampledProblem, array
from .array_rules import strictly

CURVATURES = (0.0, 0.5, 4.0)
PULL = 0.7
# steps after which a run just inside the stable rate has fallen, and one just outside it has grown
LONG, INSIDE, OUTSIDE = 1200, 0.98, 1.02


class _Bowl(SampledProblem, FisherProblem):
    """sum (1/2) u w^2 - pull w from w = 1: all samples, stored or fresh, say the same, and the Fisher matrix is 1."""

    curvatures: Any = array("curvatures u", default=CURVATURES)
    pull: float = PULL
    dimension: int = 4
    rule: Rule = GradientFlow()
    observables: ClassVar[tuple[Observable, ...]] = (Observable("place", "the parameters", dims=("entry",)),)

    def objective(self, params: Array, data: Any) -> Float[Array, ""]:
        return jnp.sum(0.5 * jnp.asarray(self.curvatures) * params**2 - self.pull * params)

    def sample_count(self, data: Any) -> int:
        return 12

    def batch_objective(self, params: Array, data: Any, indices: Int[Array, " batch"]) -> Float[Array, ""]:
        return self.objective(params, data)

    def sample_objective(self, params: Array, data: Any, sample: Any) -> Float[Array, ""]:
        return self.objective(params, data)

    def fresh(self, key: Array, data: Any, count: int) -> Any:
        return jnp.zeros(count)

    def natural(self, params: Array, data: Any, slope: Array, damping: Float[Array, ""]) -> Array:
        return slope / (1 + damping)

    def draw(self, key: Array) -> Any:
        return jnp.zeros(())

    def initial(self, key: Array, data: Any) -> Array:
        return jnp.ones(len(self.curvatures))

    def observe(self, params: Array, data: Any) -> dict[str, Array]:
        return {"place": params}

    def horizon(self) -> np.ndarray:
        return np.arange(9.0)

    def as_data(self, raw: Any) -> Any:
        return raw

    def as_start(self, raw: Any) -> Any:
        return raw


def _demand(truth: Any, rule: Rule, sentence: str) -> None:
    if not truth:
        raise AssertionError(f"{type(rule).__name__}: {sentence}")


def _run(rule: Rule, times: Any, **changes: Any) -> np.ndarray:
    return train(_Bowl(rule=rule, **changes), times, strict=False).place.values[0]


@strictly
def check_rule(rule: Rule) -> None:
    """AssertionError unless a rule does what it says of itself, on a quadratic bowl whose samples are all alike.

    JSON gives it back; its path does not depend on where it is looked at; `flow_time` begins at 0 and never falls, or
    has no meaning throughout; where its mean has a `filter`, that is what a run does; just inside a finite
    `stable_rate` a run falls, just outside it grows. The learning rate must be one at which a bowl of curvature 4 is
    stable.
    """
    problem, times = _Bowl(rule=rule), np.arange(9.0)
    _demand(from_json(*to_json(rule)) == rule, rule, "it changes on its way through JSON.")
    path = _run(rule, times)
    near = 1e-5 if rule.continuous else 1e-12
    seldom = _run(rule, times[[0, 3, 8]])
    _demand(np.allclose(seldom, path[[0, 3, 8]], rtol=near, atol=near), rule, "its path depends on where one looks.")
    flow = rule.flow_time(problem, times)
    shown = np.all(np.isnan(flow)) or (flow[0] == 0 and np.all(np.diff(flow) >= 0))
    _demand(shown, rule, f"its flow time is {flow}; it begins at 0 and rises, or is NaN throughout.")
    if rule.mean().filtered:
        _check_filter(rule.mean(), times, path, near)
    if isinstance(rule, DiscreteRule):
        _check_edge(rule)


def _check_filter(rule: Rule, times: np.ndarray, path: np.ndarray, near: float) -> None:
    with jax.enable_x64():
        f, g = rule.filter(jnp.asarray(CURVATURES), jnp.asarray(times))
    off = float(np.max(np.abs(np.asarray(f + PULL * g) - path)))
    _demand(off <= near, rule, f"its filter is {off:.3g} off what it does.")


def _check_edge(rule: DiscreteRule) -> None:
    edge = float(rule.stable_rate(max(CURVATURES)))
    if not np.isfinite(edge):
        return
    one = {"curvatures": np.asarray([max(CURVATURES)]), "pull": 0.0}
    inside, outside = (
        float(np.abs(_run(rule.at_rate(share * edge), [0, LONG], **one)[-1, 0])) for share in (INSIDE, OUTSIDE)
    )
    _demand(inside < 0.1, rule, f"just inside its stable rate, {edge:.4g} at curvature 4, a run ends at {inside:.3g}.")
    _demand(
        outside > 10, rule, f"just outside its stable rate, {edge:.4g} at curvature 4, a run ends at {outside:.3g}."
    )
