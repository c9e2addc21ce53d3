"""Balanced starts of rank one, at any depth and width: an exact flow of two numbers."""

from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...words.fields import scalar, vary
from ...words.problem import Problem
from ...words.theory import Assumption, Exact, Setting, Source, Variable
from . import regime
from .layers import Layers, product
from .problem import DeepLinear
from .readings import MODE
from .starts import BalancedLayers
from .trajectories import CURVES, EVENTS, integrated

# overlaps of the start below this are rounding: the direction is not there
ABSENT = 1e-12


def _rank_one_strain(setting: Setting) -> float:
    layers = regime.layers_of(setting)
    if len(layers) < 2:
        return np.inf
    values = [np.linalg.svd(layer, compute_uv=False) for layer in layers]
    second = max((value[1] / value[0] for value in values if len(value) > 1 and value[0] > 0), default=0.0)
    nothing = any(value[0] == 0 for value in values)
    return np.inf if nothing else float(second) / regime.EXACT


RANK_ONE = Assumption(
    "rank-one start",
    "There must be two layers or more, each of rank one at the start (strain 1: second singular value 1e-9 of the "
    "first); BalancedLayers(rank=1) is such a start.",
    _rank_one_strain,
    broken_by=lambda problem: vary(problem, {"start": BalancedLayers()}),
)


class Turning(NamedTuple):
    """Start and target in the target's singular vectors: s0, s_k (k,), overlaps u_k.u0, v_k.v0 (k,), the part of u0
    (o,) and of v0 (d,) outside, and the vectors u_k (o, k), v_k (d, k)."""

    size: Float[Array, ""]
    targets: Float[Array, " k"]
    left: Float[Array, " k"]
    right: Float[Array, " k"]
    left_rest: Float[Array, " o"]
    right_rest: Float[Array, " d"]
    outputs: Float[Array, "o k"]
    inputs: Float[Array, "d k"]

    def growing(self) -> Float[Array, " k"]:
        """Parts that grow like e^{s_k tau}; their zeros say where the flow cannot go."""
        return _cleaned(0.5 * (self.left + self.right))

    def falling(self) -> Float[Array, " k"]:
        """Parts that fall like e^{-s_k tau}."""
        return _cleaned(0.5 * (self.left - self.right))

    def direction(self, tau: Float[Array, ""]) -> tuple[Array, Array, Array]:
        """u, v (unit vectors) at internal time tau, and g = u'Zv = d log R/d tau."""
        grow, fall = self.growing(), self.falling()
        outside = jnp.sqrt(0.5 * (jnp.sum(self.left_rest**2) + jnp.sum(self.right_rest**2)))
        present = jnp.concatenate([grow, fall, outside[None]]) != 0
        rates = jnp.concatenate([self.targets, -self.targets, jnp.zeros(1)])
        fastest = jnp.max(jnp.where(present, rates, -jnp.inf))
        up, down = (jnp.exp((sign * self.targets - fastest) * tau) for sign in (1.0, -1.0))
        # parts that are not there may have rates above the fastest: their exponentials are never used
        up, down = jnp.where(grow != 0, up, 0.0) * grow, jnp.where(fall != 0, down, 0.0) * fall
        rest = jnp.exp(-fastest * tau)
        rest = jnp.where(outside > 0, rest, 0.0)
        total = jnp.sum(up**2) + jnp.sum(down**2) + (rest * outside) ** 2
        slope = jnp.sum(self.targets * (up**2 - down**2)) / total
        norm = jnp.sqrt(total)
        u = (self.outputs @ (up + down) + rest * self.left_rest) / norm
        v = (self.inputs @ (up - down) + rest * self.right_rest) / norm
        return u, v, slope


def _ends(case: "Turning", depth: int, floor: Array) -> dict[str, Array]:
    """Basin, limit, late rate and plateau: what the overlaps of the start decide."""
    parts, targets = case.growing(), case.targets
    reached = (parts != 0) & (targets > ABSENT * jnp.max(targets))
    some, first = jnp.any(reached), jnp.argmax(reached)
    top = targets[first]
    # equal targets are one mode
    later = reached & (targets < top * (1 - 1e-9))
    second = jnp.argmax(later)
    below = jnp.where(jnp.any(later), targets[second], 0.0)
    gap = top - below
    rate = jnp.minimum(depth * top ** (2 - 2 / depth), top ** (1 - 2 / depth) * gap)
    both = some & jnp.any(later)
    ratio = jnp.where(both, jnp.abs(parts[second]) / jnp.where(both, jnp.abs(parts[first]), 1.0), 1.0)
    pace = jnp.where(both, gap * jnp.where(both, below, 1.0) ** (1 - 2 / depth), 1.0)
    return {
        "basin_overlaps": case.left + case.right,
        "limit_loss": 0.5 * jnp.sum(targets**2) - jnp.where(some, 0.5 * top**2, 0.0) + floor,
        "approach_rate": jnp.where(some, rate, 0.0),
        "plateau_length": jnp.maximum(jnp.log(ratio), 0.0) / pace,
    }


