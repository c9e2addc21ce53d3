"""The limit of small scale for any width: jumps from saddle to saddle."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...mathematics.gated_growth import final_pattern
from ...words.fields import varied
from ...words.problem import Problem
from ...words.theory import Assumption, Asymptote, Claim, FiniteSize, Setting, Source, Variable
from . import regime
from .problem import OrthogonalReLU
from .readings import PLATEAU
from .regime import Reduced
from .relu_network import SAMPLE, ShallowReLU
from .user_inputs import UserInputsReLU


def _left_out(problem: Any) -> float:
    """Logs of growth that the clock leaves out: ln(m)/2 for the number of units that pull, and one of order one."""
    return 0.5 * float(np.log(problem.width)) + 1.0


def _tie_strain(setting: Setting) -> float:
    problem = setting.problem
    jumps = _jumps(regime.reduced(setting.data, setting.start))
    # growth from one jump to the next, in logs, against those that the clock leaves out
    when, rate = np.asarray(jumps.time), np.asarray(jumps.rate)
    waits = np.diff(np.concatenate([[0.0], when[np.isfinite(when)]])) * rate[np.isfinite(when)]
    logs = -float(np.log(problem.init_scale)) * float(np.min(waits, initial=1.0))
    return min(_left_out(problem) / logs, 1e300) if logs > 0 else 1e300


def _relative(problem: Any) -> float:
    """1/ln(1/scale): how far from the limit a number of order one may be."""
    return 1.0 / max(-float(np.log(problem.init_scale)), 1.0)


def _loss_approach(setting: Setting) -> float:
    labels = np.asarray(regime.points(setting.problem).labels)
    return _relative(setting.problem) * float(np.mean(labels**2)) / 2


def _norm_approach(setting: Setting) -> float:
    found = regime.points(setting.problem)
    return _relative(setting.problem) * float(np.sum(np.abs(np.asarray(found.labels)) / np.asarray(found.norms)))


# growth from one jump to the next, in units of the logs left out, from which on a plateau stands out in the flow:
# measured (unseen at 0.96 to 1.57, seen from 1.79 on; widths 6 and 64, scales 1e-4 to 1e-12), uncertain within NEAR
VISIBLE = 1.65
NEAR = 1.08


class SaddleToSaddle(Asymptote[ShallowReLU]):
    """Jumps from saddle to saddle: the limit of small scale at any width, whether the network can interpolate or not.

    Clock s = t / ln(1/init_scale). A_j: the points of its own sign that unit j sees after the early phase; all start at
    log amplitude l_j = -1; covered set C empty. Until the next jump l_j grows at the rate
        (1/n) sqrt(sum_{A_j without C} xi^2 y^2);
    the first unit that reaches 0 fits its new points: the loss falls by sum_new y^2/(2n), half the squared norm rises
    by sqrt(sum_new y^2/xi^2), and they join C. It ends when all rates are 0; points that no unit of their sign sees are
    never fitted, and the last loss is theirs.
    `plateau_loss` (plateau) is the loss after each jump, so that the last level is the final loss. Own variables:
    `jump_time` (plateau), the time of that jump in units of ln(1/init_scale) of flow time, `never_fitted` (sample).
    Both are padded with NaN. Jumps that follow one another within 1.65 (ln(m)/2 + 1) logs of growth, between which the
    flow shows no plateau, are listed as the last of them; near that edge (`near_tie` is 1) a level may be seen or not,
    those after it then stand in another place, and the declared error is that of the whole list.
    A limit: times are off by O(1) in flow time, O(1/ln(1/init_scale)) of themselves; norms and losses by the same share
    where jumps nearly tie. Conditions on the start. Clock: the rule's own.
    Source: Boursier et al. 2022; jump process as a limit, arXiv 2605.27097; the greedy rule is derived
    here, from the growth of each unit between two jumps.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (OrthogonalReLU, UserInputsReLU)
    source: ClassVar[tuple[Source, ...]] = (Source("Boursier2022", "theorem 1 and section 4"),)
    conditions_on: ClassVar[tuple[str, ...]] = ("start",)
    speaks_of: ClassVar[tuple[str, ...]] = (
        "train_loss",
        "final_half_squared_norm",
        "jump_time",
        "plateau_loss",
        "never_fitted",
        "near_tie",
    )
    claims: ClassVar[Mapping[str, Claim]] = {
        "train_loss": Claim("limit", approach=_loss_approach),
        "final_half_squared_norm": Claim("limit", approach=_norm_approach),
        "jump_time": Claim("limit"),
        "plateau_loss": Claim("limit", approach=_loss_approach),
    }
    own: ClassVar[tuple[Variable, ...]] = (
        Variable("jump_time", "times of the jumps in flow time", "ln(1/scale)", (PLATEAU,)),
        Variable("never_fitted", "1 for points that are never fitted", dims=(SAMPLE,)),
        Variable("near_tie", "1 where it is uncertain at this scale whether two jumps are seen as one"),
    )
    shapes: ClassVar[tuple[str, ...]] = ("width", "bias")
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        regime.FLOW,
        regime.ORTHOGONAL,
        Assumption(
            "separate jumps",
            "1 means that a unit grows no more from one jump to the next than the logarithms left out: ln(m)/2 + 1.",
            _tie_strain,
            broken_by=varied(init_scale=0.5),
        ),
    )

    def predict(self, problem: ShallowReLU, data: Any, start: Any, times: Array) -> dict[str, Array]:
        data = regime.sample(problem, data)
        case = regime.reduced(data, start)
        jumps = jump_process(case)
        log = -jnp.log(problem.init_scale)
        passed = jumps.time[None, :] * log <= regime.flow_clock(problem, jnp.asarray(times))[:, None]
        logs = _growth_between(jumps) * log / _left_out(problem)
        listed = _listing(jumps, logs)
        return {
            "train_loss": jumps.loss[jnp.sum(passed, axis=1)],
            "final_half_squared_norm": jumps.norm,
            "jump_time": listed(jumps.time),
            "plateau_loss": listed(jumps.loss[1:]),
            "never_fitted": 1.0 * jumps.never,
            "near_tie": 1.0 * jnp.any((logs < VISIBLE * NEAR) & (logs > VISIBLE / NEAR)),
        }

    def finite_size(self, problem: ShallowReLU) -> Mapping[str, FiniteSize]:
        whole = float(np.mean(np.asarray(regime.points(problem).labels) ** 2)) / 2
        return {"plateau_loss": FiniteSize(whole, 0.0, per="near_tie")}


