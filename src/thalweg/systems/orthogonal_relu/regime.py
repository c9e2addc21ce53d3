"""What the theories of this family share: the reduced form of a case, clocks, and assumptions as numbers."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ...computing.float64 import float64, root_key
from ...data.two_layer import TwoLayer
from ...mathematics.gated_growth import FinalPattern, GatedGrowth, final_pattern, gated_growth, state_at
from ...rules.demands import followed_pace, plain_steps, stepped_strain, under_adam
from ...words.events import Final
from ...words.fields import varied
from ...words.theory import Assumption, Setting
from .readings import group_norms
from .user_inputs import ORTHOGONAL as ORTHOGONAL_COSINE
from .user_inputs import UserInputsReLU, worst_cosine

# strain 1 of "gradient flow": a descent step delays growth by five percent
STEP_DELAY = 0.05
# strain 1 of "small outputs": outputs of one percent of the labels where the early phase is left
SHARE = 0.01
# nodes of the integral of the neglected outputs: an exponential over thirty logs to four digits
QUADRATURE = 257


class Reduced(NamedTuple):
    """A case in the directions of the inputs: labels, norms (n,), levels a (m,), gates u (m, n), and the squared norm
    of each w_j outside the span of the inputs (m,), which never moves."""

    labels: Float[Array, " n"]
    norms: Float[Array, " n"]
    level: Float[Array, " m"]
    gates: Float[Array, "m n"]
    outside: Float[Array, " m"]

    @property
    def drive(self) -> Float[Array, " n"]:
        """b_k = xi_k y_k / n."""
        return self.norms * self.labels / self.labels.shape[0]


def sample(problem: Any, data: Any) -> Any:
    """The data set of a problem whose inputs are fixed: its draw is the same for every key."""
    return problem.draw(root_key(0)) if data is None else data


def points(problem: Any) -> Any:
    """Labels and norms of a problem whose inputs are fixed."""
    with float64():
        return sample(problem, None)


def least_norms(problem: Any) -> tuple[float, float]:
    """N_+ and N_-: the least half squared norms that fit the points of each sign."""
    with float64():
        found = sample(problem, None)
        positive, negative = group_norms(found.labels, found.norms)
        return float(positive), float(negative)


def reduced(data: Any, start: Any) -> Reduced:
    """u_jk = w_j . x_k / xi_k; exact for orthogonal inputs alone."""
    labels, norms = jnp.asarray(data.labels), jnp.asarray(data.norms)
    hidden = jnp.asarray(start.hidden)
    gates = data.preactivations(hidden) / norms[None, :]
    outside = jnp.maximum(jnp.sum(hidden**2, axis=1) - jnp.sum(gates**2, axis=1), 0.0)
    return Reduced(labels, norms, jnp.asarray(start.output), gates, outside)


def network(case: Reduced, data: Any, start: Any, level: Array, gates: Array) -> TwoLayer:
    """The parameters that belong to levels and gates: w_j moves along the inputs alone.

    A closed gate is exactly 0; it is put a rounding error below, or the way back to weights could open it again.
    """
    size = jnp.maximum(jnp.max(jnp.abs(start.hidden), axis=1), jnp.max(jnp.abs(gates), axis=1))
    below = -8 * jnp.finfo(gates.dtype).eps * size[:, None]
    moved = (jnp.where(gates == 0, below, gates) - case.gates) / case.norms[None, :]
    return TwoLayer(hidden=jnp.asarray(start.hidden) + data.combine(moved), output=level)


def early(case: Reduced) -> GatedGrowth:
    """The closed form while outputs are negligible."""
    return gated_growth(case.level, case.gates, case.drive)


def early_outputs(case: Reduced, growth: GatedGrowth, time: Float[Array, ""]) -> Float[Array, " n"]:
    """h_k of the closed form."""
    level, gates, opened = state_at(growth, time)
    return case.norms * (level @ jnp.where(opened, gates, 0.0))


def output_share(case: Reduced, growth: GatedGrowth, time: Float[Array, ""]) -> Float[Array, ""]:
    """eps: the largest |h_k / y_k| of the closed form, which neglects it."""
    return jnp.max(jnp.abs(early_outputs(case, growth, time) / case.labels))


def neglected_growth(case: Reduced, growth: GatedGrowth, end: Array) -> Float[Array, ""]:
    """Most that the neglected outputs can change the log of any unit's size up to `end`, to first order.

    z' = (G - S) z with |S| <= |D| max_k |h_k / y_k|: the integral of that, |D| over all points, by Simpson's rule.
    """
    grid = jnp.linspace(0.0, 1.0, QUADRATURE)
    shares = jax.lax.map(lambda part: output_share(case, growth, part * end), grid)
    weights = jnp.where(jnp.arange(QUADRATURE) % 2 == 1, 4.0, 2.0).at[jnp.array([0, -1])].set(1.0)
    rate = jnp.sqrt(jnp.sum(case.drive**2))
    return rate * end / (3 * (QUADRATURE - 1)) * jnp.sum(weights * shares)


def last_time_below(case: Reduced, growth: GatedGrowth, share: float | Array, end: Array) -> Float[Array, ""]:
    """The latest time up to `end` at which outputs are at most `share` of the labels; 0 if they never are."""

    def halve(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = 0.5 * (low + high)
        small = output_share(case, growth, middle) <= share
        return jnp.where(small, middle, low), jnp.where(small, high, middle)

    low, _ = jax.lax.fori_loop(0, 50, halve, (jnp.zeros_like(end), end))
    return jax.lax.stop_gradient(jnp.where(output_share(case, growth, end) <= share, end, low))


def sides(labels: Float[Array, " n"]) -> Bool[Array, "2 n"]:
    """Which points have a positive, and which a negative label."""
    return jnp.stack([labels > 0, labels < 0])


def rates(case: Reduced) -> Float[Array, " 2"]:
    """|D_+| and |D_-|: the growth rates of units that see all points of their sign."""
    return jnp.sqrt(jnp.sum(jnp.where(sides(case.labels), case.drive[None, :] ** 2, 0.0), axis=1))


def belongs(case: Reduced, last: FinalPattern) -> Bool[Array, "2 m"]:
    """Which living units end with the positive, and which with the negative points: by the sign of c_j."""
    return jnp.stack([last.sign > 0, last.sign < 0])


def full(case: Reduced, last: FinalPattern) -> Bool[Array, "2 m"]:
    """Which units see all points of their sign when the early phase is over."""
    all_seen = jnp.all(last.pattern[None, :, :] | ~sides(case.labels)[:, None, :], axis=2)
    return belongs(case, last) & all_seen


def side_losses(case: Reduced, outputs: Float[Array, " n"]) -> Float[Array, " 2"]:
    """L_+ and L_-: the loss on the points of each sign."""
    square = (outputs - case.labels) ** 2 / (2 * case.labels.shape[0])
    return jnp.sum(jnp.where(sides(case.labels), square[None, :], 0.0), axis=1)


def quarter_watch(case: Reduced, outputs: Float[Array, " n"]) -> Float[Array, " 2"]:
    """L_s less a quarter of its value at zero output: falls through zero at the quarter time."""
    return side_losses(case, outputs) - 0.25 * side_losses(case, jnp.zeros_like(outputs))


def final_events(problem: Any, params: TwoLayer, data: Any) -> dict[str, Array]:
    """The problem's events that are read at the end alone, for the parameters there."""
    found = {e.name: e.detector.of for e in problem.events if isinstance(e.detector, Final)}
    seen = problem.observe(params, data)
    return {n: seen[of] if isinstance(of, str) else of.measure(problem, params, data) for n, of in found.items()}


