"""A rate for two layers on any data, from the imbalance and the margin of the start."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...words.fields import varied
from ...words.problem import Problem
from ...words.theory import Assumption, Certificate, Claim, Setting, Source, Variable
from . import regime
from .problem import DeepLinear


class Rate(NamedTuple):
    """What the certificate knows: least variance of an input that matters, its margin beta, c with and without it."""

    variance: Float[Any, ""]
    margin: Float[Any, ""]
    constant: Float[Any, ""]
    imbalance_alone: Float[Any, ""]


def rate_of(task: Any, first: Any, second: Any, library: Any = jnp) -> Rate:
    """The numbers of Min et al. with X/sqrt(n), Y/sqrt(n) for their X, Y, so that losses and times are the library's.

    Singular values of X below 1e-10 of the largest count as zero: r is the number of the others. All are 0 at r = 0.
    """
    spread, axes = task.principal()
    kept = spread > 0
    rank, outputs, hidden = library.sum(kept), second.shape[0], first.shape[0]
    some, last = rank > 0, library.maximum(rank, 1) - 1
    variance = library.where(some, library.min(library.where(kept, spread, library.inf)), 0.0)
    inner = (first @ library.asarray(axes)) * kept[None, :]
    lengths = inner @ inner.T - second.T @ second
    values = library.linalg.eigvalsh(lengths)
    size = max(hidden, outputs, first.shape[1])
    zeros = library.zeros(size - hidden)
    # [.]_+ of the eigenvalues of L and of -L, largest first
    up = library.concatenate([library.maximum(values[::-1], 0.0), zeros])
    down = library.concatenate([library.maximum(-values, 0.0), zeros])
    strengths = library.asarray(task.strengths)
    smallest = strengths[library.minimum(last, outputs - 1)]
    # the excess loss without a difference
    missed = second @ first - task.solution
    excess = 0.5 * library.maximum(library.sum((missed @ task.covariance()) * missed), 0.0)
    margin = smallest - library.where(some, library.sqrt(2 * excess / library.where(some, variance, 1.0)), 0.0)
    beta = library.maximum(margin, 0.0)
    # the pairing is crossed: the spread of L goes with the margin of the outputs
    beta_r = library.where(rank <= outputs, beta, 0.0)
    beta_m = library.where(outputs <= rank, beta, 0.0)
    spread_up, spread_down = up[0] - up[last], down[0] - down[outputs - 1]
    alone = library.where(some, up[last] + down[outputs - 1], 0.0)
    constant = 0.5 * (
        library.sqrt((spread_up + alone) ** 2 + 4 * beta_m**2)
        - spread_up
        + library.sqrt((spread_down + alone) ** 2 + 4 * beta_r**2)
        - spread_down
    )
    return Rate(variance, margin, library.where(some, constant, 0.0), alone)


def _rate_strain(setting: Setting) -> float:
    first, second = regime.layers_of(setting)
    found = rate_of(setting.data, first, second, np)
    return 0.0 if found.constant > 0 else 2.0


POSITIVE_RATE = Assumption(
    "positive rate",
    "The start must have imbalance that counts, [l_r(L)]_+ + [l_m(-L)]_+ > 0, or a margin (strain 2: neither, or all "
    "inputs are zero, so that nothing moves). Random starts have it once the hidden width is at least rank of the "
    "inputs + outputs.",
    _rate_strain,
    broken_by=varied(widths=(3, 1, 2)),
)


class ImbalanceRate(Certificate[DeepLinear]):
    """An exponential rate for two layers on any data, from the imbalance and the margin of the start: an upper bound.

    With U = W_1', V = W_2, X = A diag(sx) P_1' of rank r, L = U_1'U_1 - V'V (conserved; U_1 = P_1'U), l_k its k-th
    largest eigenvalue (0 beyond its size), [.]_+ the positive part, m outputs:
        train_loss(t) - least loss <= (train_loss(0) - least loss) exp(-2 sx_min^2 c t);
    without a margin c = D0 = [l_r(L)]_+ + [l_m(-L)]_+; with one, beta = s_min(B*) - |E0|_F/sx_min > 0,
        c = (1/2)[-Dp + sqrt((Dp + D0)^2 + 4 beta_m^2) - Dm + sqrt((Dm + D0)^2 + 4 beta_r^2)],
    Dp = [l_1(L)]_+ - [l_r(L)]_+, Dm = [l_1(-L)]_+ - [l_m(-L)]_+, beta_r = beta if r <= m, beta_m = beta if m <= r, else
    0. Own: `exponent` 2 sx_min^2 c, `exponent_imbalance` (D0 alone), `margin` beta. Singular values of X below 1e-10 of
    the largest count as zero; where all are, the loss stays where it is and the rate is 0. Clock: flow time. Conditions
    on draw and start. Runs are 1.2 to 4 times faster than the bound, far more where the imbalance is weak. Fails for
    another depth, decay and steps.
    Source: Min, Tarmoun, Vidal & Mallada 2021 (their loss sums over samples: times grow by n here).
    """

    of: ClassVar[tuple[type[Problem], ...]] = (DeepLinear,)
    source: ClassVar[tuple[Source, ...]] = (Source("Min2021", "theorem 1; the margin form derived here"),)
    conditions_on: ClassVar[tuple[str, ...]] = ("start", "draw")
    own: ClassVar[tuple[Variable, ...]] = (
        Variable("exponent", "certified rate of decay of the excess loss", "1/flow time"),
        Variable("exponent_imbalance", "the same from the imbalance alone", "1/flow time"),
        Variable("margin", "least singular value of the solution less the distance of the start, in its metric"),
    )
    speaks_of: ClassVar[tuple[str, ...]] = ("train_loss", "exponent", "exponent_imbalance", "margin")
    claims: ClassVar[Mapping[str, Claim]] = {
        "train_loss": Claim("upper"),
        "exponent": Claim("lower"),
        "exponent_imbalance": Claim("lower"),
    }
    assumptions: ClassVar[tuple[Assumption, ...]] = (regime.FLOW, regime.TWO_LAYERS, regime.NO_DECAY, POSITIVE_RATE)

    def predict(self, problem: DeepLinear, data: Any, start: Any, times: Array) -> dict[str, Array]:
        first, second = (jnp.asarray(layer) for layer in start)
        found = rate_of(data, first, second)
        exponent = 2 * found.variance * found.constant
        begin = data.loss(second @ first) - data.floor
        return {
            "train_loss": data.floor + begin * jnp.exp(-exponent * times),
            "exponent": exponent,
            "exponent_imbalance": 2 * found.variance * found.imbalance_alone,
            "margin": found.margin,
        }
