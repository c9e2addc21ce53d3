"""The early phase: every unit alone, in closed form."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ...mathematics.gated_growth import final_pattern, state_at
from ...words.problem import Problem
from ...words.theory import Assumption, FiniteSize, Limit, Setting, Source, Variable
from . import regime
from .problem import OrthogonalReLU
from .relu_network import SAMPLE, UNIT, ShallowReLU
from .user_inputs import UserInputsReLU

# float64 holds no larger strain
MOST = 1e300


@jax.jit
def _share_at(case: regime.Reduced, time: Array) -> Array:
    return regime.output_share(case, regime.early(case), time)


def _share_strain(setting: Setting) -> float:
    case = regime.reduced(setting.data, setting.start)
    end = float(setting.problem.rule.flow_time(setting.problem, setting.times[-1:])[0])
    share = float(_share_at(case, jnp.asarray(end)))
    return min(share / regime.SHARE, MOST)


SMALL_OUTPUTS = Assumption(
    "small outputs",
    "1 means that outputs reach one percent of the labels at the last of the times.",
    _share_strain,
    # its own horizon reaches far beyond the early phase
    broken_by=lambda problem: OrthogonalReLU(),
)


NEGLECTED = (
    Variable("output_share", "largest neglected output over its label, at the last time"),
    Variable("neglected_growth", "most that neglected outputs change the log of a unit's size"),
)


class EarlyAlignment(Limit[ShallowReLU]):
    """Every unit alone, exactly, while outputs are negligible: hyperbolic growth between switch-offs.

    With b_k = xi_k y_k / n over a unit's active points, |D| = sqrt(sum b_k^2), q = sum u_k b_k / |D| and tau the time
    since its last switch-off,
        a = a0 cosh(|D| tau) + q0 sinh(|D| tau),   u_k = u_k0 + b_k [a0 sinh + q0 (cosh - 1)] / |D|;
    point k is lost when u_k reaches 0, a root of a quadratic in exp(|D| tau). Points are only ever lost. At the end
    a ~ c exp(|D| t); a unit works for the positive or negative points by the sign of c, not of a(0).
    Own variables: `switch_off_time` (unit, sample; inf: never, 0: inactive from the start), `amplitude` c (unit),
    `growth_rate` |D| (unit), `output_share` = max |h_k / y_k| at the last time, and
    `neglected_growth`, the integral of |D| max |h_k / y_k|: the declared error of the log of a unit's size.
    Shapes: a (m,), u (m, n). Clock: the rule's own. Cost O(m n^2), no time stepping. Conditions on the start.
    It fails once outputs reach the labels, for inputs that are not orthogonal, and for rules far from gradient flow.
    Source: Boursier et al. 2022, the early phase; piecewise closed form derived for this library.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (OrthogonalReLU, UserInputsReLU)
    source: ClassVar[tuple[Source, ...]] = (Source("Boursier2022", "theorem 1 and section 4"),)
    conditions_on: ClassVar[tuple[str, ...]] = ("start",)
    speaks_of: ClassVar[tuple[str, ...]] = (
        "half_squared_norm",
        "variation_norm",
        "neuron_norm",
        "alignment",
        "active_patterns",
        "balance",
        "switch_off_time",
        "amplitude",
        "growth_rate",
        "output_share",
        "neglected_growth",
    )
    own: ClassVar[tuple[Variable, ...]] = (
        Variable("switch_off_time", "time at which a unit loses a point", "clock", (UNIT, SAMPLE)),
        Variable("amplitude", "c in a ~ c exp(|D| t) after the last switch-off", dims=(UNIT,)),
        Variable("growth_rate", "growth rate |D| in flow time after the last switch-off", dims=(UNIT,)),
        *NEGLECTED,
    )
    shapes: ClassVar[tuple[str, ...]] = ("width", "bias")
    assumptions: ClassVar[tuple[Assumption, ...]] = (regime.FLOW, regime.ORTHOGONAL, SMALL_OUTPUTS)

    def predict(self, problem: ShallowReLU, data: Any, start: Any, times: Array) -> dict[str, Array]:
        flow = regime.flow_clock(problem, jnp.asarray(times))
        data = regime.sample(problem, data)
        case = regime.reduced(data, start)
        growth = regime.early(case)
        last = final_pattern(growth)

        def look(time: Array) -> dict[str, Array]:
            level, gates, _ = state_at(growth, time)
            return problem.observe(regime.network(case, data, start, level, gates), data)

        seen = jax.vmap(look)(flow)
        return {
            **{name: seen[name] for name in self.speaks_of if name in seen},
            "switch_off_time": regime.rule_clock(problem, growth.closing),
            "amplitude": last.sign * jnp.exp(last.log_amplitude),
            "growth_rate": last.rate,
            "output_share": regime.output_share(case, growth, flow[-1]),
            "neglected_growth": regime.neglected_growth(case, growth, flow[-1]),
        }

    def finite_size(self, problem: ShallowReLU) -> Mapping[str, FiniteSize]:
        """Neglected outputs change the log of a unit's size by `neglected_growth` G, a squared norm by twice that.

        Directions move by no more than sizes do; descent lags behind flow by a share of its times. A single unit that
        turns late, or shrinks, is off by its direction, too: artanh(cos) by G, and log size = int |D| cos by
        G int |D| (1 - cos^2) dt <= 2 G, since cos goes from -1 to 1 at the most. Sums of squares are those of units
        that have turned before outputs grew.
        """
        slow, edge = regime.curve_lag(problem), regime.SHARE

        def size(factor: float, relative: bool) -> FiniteSize:
            return FiniteSize(factor, 2.0, relative, per="neglected_growth", most=edge, floor=slow)

        norms = dict.fromkeys(("half_squared_norm", "variation_norm"), size(2.0, True))
        return {**norms, "neuron_norm": size(3.0, True), "alignment": size(2.0, False), "balance": size(2.0, False)}


