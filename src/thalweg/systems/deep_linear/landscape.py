"""Two or more layers with weight decay: all critical points, what they are, and how steep the way to them is."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from ...words.fields import varied, vary
from ...words.problem import Axis, Problem
from ...words.theory import Assumption, Asymptote, Claim, Setting, Source, Variable
from . import regime
from .critical import Branches, branches_of, critical_layers, degenerate_value, global_value
from .problem import LATE, DeepLinear
from .readings import MODE

ROOT = Axis("root", ("zero", "lower", "upper"), "root of the equation of a mode")
COUNT = Axis("count", words="number of modes that are kept")
# largest number of parameters whose curvatures are computed
MOST_PARAMETERS = 1000
# strain 1 of "not degenerate": a singular value within one percent of the threshold
NEAR = 0.01

DECAY = Assumption(
    "positive decay",
    "Weight decay must be positive in every layer, and there must be two layers or more, with every entry free.",
    lambda setting: (
        0.0
        if np.all(regime.decays_of(setting.problem) > 0)
        and regime.depth_of(setting.problem) > 1
        and not setting.problem.circulant
        else math.inf
    ),
    broken_by=varied(weight_decay=0.0),
)


def _degeneracy_strain(setting: Setting) -> float:
    decays = regime.decays_of(setting.problem)
    edge = float(degenerate_value(len(decays), float(np.prod(decays))))
    values = np.linalg.svd(np.asarray(setting.data.correlation()), compute_uv=False)
    nearest = float(np.min(np.abs(values / edge - 1)))
    return NEAR / max(nearest, 1e-12)


NOT_DEGENERATE = Assumption(
    "not degenerate",
    "No singular value of the target may equal degenerate_threshold (strain 1: within 1 %): there the error bound "
    "fails and descent converges like 1/steps.",
    _degeneracy_strain,
    broken_by=varied(target=(0.1, 0.5), weight_decay=0.1),
)


class RegularisedLandscape(Asymptote[DeepLinear]):
    """All critical points of a deep linear network with weight decay, their kind, and the error bound near the best.

    objective = (1/2)|W - Z|_F^2 + (1/2) sum_l lambda_l |W_l|_F^2, L layers, Lam = prod lambda_l. At a critical point
    lambda_{l+1} W_{l+1}'W_{l+1} = lambda_l W_l W_l', aligned with Z; each singular value y of Z has s = 0 or a root of
        s^(2L-2) - sqrt(Lam) y s^(L-2) + Lam = 0   (one for L = 2; zero or two, lower and upper, for L >= 3),
    layer values s/sqrt(lambda_l), product p = s^L/sqrt(Lam), objective per mode (1/2)[(p - y)^2 + L s^2]; at most
    min(widths) modes are not zero. L = 2: p = (y - sqrt(Lam))_+, and all else is a strict saddle. L >= 3: local minima
    are the points whose non-zero modes are the k largest y, each on its upper root, k = 0, 1, ...; 0 is always one.
    Own: `branch_products` (mode, root: zero, lower, upper; NaN where absent), `branch_labels` (1: may stand in a local
    minimum, 0: makes a saddle), `minimum_objectives` (k), `global_objective`, `global_products`,
    `degenerate_threshold` y* (double root), `global_threshold` (L >= 3: above it the upper root beats 0), and
    `error_bound_constant`: distance to the critical set <= constant times the norm of the gradient near the global
    minimum, one over its least curvature across the orbit of equal networks; unbounded at y* (NaN beyond 1000
    parameters). For L = 2 singular_values and train_loss are the limit of every descent; for L >= 3 the limit depends
    on the start (NaN). Clock: none. Conditions on the draw. Fails without decay and for inputs that are not white.
    Source: Chen, Jiang & Wang 2025 (their loss has no 1/2: theirs is twice the objective, theirs lambda_l the same).
    """

    of: ClassVar[tuple[type[Problem], ...]] = (DeepLinear,)
    source: ClassVar[tuple[Source, ...]] = (Source("ChenJiangWang2025"),)
    conditions_on: ClassVar[tuple[str, ...]] = ("draw",)
    own: ClassVar[tuple[Variable, ...]] = (
        Variable("branch_products", "product of each mode at its roots: zero, lower, upper", dims=(MODE, ROOT)),
        Variable("branch_labels", "1: may stand in a local minimum, 0: makes a saddle", dims=(MODE, ROOT)),
        Variable("minimum_objectives", "objective with the k largest modes on their upper roots", dims=(COUNT,)),
        Variable("global_objective", "least objective"),
        Variable("global_products", "modes of the global minimum", dims=(MODE,)),
        Variable("degenerate_threshold", "singular value at which two critical points meet"),
        Variable("global_threshold", "singular value from which the upper root is the global minimum"),
        Variable("error_bound_constant", "distance to the critical set over the gradient norm, near the minimum"),
    )
    speaks_of: ClassVar[tuple[str, ...]] = (
        "train_loss", "singular_values", "branch_products", "branch_labels", "minimum_objectives", "global_objective",
        "global_products", "degenerate_threshold", "global_threshold", "error_bound_constant",
    )  # fmt: skip
    claims: ClassVar[Mapping[str, Claim]] = {
        name: Claim("limit", approach=lambda setting: math.exp(-LATE), time=False)
        for name in ("train_loss", "singular_values")
    }
    assumptions: ClassVar[tuple[Assumption, ...]] = (DECAY, regime.WHITE, NOT_DEGENERATE)

    @classmethod
    def example(cls) -> DeepLinear:
        return vary(super().example(), {"weight_decay": (0.1, 0.2)})

    def predict(self, problem: DeepLinear, data: Any, start: Any, times: Array) -> dict[str, Array]:
        found = branches_of(problem, data)
        ends = jnp.where(found.chosen, found.products[:, 2], 0.0)
        only = 0.0 if found.depth == 2 else jnp.nan
        gains = jnp.where(jnp.isfinite(found.gains), found.gains, jnp.nan)
        return {
            "train_loss": 0.5 * jnp.sum((ends - found.targets) ** 2) + data.floor + only,
            "singular_values": -jnp.sort(-ends) + only,
            "branch_products": found.products,
            "branch_labels": found.labels(),
            "minimum_objectives": found.nothing + data.floor - _minima(found, gains),
            "global_objective": found.nothing + data.floor - jnp.sum(jnp.where(found.chosen, found.gains, 0.0)),
            "global_products": ends,
            "degenerate_threshold": degenerate_value(found.depth, found.strength),
            "global_threshold": global_value(found.depth, found.strength),
            "error_bound_constant": error_bound_constant(problem, data, found),
        }


def _minima(found: Branches, gains: Float[Array, " k"]) -> Float[Array, " counts"]:
    """What the k largest modes gain on their upper roots, k = 0..; NaN where that is no local minimum."""
    several = jnp.cumsum(jnp.where(jnp.arange(gains.shape[0]) < found.room, gains, jnp.nan))
    every = jnp.concatenate([jnp.zeros(1), several])
    if found.depth > 2:
        return every
    # two layers: the soft threshold alone
    count = jnp.sum(found.chosen)
    return jnp.where(jnp.arange(every.shape[0]) == count, every, jnp.nan)


def error_bound_constant(problem: DeepLinear, data: Any, found: Branches) -> Float[Array, ""]:
    """One over the least curvature at the global minimum across the orbit of networks that are equal to it."""
    layers = critical_layers(problem, data, jnp.where(found.chosen, 2, 0))
    flat, unravel = ravel_pytree(layers)
    if flat.shape[0] > MOST_PARAMETERS:
        return jnp.asarray(jnp.nan)
    curvatures = jnp.linalg.eigvalsh(jax.hessian(lambda w: problem.objective(unravel(w), data))(flat))
    return 1 / jnp.sort(jnp.abs(curvatures))[_orbit(problem, jnp.sum(found.chosen))]


def _orbit(problem: DeepLinear, active: Any) -> Any:
    """Dimension of the orbit: the frames of the active modes in every hidden layer."""
    return sum(active * d - active * (active + 1) // 2 for d in problem.widths[1:-1])


def error_bound(
    problem: DeepLinear, data: Any, branches: Any, distances: Float[Any, " n"]
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Gradient norms at given distances from a critical point, along its flattest direction across the orbit.

    `branches` (k,) names the root of each mode: 0 zero, 1 lower, 2 upper. Returns (gradient norms, distance over
    gradient norm): the second tends to the local constant of the error bound, or grows without end where it fails.
    Float64 under jax.enable_x64(). Source: Chen, Jiang & Wang 2025, measured instead of bounded.
    """
    branches = np.asarray(branches)
    layers = critical_layers(problem, data, jnp.asarray(branches))
    flat, unravel = ravel_pytree(layers)
    slope = jax.grad(lambda w: problem.objective(unravel(w), data))
    curvatures, vectors = np.linalg.eigh(np.asarray(jax.jacfwd(slope)(flat)))
    order = np.argsort(np.abs(curvatures))
    flattest = vectors[:, order[int(_orbit(problem, int(np.sum(branches > 0))))]]
    norms = jax.vmap(lambda r: jnp.sqrt(jnp.sum(slope(flat + r * flattest) ** 2)))(jnp.asarray(distances))
    return norms, jnp.asarray(distances) / norms