class Jumps(NamedTuple):
    """Jump times (n,), growth rates then (n,), losses before the first and after each (n + 1,), all NaN-padded; final
    half norm; points never fitted (n,)."""

    time: Float[Array, " n"]
    rate: Float[Array, " n"]
    loss: Float[Array, " levels"]
    norm: Float[Array, ""]
    never: Array


def _growth_between(jumps: Jumps) -> Float[Array, " n"]:
    """Growth from each jump to the next, in units of ln(1/scale); NaN after the last."""
    return (jnp.append(jumps.time[1:], jnp.nan) - jumps.time) * jnp.append(jumps.rate[1:], jnp.nan)


def _listing(jumps: Jumps, logs: Array) -> Any:
    """Keeps, in front, the jumps that are followed by a plateau: enough growth until the next, or no next."""
    kept = jnp.isfinite(jumps.time) & ~(logs < VISIBLE)
    order = jnp.argsort(~kept, stable=True)
    return lambda values: jnp.where(kept, values, jnp.nan)[order]


def jump_process(case: Reduced) -> Jumps:
    """The greedy jump process from the final patterns of the early phase."""
    n = case.labels.shape[0]
    last = final_pattern(regime.early(case))
    own = regime.sides(case.labels)[:, None, :] & regime.belongs(case, last)[:, :, None] & last.pattern[None, :, :]
    seen = jnp.any(own, axis=0)
    square = case.drive**2

    def jump(state: tuple[Array, ...], _: None) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        clock, log, covered, loss, norm = state
        left = seen & ~covered[None, :]
        rate = jnp.sqrt(jnp.sum(jnp.where(left, square[None, :], 0.0), axis=1))
        wait = jnp.where(rate > 0, -log / jnp.where(rate > 0, rate, 1.0), jnp.inf)
        first = jnp.argmin(wait)
        some = jnp.isfinite(wait[first])
        delay = jnp.where(some, wait[first], 0.0)
        new = left[first] & some
        loss = loss - jnp.sum(jnp.where(new, case.labels**2, 0.0)) / (2 * n)
        gain = jnp.sum(jnp.where(new, (case.labels / case.norms) ** 2, 0.0))
        norm = norm + jnp.where(some, jnp.sqrt(jnp.where(some, gain, 1.0)), 0.0)
        after = (clock + delay, jnp.minimum(log + rate * delay, 0.0), covered | new, loss, norm)
        return after, tuple(jnp.where(some, part, jnp.nan) for part in (clock + delay, rate[first], loss))

    begin = jnp.sum(case.labels**2) / (2 * n)
    first = (jnp.zeros(()), jnp.full(case.level.shape, -1.0), jnp.zeros(n, bool), begin, jnp.zeros(()))
    (_, _, covered, _, norm), (when, rates, losses) = jax.lax.scan(jump, first, None, length=n)
    # rounding must not leave a negative loss behind
    losses = jnp.where(losses < 1e-15 * begin, 0.0, losses)
    return Jumps(when, rates, jnp.concatenate([begin[None], losses]), norm, ~covered)


_jumps = jax.jit(jump_process)