def _cleaned(part: Array) -> Array:
    return jnp.where(jnp.abs(part) > ABSENT, part, 0.0)


def turning(target: Float[Any, "o d"], whole: Float[Any, "o d"]) -> Turning:
    """The reduction of a start W(0) = s0 u0 v0' of rank one."""
    outputs, targets, inputs = jnp.linalg.svd(target, full_matrices=False)
    # the longest row and column of W(0): exact for rank one, and smooth
    row = whole[jnp.argmax(jnp.sum(whole**2, axis=1))]
    v0 = row / jnp.sqrt(jnp.sum(row**2))
    column = whole @ v0
    size = jnp.sqrt(jnp.sum(column**2))
    u0 = column / size
    left, right = outputs.T @ u0, inputs @ v0
    rests = _cleaned(u0 - outputs @ left), _cleaned(v0 - inputs.T @ right)
    return Turning(size, targets, left, right, *rests, outputs, inputs.T)


class RankOneFlow(Exact[DeepLinear]):
    """Exact flow from a balanced start of rank one, W(0) = s0 u0 v0', at any depth N >= 2 and any widths.

    With M = [[0, Z], [Z', 0]], x0 = (u0, v0)/sqrt 2, internal time d tau = s^(1 - 2/N) dt and R = |e^{M tau} x0|:
        (u, v)/sqrt 2 = e^{M tau} x0 / R,   d ln s/d tau = N (g - s),   g = d ln R/d tau = u'Zv;
    what is integrated are the numbers tau and ln s alone, in which no saddle is unstable. Basin: with
    c_k = u_k.u0 + v_k.v0 the limit is s_k u_k v_k' for the first k with c_k != 0 and s_k > 0, else 0 (for N >= 3 a
    saddle without curvature, reached like a power of time). Overlaps below 1e-12 count as zero. Late rate of |W - Z_1|:
    s_1^(1-2/N) (s_1 - s_2); a small c_1 costs ln(1/|c_1|)/((s_1 - s_2) s_2^(1-2/N)) of plateau at s_2.
    Events: half_time, escape_time, late_rate. Own: `basin_overlaps` c_k (basis dependent where s_k repeat),
    `limit_loss`, `approach_rate` (that late rate; 0 for the saddle), `plateau_length` (that time, for the two first
    modes that the start has, 0 where there is no plateau). Clock: flow time. Conditions on draw and start. `tolerance`
    is that of the integrator. Fails for other ranks, inputs that are not white, and steps.
    Source: derived here (in internal time the flow is linear before it is normalised); the setting: Eftekhari 2020.
    """

    tolerance: float = scalar("relative tolerance of the integrator", default=1e-12, above=0.0, below=0.1, log=True)

    of: ClassVar[tuple[type[Problem], ...]] = (DeepLinear,)
    source: ClassVar[tuple[Source, ...]] = (Source("Eftekhari2020"),)
    conditions_on: ClassVar[tuple[str, ...]] = ("start", "draw")
    own: ClassVar[tuple[Variable, ...]] = (
        Variable("basin_overlaps", "u_k.u0 + v_k.v0: the first that is not 0 names the limit", dims=(MODE,)),
        Variable("limit_loss", "loss at which the flow ends"),
        Variable("approach_rate", "rate at which W goes to its end, at late times", "1/clock"),
        Variable("plateau_length", "time at the second mode before the first takes over", "clock"),
    )
    speaks_of: ClassVar[tuple[str, ...]] = (
        *CURVES, *EVENTS, "basin_overlaps", "limit_loss", "approach_rate", "plateau_length",
    )  # fmt: skip
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        regime.FLOW, regime.FREE_LAYERS, regime.NO_DECAY, regime.WHITE, regime.BALANCED, RANK_ONE,
    )  # fmt: skip

    @classmethod
    def example(cls) -> DeepLinear:
        return vary(super().example(), {"start": BalancedLayers(rank=1)})

    def predict(self, problem: DeepLinear, data: Any, start: Any, times: Array) -> dict[str, Array]:
        depth = len(start)
        case = turning(data.correlation(), product([jnp.asarray(layer) for layer in start]))

        def velocity(state: tuple[Array, Array]) -> tuple[Array, Array]:
            tau, log = state
            pace = jnp.exp((1 - 2 / depth) * log)
            return pace, depth * pace * (case.direction(tau)[2] - jnp.exp(log))

        def layers(state: tuple[Array, Array]) -> Layers:
            u, v, _ = case.direction(state[0])
            each = jnp.exp(state[1] / depth)
            middle = tuple(each[None, None] for _ in range(depth - 2))
            return ((each * v)[None, :], *middle, (each * u)[:, None])

        begin = jnp.zeros(()), jnp.log(case.size)
        told = integrated(problem, data, velocity, begin, layers, jnp.asarray(times), self.tolerance, 1.0)
        return {**told, **_ends(case, depth, data.floor)}
