"""The growth of the units that see all points of their sign: the limit of small scale where there are such units."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ...mathematics.gated_flow import Field, Units, gated_flow
from ...mathematics.gated_growth import FinalPattern, final_pattern
from ...words.fields import scalar
from ...words.problem import Problem
from ...words.theory import Assumption, Asymptote, Claim, FiniteSize, Limit, Setting, Source, Variable
from . import regime
from .problem import OrthogonalReLU
from .regime import Reduced
from .relu_network import SIGN, ShallowReLU
from .user_inputs import UserInputsReLU


class _Groups(NamedTuple):
    """Both groups, positive first: half the log of c^2 = sum c_j^2 (-inf: no full unit), rate |D_s|, the points, the
    size Y = sqrt(sum y^2), one norm xi of the points (their root mean square weighted by y^2), and whether the norms
    are equal."""

    log_amplitude: Float[Array, " 2"]
    rate: Float[Array, " 2"]
    points: Bool[Array, "2 n"]
    labels: Float[Array, " 2"]
    norm: Float[Array, " 2"]
    equal: Bool[Array, " 2"]


def _groups(case: Reduced, last: FinalPattern) -> _Groups:
    points, rate = regime.sides(case.labels), regime.rates(case)
    logs = jnp.where(regime.full(case, last), last.log_amplitude[None, :], -jnp.inf)
    labels = jnp.sqrt(jnp.sum(jnp.where(points, case.labels[None, :] ** 2, 0.0), axis=1))
    norm = rate * case.labels.shape[0] / jnp.where(labels > 0, labels, 1.0)
    low = jnp.min(jnp.where(points, case.norms[None, :], jnp.inf), axis=1)
    high = jnp.max(jnp.where(points, case.norms[None, :], -jnp.inf), axis=1)
    return _Groups(_half_log_sum(logs), rate, points, labels, norm, high <= low * (1 + 1e-14))


def _half_log_sum(logs: Float[Array, "2 m"]) -> Float[Array, " 2"]:
    """Half the log of sum exp(2 log); -inf for an empty sum, without a derivative there."""
    top = jax.lax.stop_gradient(jnp.max(logs, axis=1))
    some = jnp.isfinite(top)
    total = jnp.sum(jnp.exp(2 * (logs - jnp.where(some, top, 0.0)[:, None])), axis=1)
    return jnp.where(some, top + 0.5 * jnp.log(jnp.where(some, total, 1.0)), -jnp.inf)


def competitor_share(case: Reduced, last: FinalPattern, groups: _Groups) -> Float[Array, ""]:
    """Output of the units that miss a point of their sign when their group stands at half, over that of the group.

    A unit of rate |D_j| = rho |D_s| has then grown by G rho, where G = (1/2) ln(Y / (2 xi c^2)) is the growth of the
    group: sum_j c_j^2 exp(2 rho_j G) xi / Y, of the order of init_scale^(2 (1 - rho)). The worse of the two signs.
    """
    has = jnp.isfinite(groups.log_amplitude)
    size = jnp.where(has, groups.labels / jnp.where(groups.norm > 0, groups.norm, 1.0), 1.0)
    growth = 0.5 * jnp.log(0.5 * size) - jnp.where(has, groups.log_amplitude, 0.0)
    rho = last.rate[None, :] / jnp.where(groups.rate > 0, groups.rate, 1.0)[:, None]
    other = regime.belongs(case, last) & ~regime.full(case, last)
    grown = jnp.where(other, last.log_amplitude[None, :], -jnp.inf) + rho * growth[:, None]
    return jnp.max(jnp.where(has, jnp.sum(jnp.exp(2 * grown), axis=1) / size, 0.0))


@jax.jit
def _share_of_others(case: Reduced) -> Array:
    last = final_pattern(regime.early(case))
    return competitor_share(case, last, _groups(case, last))


def _competition_strain(setting: Setting) -> float:
    return float(_share_of_others(regime.reduced(setting.data, setting.start)))


class AlignedGroup(Limit[ShallowReLU]):
    """Growth of the group of full units of each sign, as one aligned balanced unit.

    c^2 = sum of c_j^2 over the units that see all points of sign s when the early phase is over. With equal norms xi,
    Y = sqrt(sum y^2), r = xi a |u|:
        r = Y / (1 + (Y/(xi c^2) - 1) exp(-2 xi Y t/n)),   L_s = (Y - r)^2/(2n),   t_q = n/(2 xi Y) ln(Y/(xi c^2) - 1);
    with unequal norms a' = u.g, u' = a g from (a, u) = c (1, D/|D|), integrated. The groups of both signs do not
    interact. Other units of the same sign, whose rate is rho |D_s| at most, take part by `competitor_share`, of the
    order of init_scale^(2 (1 - rho)): the declared error, relative; strain 1 where it reaches the group itself.
    Shapes: a (m,), u (m, n). Clock: the rule's own. Conditions on the start. NaN for a sign without a full unit.
    It fails where no unit is full (of n_s points seen by half of the units each: beyond n_s ~ log2 of the width).
    Source: Boursier et al. 2022, theorem 1 and the phases of its proof.
    """

    tolerance: float = scalar("relative tolerance of the integrator", default=1e-11, above=0.0, below=0.1, log=True)

    of: ClassVar[tuple[type[Problem], ...]] = (OrthogonalReLU, UserInputsReLU)
    source: ClassVar[tuple[Source, ...]] = (Source("Boursier2022", "theorem 1 and section 4"),)
    conditions_on: ClassVar[tuple[str, ...]] = ("start",)
    speaks_of: ClassVar[tuple[str, ...]] = (
        "train_loss",
        "half_squared_norm",
        "quarter_time_positive",
        "quarter_time_negative",
        "full_units",
        "group_amplitude",
        "competitor_share",
    )
    own: ClassVar[tuple[Variable, ...]] = (
        Variable("full_units", "number of units that see all points of their sign", dims=(SIGN,)),
        Variable("group_amplitude", "c of the group of full units", dims=(SIGN,)),
        Variable("competitor_share", "output of the other units over that of the group, when it stands at half"),
    )
    shapes: ClassVar[tuple[str, ...]] = ("width", "bias")
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        regime.FLOW,
        regime.ORTHOGONAL,
        regime.FULL_UNITS,
        Assumption(
            "weak competitors",
            "1 means that the units that miss a point put out as much as it.",
            _competition_strain,
            # one weak point of four: units that miss it are nearly as fast as those that do not
            broken_by=lambda problem: OrthogonalReLU(labels=(1.0, 0.2, 1.0, -1.0), init_scale=0.1),
        ),
    )

    def predict(self, problem: ShallowReLU, data: Any, start: Any, times: Array) -> dict[str, Array]:
        flow = regime.flow_clock(problem, jnp.asarray(times))
        data = regime.sample(problem, data)
        case = regime.reduced(data, start)
        last = final_pattern(regime.early(case))
        groups = _groups(case, last)
        losses, norms, quarter = jax.lax.cond(
            jnp.all(groups.equal | ~jnp.isfinite(groups.log_amplitude)),
            lambda: _logistic(case, groups, flow),
            lambda: _integrated(case, groups, flow, self.tolerance),
        )
        quarter = regime.rule_clock(problem, quarter)
        return {
            "train_loss": jnp.sum(losses, axis=1),
            "half_squared_norm": jnp.sum(norms, axis=1),
            "quarter_time_positive": quarter[0],
            "quarter_time_negative": quarter[1],
            "full_units": jnp.sum(1.0 * regime.full(case, last), axis=1),
            "group_amplitude": jnp.exp(groups.log_amplitude),
            "competitor_share": competitor_share(case, last, groups),
        }

    def finite_size(self, problem: ShallowReLU) -> Mapping[str, FiniteSize]:
        names = ("train_loss", "half_squared_norm", "quarter_time_positive", "quarter_time_negative")
        order = float(np.min(scale_exponents(problem)))
        slow = regime.step_delay(problem)
        # the start itself, init_scale^2 on every weight, is not the group's: it matters at time zero alone
        begin = problem.init_scale**2 * problem.width * (1 + problem.balance**2) * len(regime.points(problem).labels)
        curve = FiniteSize(1.0, order, True, "competitor_share", 1.0, regime.curve_lag(problem) + begin)
        time = FiniteSize(1.0, order, True, "competitor_share", 1.0, slow + begin)
        return {name: time if "time" in name else curve for name in names}


def _logistic(case: Reduced, groups: _Groups, flow: Array) -> tuple[Array, Array, Array]:
    """L_s and half norm (t, 2) and quarter times (2,) where norms are equal within a group."""
    n, has = case.labels.shape[0], jnp.isfinite(groups.log_amplitude)
    norm, top = jnp.where(groups.norm > 0, groups.norm, 1.0), groups.labels
    # log of Y/(xi c^2); the group stands at Y/(1 + exp(log - 2 |D| t) - exp(-2 |D| t))
    log = jnp.log(jnp.where(has, top / norm, 1.0)) - 2 * jnp.where(has, groups.log_amplitude, 0.0)
    age = 2 * groups.rate[None, :] * flow[:, None]
    size = top[None, :] / (1 + jnp.exp(log[None, :] - age) - jnp.exp(-age))
    size = jnp.where(has[None, :], size, 0.0)
    quarter = (log + jnp.log1p(-jnp.exp(jnp.minimum(-log, 0.0)))) / (2 * jnp.where(has, groups.rate, 1.0))
    loss = (top[None, :] - size) ** 2 / (2 * n)
    return loss, size / norm[None, :], jnp.where(has & (log > 0), quarter, jnp.nan)


def _integrated(case: Reduced, groups: _Groups, flow: Array, tolerance: Any) -> tuple[Array, Array, Array]:
    """The same for any norms: one unit a group."""
    amplitude = jnp.exp(groups.log_amplitude)
    sign = jnp.array([1.0, -1.0])
    rate = jnp.where(groups.rate > 0, groups.rate, 1.0)
    direction = jnp.where(groups.points, case.drive[None, :], 0.0) / rate[:, None]
    # u stands along s D: both outputs a u and the slopes of a have the sign s
    state = jnp.concatenate([jnp.ones_like(sign)[:, None], direction], axis=1) * (sign * amplitude)[:, None]
    field = Field(case.norms, case.labels)

    def observe(units: Units) -> tuple[Array, Array]:
        return regime.side_losses(case, field.outputs(units)), 0.5 * jnp.sum(units.state**2, axis=1)

    def watch(units: Units) -> Array:
        return regime.quarter_watch(case, field.outputs(units))

    # a little before 0, so that the start itself is observed
    begin = -1e-12 * jnp.max(flow)
    run = gated_flow(field, Units(state, groups.points), begin, flow, tolerance, observe, watch, closes=False)
    losses, norms = run.observed
    return losses, norms, run.roots


def scale_exponents(problem: ShallowReLU) -> np.ndarray:
    """2 (1 - rho_s) (2,): orders in the scale if a unit misses the weakest point of its sign; 2 for a single point."""
    strength = problem.strengths() ** 2
    labels = np.asarray(regime.points(problem).labels)
    found = []
    for side in (strength[labels > 0], strength[labels < 0]):
        found.append(2.0 if side.size < 2 else 2 * (1 - float(np.sqrt(1 - side.min() / side.sum()))))
    return np.asarray(found)


def gap_lag(problem: ShallowReLU) -> float:
    """Relative change of the norm gap, ~ scale^(2 (1 - rho)), by descent: growth rates |D| fall by eta |D|^2/2.

    2 rho (1 - rho) ln(1/scale) times the delay, and twice that for the rates that are not the weakest competitor's.
    """
    power = float(np.max(scale_exponents(problem))) / 2
    return 4 * regime.step_delay(problem) * power * max(1.0, -float(np.log(problem.init_scale)))


def _offset(problem: ShallowReLU, side: int) -> float:
    """O(1) offset of the leading law: ln(Y/xi)/2 from the end of growth, ln(m)/2 if all units pull, over |D_s|."""
    labels = np.asarray(regime.points(problem).labels)
    chosen = labels > 0 if side == 0 else labels < 0
    if not np.any(chosen):
        return 0.0
    top = float(np.sqrt(np.sum(labels[chosen] ** 2)))
    rate = float(np.sqrt(np.sum(problem.strengths()[chosen] ** 2)))
    share = abs(float(np.log(top**2 / rate))) + float(np.log(problem.width))
    per_step = float(problem.rule.flow_time(problem, np.ones(1))[0])
    return 0.5 * share * labels.size / rate / per_step


class GrowthLaw(Asymptote[ShallowReLU]):
    """The leading law of times: quarter time of sign s ~ ln(1/c_s) / |D_s|, c_s^2 = sum of c_j^2 over full units.

    A limit: the ratio of the two sides tends to 1 as the scale falls, their difference stays O(1). The declared offset
    is (|ln(Y_s/xi_s)| + ln m) / (2 |D_s|): the end of growth, and at most all m units pulling instead of the full ones.
    Clock: the rule's own. Conditions on the start. NaN for a sign without a full unit.
    Source: Boursier et al. 2022, theorem 1 (order of the phases); offset derived for this library.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (OrthogonalReLU, UserInputsReLU)
    source: ClassVar[tuple[Source, ...]] = (Source("Boursier2022", "theorem 1 and section 4"),)
    conditions_on: ClassVar[tuple[str, ...]] = ("start",)
    speaks_of: ClassVar[tuple[str, ...]] = ("quarter_time_positive", "quarter_time_negative")
    claims: ClassVar[Mapping[str, Claim]] = {
        "quarter_time_positive": Claim("limit", approach=lambda setting: _offset(setting.problem, 0)),
        "quarter_time_negative": Claim("limit", approach=lambda setting: _offset(setting.problem, 1)),
    }
    shapes: ClassVar[tuple[str, ...]] = ("width", "bias")
    assumptions: ClassVar[tuple[Assumption, ...]] = (regime.FLOW, regime.ORTHOGONAL, regime.FULL_UNITS)

    def predict(self, problem: ShallowReLU, data: Any, start: Any, times: Array) -> dict[str, Array]:
        data = regime.sample(problem, data)
        case = regime.reduced(data, start)
        groups = _groups(case, final_pattern(regime.early(case)))
        has = jnp.isfinite(groups.log_amplitude)
        when = -jnp.where(has, groups.log_amplitude, 0.0) / jnp.where(groups.rate > 0, groups.rate, 1.0)
        when = regime.rule_clock(problem, jnp.where(has & (when > 0), when, jnp.nan))
        return {"quarter_time_positive": when[0], "quarter_time_negative": when[1]}