class AlignmentLaw(Limit[ShallowReLU]):
    """How a unit turns towards its own target while outputs are negligible.

    Between switch-offs, for a balanced unit of sign s and target D (its own active points),
        s cos(w, D)(t) = tanh(|D| (t - t_0) + artanh(s cos(w, D)(t_0))),
    |w| with its frozen parts. It takes a time O(1/|D|) however small the start. t_0 runs through the start and the
    switch-offs of the closed form. Speaks of `alignment` (unit). Conditions on the start. Clock: the rule's own.
    It fails for starts that are not balanced and once outputs reach the labels.
    Source: Boursier et al. 2022, the early phase; identity checked against the closed form.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (OrthogonalReLU, UserInputsReLU)
    source: ClassVar[tuple[Source, ...]] = (Source("Boursier2022", "theorem 1 and section 4"),)
    conditions_on: ClassVar[tuple[str, ...]] = ("start",)
    speaks_of: ClassVar[tuple[str, ...]] = ("alignment", "output_share", "neglected_growth")
    own: ClassVar[tuple[Variable, ...]] = (*NEGLECTED,)
    shapes: ClassVar[tuple[str, ...]] = ("width", "bias")
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        regime.FLOW,
        regime.ORTHOGONAL,
        regime.BALANCED,
        SMALL_OUTPUTS,
    )

    def predict(self, problem: ShallowReLU, data: Any, start: Any, times: Array) -> dict[str, Array]:
        flow = regime.flow_clock(problem, jnp.asarray(times))
        data = regime.sample(problem, data)
        case = regime.reduced(data, start)
        growth = regime.early(case)
        weight = jnp.sqrt(jnp.sum(growth.gates**2, axis=2) + case.outside[:, None])
        target = jnp.where(growth.open, case.drive[None, None, :], 0.0)
        square = jnp.sum(target**2, axis=2)
        rate = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1.0)), 0.0)
        size = jnp.where((rate > 0) & (weight > 0), rate * weight, 1.0)
        sign = jnp.where(growth.level < 0, -1.0, 1.0)
        cosine = sign * jnp.sum(growth.gates * target, axis=2) / size
        begun = jnp.arctanh(jnp.clip(cosine, -1 + 1e-16, 1 - 1e-16))

        def look(time: Array) -> Array:
            piece = jnp.sum(growth.begin <= time, axis=1) - 1
            at = jnp.arange(piece.shape[0]), piece
            return jnp.where(rate[at] > 0, jnp.tanh(rate[at] * (time - growth.begin[at]) + begun[at]), 0.0)

        return {
            "alignment": jax.vmap(look)(flow),
            "output_share": regime.output_share(case, growth, flow[-1]),
            "neglected_growth": regime.neglected_growth(case, growth, flow[-1]),
        }

    def finite_size(self, problem: ShallowReLU) -> Mapping[str, FiniteSize]:
        slow = regime.curve_lag(problem)
        return {"alignment": FiniteSize(2.0, 2.0, per="neglected_growth", most=regime.SHARE, floor=slow)}