def flow_clock(problem: Any, times: Array) -> Array:
    """Flow time of times on the rule's clock."""
    return times * followed_pace(problem.rule)


def rule_clock(problem: Any, flow: Array) -> Array:
    """Flow times on the rule's clock."""
    return flow / followed_pace(problem.rule)


def step_delay(problem: Any) -> float:
    """Relative delay of descent behind flow, eta |D| / ln(1 + eta |D|) - 1 for the larger |D|; 0 for flow."""
    if not plain_steps(problem.rule):
        return 0.0
    strength = problem.strengths() / len(problem.strengths())
    step = float(problem.rule.learning_rate) * float(np.sqrt(np.sum(strength**2)))
    return step / math.log1p(step) - 1.0


def curve_lag(problem: Any) -> float:
    """Most that a delay of `step_delay` of all times can move a curve, as a share of its height, or a log of a size.

    The log of a size moves by |D| a unit of time, a logistic of rate 2 |D| or a loss by at most (0.6) |D| of its
    height; jumps come at ln(1/scale)/|D|.
    """
    return step_delay(problem) * max(1.0, -math.log(float(problem.init_scale)))


def _rule_strain(setting: Setting) -> float:
    return stepped_strain(setting.problem.rule, lambda rate: step_delay(setting.problem) / STEP_DELAY)


def _cosine_strain(setting: Setting) -> float:
    inputs = getattr(setting.data, "inputs", None)
    return 0.0 if inputs is None else worst_cosine(inputs) / ORTHOGONAL_COSINE


def _balance_strain(setting: Setting) -> float:
    level, hidden = np.asarray(setting.start.output), np.asarray(setting.start.hidden)
    weight = np.sum(hidden**2, axis=1)
    return float(np.max(np.abs(level**2 - weight) / np.maximum(level**2 + weight, 1e-300))) / 1e-6


@jax.jit
def _full_units(case: Reduced) -> Array:
    return jnp.sum(full(case, final_pattern(early(case))), axis=1)


def _full_strain(setting: Setting) -> float:
    case = reduced(setting.data, setting.start)
    counts = np.asarray(_full_units(case))
    present = np.any(np.asarray(sides(case.labels)), axis=1)
    return 2.0 / (1.0 + float(np.min(counts[present])))


FLOW = Assumption(
    "gradient flow",
    "Gradient flow, or gradient descent with a small step: 1 means that eta |D| / ln(1 + eta |D|) exceeds 1 by 5 %.",
    _rule_strain,
    broken_by=under_adam,
)
ORTHOGONAL = Assumption(
    "orthogonal inputs",
    "The strain is the worst cosine between two inputs over 1e-9: smaller ones revive no unit in any run of use.",
    _cosine_strain,
    # two inputs at a cosine of 0.2, and a start in which no unit sees all points of a sign
    broken_by=lambda problem: UserInputsReLU(inputs=[[1.0, 0.2], [0.0, 1.0]], labels=[1.0, -1.0]),
)
BALANCED = Assumption(
    "balanced start",
    "1 means that a_j^2 and |w_j|^2 differ by a millionth of their sum.",
    _balance_strain,
    broken_by=varied(balance=2.0),
)
FULL_UNITS = Assumption(
    "full units",
    "Some unit of each sign must see all points of its sign; strain 2/(1 + n_full), so that 1 means a single one.",
    _full_strain,
    broken_by=varied(width=2),
)
