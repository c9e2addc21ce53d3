"""The exact flow of every unit at a fraction of the cost: closed form first, then frozen patterns between events."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ...mathematics.gated_flow import Field, Units, gated_flow
from ...mathematics.gated_growth import state_at
from ...rules.demands import stepped_strain
from ...words.fields import scalar
from ...words.problem import Problem
from ...words.theory import Assumption, FiniteSize, Limit, Source, Variable
from . import regime
from .aligned_group import gap_lag
from .problem import OrthogonalReLU
from .relu_network import SAMPLE, UNIT, ShallowReLU
from .user_inputs import UserInputsReLU

# outputs up to this many tolerances are left to the closed form: they move event times by half that share of 1/|D|
NEGLIGIBLE = 10.0


# units near the edge of a pattern take the other side in steps: at a lag of .26 one of 112 lived that should have died,
# and others were off by .58 in log size; at .38 one by 2.6
UNITS_FOLLOW = dataclasses.replace(
    regime.FLOW,
    words="Gradient flow, or gradient descent with steps so small that single units follow: 1 means that the lag of a "
    "curve, ln(1/scale) (eta |D| / ln(1 + eta |D|) - 1), reaches 5 %.",
    strain=lambda setting: stepped_strain(setting.problem.rule, lambda _: regime.curve_lag(setting.problem) / 0.05),
)


class EventFlow(Limit[ShallowReLU]):
    """The flow of this very start, exactly: every observable, and the time at which each unit loses each point.

    While outputs are below ten times `tolerance` of the labels, the closed form of EarlyAlignment holds (it knows all
    kinks of that phase). From there on the reduced flow
        u_jk' = a_j g_k 1[on],  a_j' = sum_on u_jk g_k,  g_k = xi_k (y_k - h_k)/n,  h_k = xi_k sum_j a_j u_jk 1[on]
    is smooth between switch-offs: order 8, roots of u_jk on the dense output, u_jk set to 0 and the step begun anew.
    Own variables: `switch_off_time` (unit, sample; inf: never, 0: inactive from the start), `right_hand_sides` spent.
    Shapes: a (m,), u (m, n). Clock: the rule's own. State m (n + 1), cost O(m n) an evaluation, number of evaluations
    ~ log(1/init_scale) at most. Conditions on the start. Error: the tolerance, amplified by growth.
    It fails for inputs that are not orthogonal and for rules far from gradient flow.
    Source: Boursier et al. 2022, section 3; the event-driven integration was written for this library.
    """

    tolerance: float = scalar("relative tolerance of the integrator", default=1e-10, above=0.0, below=0.1, log=True)

    of: ClassVar[tuple[type[Problem], ...]] = (OrthogonalReLU, UserInputsReLU)
    source: ClassVar[tuple[Source, ...]] = (Source("Boursier2022", "theorem 1 and section 4"),)
    conditions_on: ClassVar[tuple[str, ...]] = ("start",)
    speaks_of: ClassVar[tuple[str, ...]] = (
        *(o.name for o in OrthogonalReLU.observables),
        "quarter_time_positive",
        "quarter_time_negative",
        "final_half_squared_norm",
        "norm_gap",
        "dead_units",
        "switch_off_time",
        "right_hand_sides",
    )
    own: ClassVar[tuple[Variable, ...]] = (
        Variable("switch_off_time", "time at which a unit loses a point", "clock", (UNIT, SAMPLE)),
        Variable("right_hand_sides", "evaluations of the right-hand side"),
    )
    shapes: ClassVar[tuple[str, ...]] = ("width", "bias")
    assumptions: ClassVar[tuple[Assumption, ...]] = (UNITS_FOLLOW, regime.ORTHOGONAL)

    def predict(self, problem: ShallowReLU, data: Any, start: Any, times: Array) -> dict[str, Array]:
        flow = regime.flow_clock(problem, jnp.asarray(times))
        data = regime.sample(problem, data)
        case = regime.reduced(data, start)
        growth = regime.early(case)
        begin = regime.last_time_below(case, growth, NEGLIGIBLE * self.tolerance, flow[-1])
        field = Field(case.norms, case.labels)

        def see(level: Array, gates: Array) -> dict[str, Array]:
            return problem.observe(regime.network(case, data, start, level, gates), data)

        def look(time: Array) -> dict[str, Array]:
            return see(*state_at(growth, time)[:2])

        level, gates, opened = state_at(growth, begin)
        run = gated_flow(
            field,
            Units(jnp.concatenate([level[:, None], gates], axis=1), opened),
            begin,
            flow,
            self.tolerance,
            lambda units: see(units.state[:, 0], units.state[:, 1:]),
            lambda units: regime.quarter_watch(case, field.outputs(units)),
        )
        before = jax.vmap(look)(jnp.minimum(flow, begin))

        def join(early: Array, late: Array) -> Array:
            return jnp.where((flow <= begin).reshape(-1, *(1,) * (late.ndim - 1)), early, late)

        quarter = regime.rule_clock(problem, run.roots)
        end = regime.network(case, data, start, run.end.state[:, 0], run.end.state[:, 1:])
        off = jnp.where(growth.closing <= begin, growth.closing, run.closing)
        return {
            **jax.tree.map(join, before, run.observed),
            "quarter_time_positive": quarter[0],
            "quarter_time_negative": quarter[1],
            **regime.final_events(problem, end, data),
            "switch_off_time": regime.rule_clock(problem, off),
            "right_hand_sides": 1.0 * run.evaluations,
        }

    def finite_size(self, problem: ShallowReLU) -> Mapping[str, FiniteSize]:
        """Exact for flow; descent lags behind flow by eta |D|/2 of its times.

        A single unit is off by the lag of its direction, too, up to three times that of the whole (see EarlyAlignment).
        """
        slow = regime.step_delay(problem)
        if slow == 0:
            return {}
        curve = FiniteSize(regime.curve_lag(problem), 0.0, relative=True)
        time = FiniteSize(slow, 0.0, relative=True)
        names = ("train_loss", "half_squared_norm", "variation_norm", "outputs", "alignment", "balance")
        unit = FiniteSize(3 * regime.curve_lag(problem), 0.0, relative=True)
        times = ("quarter_time_positive", "quarter_time_negative", "final_half_squared_norm")
        gap = FiniteSize(gap_lag(problem), 0.0, relative=True)
        return {**dict.fromkeys(names, curve), **dict.fromkeys(times, time), "neuron_norm": unit, "norm_gap": gap}
