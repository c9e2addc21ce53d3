"""The flow at finite scale, units with the same pattern taken together: its cost knows no width."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...mathematics.gated_flow import Field, GatedFlow, Units, gated_flow
from ...mathematics.gated_growth import GatedGrowth, final_pattern, state_at
from ...words.fields import scalar, varied
from ...words.problem import Problem
from ...words.theory import Assumption, FiniteSize, Limit, Setting, Source, Variable
from . import regime
from .aligned_group import gap_lag
from .problem import OrthogonalReLU
from .readings import norm_gap
from .regime import Reduced
from .relu_network import ShallowReLU
from .user_inputs import UserInputsReLU

# the closed form is left here at the latest, should switch-offs go on
LATEST_SHARE = 0.05
# bits of a whole number that hold a pattern
WORD = 62


@jax.jit
def _share_at_end(case: Reduced) -> Array:
    growth = regime.early(case)
    return regime.output_share(case, growth, _last_switch_off(growth))


def _share_strain(setting: Setting) -> float:
    share = float(_share_at_end(regime.reduced(setting.data, setting.start)))
    return min(share / regime.SHARE, 1e300)


class ClassFlow(Limit[ShallowReLU]):
    """Loss, outputs, norms and event times at finite scale, from a handful of equations whatever the width.

    After the last switch-off units move linearly, z_j' = G z_j for z_j = (a_j, u_j on its pattern A), with
    G = [[0, g'], [g, 0]], g_k = xi_k (y_k - h_k)/n, so that all units of one pattern share the second moment
        Q_A = sum_{j in A} z_j z_j',   Q_A = P M P',   P' = G P,   h_k = xi_k sum_A Q_A[0, k]:
    at most 2^n_+ + 2^n_- - 2 patterns of (n + 1)^2 numbers, or the units themselves where they are fewer. Before, up
    to the last switch-off t_1 of a unit that lives on, the closed form of EarlyAlignment holds for each unit; units
    that die are still from t_1 on. Neither alignment nor balance is assumed.
    Own variables: `output_share` = max |h_k / y_k| at t_1, the share that the closed form neglects, O(init_scale^2),
    and `switch_off_end` = t_1. Shapes: a (m,), u (m, n). Clock: the rule's own; NaN for a quarter time that is not
    reached within `times`. Conditions on the start.
    It fails where outputs matter before the last switch-off: strain 1 is a share of one percent.
    Source: Boursier et al. 2022 for the phases; the moment form was derived for this library.
    """

    tolerance: float = scalar("relative tolerance of the integrator", default=1e-10, above=0.0, below=0.1, log=True)
    classes: int | None = None

    of: ClassVar[tuple[type[Problem], ...]] = (OrthogonalReLU, UserInputsReLU)
    source: ClassVar[tuple[Source, ...]] = (Source("Boursier2022", "theorem 1 and section 4"),)
    conditions_on: ClassVar[tuple[str, ...]] = ("start",)
    speaks_of: ClassVar[tuple[str, ...]] = (
        "train_loss",
        "half_squared_norm",
        "variation_norm",
        "outputs",
        "quarter_time_positive",
        "quarter_time_negative",
        "final_half_squared_norm",
        "norm_gap",
        "output_share",
        "switch_off_end",
    )
    own: ClassVar[tuple[Variable, ...]] = (
        Variable("output_share", "largest neglected output over its label, when units are taken together"),
        Variable("switch_off_end", "time of the last switch-off of a unit that lives on", "clock"),
    )
    shapes: ClassVar[tuple[str, ...]] = ("width", "bias")
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        regime.FLOW,
        regime.ORTHOGONAL,
        Assumption(
            "small start",
            "1 means that outputs reach one percent of the labels at the last switch-off.",
            _share_strain,
            broken_by=varied(init_scale=0.3),
        ),
    )

    def prepare(self, problem: ShallowReLU, times: np.ndarray) -> "ClassFlow":
        labels = np.asarray(regime.points(problem).labels)
        patterns = sum(2.0 ** float(np.sum(side)) - 1 for side in (labels > 0, labels < 0))
        # the class without open gates is one more; with so few units each is a class of its own
        few = (patterns + 1) * (labels.size + 1) >= problem.width
        return dataclasses.replace(self, classes=0 if few else int(patterns) + 1)

    def predict(self, problem: ShallowReLU, data: Any, start: Any, times: Array) -> dict[str, Array]:
        assert self.classes is not None
        flow = regime.flow_clock(problem, jnp.asarray(times))
        data = regime.sample(problem, data)
        case = regime.reduced(data, start)
        growth = regime.early(case)
        latest = regime.last_time_below(case, growth, LATEST_SHARE, flow[-1])
        last = _last_switch_off(growth)
        begin = jax.lax.stop_gradient(jnp.minimum(last, latest))
        grouped = _group(case, growth, begin, self.classes)
        run = _follow(case, grouped, begin, flow, self.tolerance)
        curves = _with_early(case, growth, grouped, run, begin, flow)
        quarter = regime.rule_clock(problem, run.roots)
        error = curves["outputs"] - case.labels[None, :]
        loss = 0.5 * jnp.mean(error**2, axis=1)
        final = curves["half_squared_norm"][-1]
        return {
            **curves,
            "train_loss": loss,
            "quarter_time_positive": quarter[0],
            "quarter_time_negative": quarter[1],
            "final_half_squared_norm": final,
            "norm_gap": norm_gap(curves["outputs"][-1], final, case.labels, case.norms),
            "output_share": regime.output_share(case, growth, last),
            "switch_off_end": regime.rule_clock(problem, last),
        }

    def finite_size(self, problem: ShallowReLU) -> Mapping[str, FiniteSize]:
        """A neglected share eps moves all later times by eps/(2 |D|), a share of at most eps of any time scale here.

        Descent lags behind flow by eta |D|/2 of its times, and a gap of the norm, ~ scale^(2 (1 - rho)), by the lag of
        that power.
        """
        slow, delay = regime.curve_lag(problem), regime.step_delay(problem)
        share = {"per": "output_share", "most": regime.SHARE}
        curve = FiniteSize(1.0, 2.0, relative=True, floor=slow, **share)
        time = FiniteSize(1.0, 2.0, relative=True, floor=delay, **share)
        # the gap is a small part of the norm: its error is that of the norm
        gap = FiniteSize(sum(regime.least_norms(problem)), 2.0, **share)
        if delay > 0:
            gap = FiniteSize(gap_lag(problem), 0.0, relative=True)
        curves = ("train_loss", "half_squared_norm", "variation_norm", "outputs")
        return {
            **dict.fromkeys(curves, curve),
            **dict.fromkeys(("quarter_time_positive", "quarter_time_negative", "final_half_squared_norm"), time),
            "norm_gap": gap,
        }


def _last_switch_off(growth: GatedGrowth) -> Float[Array, ""]:
    """Time of the last switch-off among units that keep a point."""
    last = final_pattern(growth)
    return jnp.max(jnp.where(last.rate > 0, last.since, 0.0), initial=0.0)


class _Grouped(NamedTuple):
    """Units to integrate with their field, and the parts of the norms that are left out of them.

    `still`: half the squared norm that no longer moves; `idle`: the same for the variation norm; `lag` (c,): the
    difference of half norm and variation norm of each block when it begins; `size` (c,): its sum of a^2 then.
    """

    field: Field
    units: Units
    still: Float[Array, ""]
    idle: Float[Array, ""]
    lag: Float[Array, " c"]
    size: Float[Array, " c"]


def _group(case: Reduced, growth: GatedGrowth, begin: Array, classes: int) -> _Grouped:
    level, gates, _ = state_at(growth, begin)
    last = final_pattern(growth)
    alive = (last.rate > 0)[:, None]
    moving = jnp.where(alive, jnp.concatenate([level[:, None], jnp.where(last.pattern, gates, 0.0)], axis=1), 0.0)
    frozen = jnp.sum(gates**2, axis=1) + case.outside - jnp.sum(moving[:, 1:] ** 2, axis=1)
    weight = jnp.sqrt(jnp.sum(moving[:, 1:] ** 2, axis=1) + frozen)
    lives = alive[:, 0]
    still = 0.5 * jnp.sum(frozen + jnp.where(lives, 0.0, level**2))
    idle = jnp.sum(jnp.where(lives, 0.5 * frozen, jnp.abs(level) * weight))
    lag = jnp.where(lives, 0.5 * (jnp.abs(level) - weight) ** 2, 0.0)
    size = moving[:, 0] ** 2
    if classes == 0:
        return _Grouped(Field(case.norms, case.labels), Units(moving, last.pattern & alive), still, idle, lag, size)
    member, patterns = _membership(last.pattern & alive, classes)
    moments = jnp.einsum("jc,jp,jq->cpq", member, moving, moving)
    width = case.labels.shape[0] + 1
    columns = jnp.tile(jnp.eye(width), (classes, 1))
    opened = jnp.repeat(patterns, width, axis=0)
    field = Field(case.norms, case.labels, moments)
    return _Grouped(field, Units(columns, opened), still, idle, member.T @ lag, member.T @ size)


def _membership(pattern: Array, classes: int) -> tuple[Array, Array]:
    """Which unit belongs to which pattern (m, c), and the patterns (c, n); unused classes are empty."""
    n = pattern.shape[1]
    words = -(-n // WORD)
    bits = jnp.pad(pattern, ((0, 0), (0, words * WORD - n))).reshape(-1, words, WORD)
    codes = jnp.sum(jnp.where(bits, 2 ** jnp.arange(WORD)[None, None, :], 0), axis=2)
    _, first, which = jnp.unique(
        codes, axis=0, size=classes, return_index=True, return_inverse=True, fill_value=jnp.zeros((), codes.dtype)
    )
    member = 1.0 * (which.reshape(-1)[:, None] == jnp.arange(classes)[None, :])
    some = jnp.sum(member, axis=0) > 0
    return member, pattern[first] & some[:, None]


def _follow(case: Reduced, grouped: _Grouped, begin: Array, flow: Array, tolerance: Any) -> GatedFlow:
    field, width = grouped.field, case.labels.shape[0] + 1

    def observe(units: Units) -> dict[str, Array]:
        masked = jnp.concatenate([units.state[:, :1], jnp.where(units.open, units.state[:, 1:], 0.0)], axis=1)
        power = field.spread(masked) * masked
        block = 1 if field.moments is None else width
        own = jnp.sum(power[:, 0].reshape(-1, block), axis=1)
        # what is left of the difference between |a| and |w| falls as the unit grows
        ratio = grouped.size / jnp.where(own > 0, own, 1.0)
        half = 0.5 * jnp.sum(power)
        return {
            "outputs": field.outputs(units),
            "half_squared_norm": half + grouped.still,
            "variation_norm": half - jnp.sum(grouped.lag * jnp.where(own > 0, ratio, 1.0)) + grouped.idle,
        }

    return gated_flow(
        field,
        grouped.units,
        begin,
        flow,
        tolerance,
        observe,
        lambda units: regime.quarter_watch(case, field.outputs(units)),
        closes=False,
    )


def _with_early(
    case: Reduced, growth: GatedGrowth, grouped: _Grouped, run: GatedFlow, begin: Array, flow: Array
) -> dict[str, Array]:
    """Curves of the run after `begin`, of the closed form before."""

    def look(time: Array) -> dict[str, Array]:
        level, gates, opened = state_at(growth, time)
        weight = jnp.sum(gates**2, axis=1) + case.outside
        return {
            "outputs": case.norms * (level @ jnp.where(opened, gates, 0.0)),
            "half_squared_norm": 0.5 * jnp.sum(level**2 + weight),
            "variation_norm": jnp.sum(jnp.abs(level) * jnp.sqrt(jnp.where(weight > 0, weight, 1.0)) * (weight > 0)),
        }

    # only where it is needed: each time costs as much as there are units
    empty = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(look, begin))
    before = jax.lax.map(lambda time: jax.lax.cond(time <= begin, look, lambda _: empty, time), flow)

    def join(early: Array, late: Array) -> Array:
        return jnp.where((flow <= begin).reshape(-1, *(1,) * (late.ndim - 1)), early, late)

    return jax.tree.map(join, before, run.observed)
