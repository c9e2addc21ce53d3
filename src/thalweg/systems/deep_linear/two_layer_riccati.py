"""Two layers from a lambda-balanced start: the closed Riccati solution."""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ...mathematics import half_angle
from ...mathematics.linear_riccati import is_short, riccati_factors, riccati_rows
from ...mathematics.riccati import Echelon, echelon
from ...words.fields import vary
from ...words.problem import Axis, Problem
from ...words.theory import Assumption, Exact, Source, Variable
from . import regime
from .layers import Layers, product
from .problem import DeepLinear
from .readings import MODE
from .starts import BalancedLayers
from .task import RANK_TOLERANCE
from .trajectories import CURVES, EVENTS, closed_form

DIRECTION = Axis("direction", words="direction of the start, the fastest first")
# products of three sizes up to which the loss is written out number by number (compiled in seconds)
WRITTEN_OUT = 512


class Pencil(NamedTuple):
    """Eigenvalues (n,) of F, descending, its eigenvectors (n, n), inputs above outputs, and the target s_k that each
    eigenvector learns (0 for all but the growing one of a pair).

    `place`: where the growing and the falling one of each pair stand, those of the kernel of the inputs, of the
    outputs. In the singular vectors of Z a pair is (low, high), (-high, low), inputs first.
    """

    growth: Float[Array, " n"]
    vectors: Float[Array, "n n"]
    learns: Float[Array, " n"]
    place: Int[Array, " n"]
    low: Float[Array, " k"]
    high: Float[Array, " k"]


def pencil(target: Float[Any, "o d"], balance: Any) -> Pencil:
    """F = [[-lambda/2 I, Z'], [Z, lambda/2 I]]: a pair +-kappa_k/2 for each singular value, +-lambda/2 on the kernels.

    Written with the singular vectors of Z, so that it moves smoothly with lambda.
    """
    outputs, inputs = target.shape
    left, values, right = jnp.linalg.svd(target, full_matrices=True)
    count = min(outputs, inputs)
    kappa, low, high = half_angle.pairs(balance, values)
    ins, outs = right[:count].T, left[:, :count]
    growing = jnp.concatenate([low[None, :] * ins, high[None, :] * outs])
    falling = jnp.concatenate([-high[None, :] * ins, low[None, :] * outs])
    kernel_in = jnp.concatenate([right[count:].T, jnp.zeros((outputs, inputs - count))])
    kernel_out = jnp.concatenate([jnp.zeros((inputs, outputs - count)), left[:, count:]])
    half = 0.5 * jnp.asarray(balance)
    growth = jnp.concatenate(
        [0.5 * kappa, -0.5 * kappa, jnp.full(inputs - count, -half), jnp.full(outputs - count, half)]
    )
    learns = jnp.concatenate([values, jnp.zeros(inputs + outputs - count)])
    order = jnp.argsort(-growth)
    vectors = jnp.concatenate([growing, falling, kernel_in, kernel_out], axis=1)
    return Pencil(growth[order], vectors[:, order], learns[order], jnp.argsort(order), low, high)


class TwoLayerRiccati(Exact[DeepLinear]):
    """Exact flow of two layers from a lambda-balanced start, any target, any hidden width, any rank.

    With W_2'W_2 - W_1W_1' = lambda I, Q = [W_1'; W_2] ((d + o) x h), F = [[-lambda/2 I, Z'], [Z, lambda/2 I]]:
        QQ'(t) = e^{Ft} Q0 [I + Q0' (int_0^t e^{2Fs} ds) Q0]^{-1} Q0' e^{Ft},
    whose blocks are W_1'W_1, W_2W_2' and W (with equal decay gamma and lambda = 0: F - gamma I). Each factor is
    measured against the rows that grow fastest, so that nothing overflows, and directions that the start lacks (below
    1e-12 of its largest row) stay away for ever: rank-deficient starts end at the best map that they can reach. All
    times at once; the cost knows the hidden width by one reduction.
    Events: half_time and escape_time by roots of the solution, late_rate by its slope (at the end point it is the least
    sum of an eigenvalue of W_1'W_1 and one of W_2W_2'). Own: `lambda_balance`, `growth_rates` (eigenvalues of F,
    descending), `limit_loss` (1/2 sum s_k^2 of the modes that are never learned), `limit_strengths` (the others'
    singular values), `approach_rate` (late rate at the end; NaN where modes are missing); these three without decay.
    Clock: flow time. Conditions on draw and start. Fails for any other imbalance (no closed form: GramFlow), inputs
    that are not white, and steps. Source: Fukumizu 1998; Braun et al. 2022; Domine et al. 2024.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (DeepLinear,)
    source: ClassVar[tuple[Source, ...]] = (Source("Fukumizu1998"), Source("Braun2022"), Source("Domine2024"))
    conditions_on: ClassVar[tuple[str, ...]] = ("start", "draw")
    own: ClassVar[tuple[Variable, ...]] = (
        Variable("lambda_balance", "conserved W_2'W_2 - W_1W_1' in units of the identity"),
        Variable("growth_rates", "rates at which the directions of the start grow", "1/clock", dims=(DIRECTION,)),
        Variable("limit_loss", "loss at which the flow ends"),
        Variable("limit_strengths", "singular values at which the flow ends", dims=(MODE,)),
        Variable("approach_rate", "rate at which W goes to its end, at late times", "1/clock"),
    )
    speaks_of: ClassVar[tuple[str, ...]] = (
        *CURVES, *EVENTS, "lambda_balance", "growth_rates", "limit_loss", "limit_strengths", "approach_rate",
    )  # fmt: skip
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        regime.FLOW, regime.TWO_LAYERS, regime.EQUAL_DECAY, regime.WHITE, regime.LAMBDA_BALANCED,
    )  # fmt: skip

    @classmethod
    def example(cls) -> DeepLinear:
        return vary(super().example(), {"start": BalancedLayers()})

    def predict(self, problem: DeepLinear, data: Any, start: Any, times: Array) -> dict[str, Array]:
        solved = solution(problem, data, start)
        learned = jnp.where(solved.kept, solved.frame.learns, 0.0)
        lost = 0.5 * jnp.sum(solved.frame.learns**2) - 0.5 * jnp.sum(learned**2)
        modes = min(problem.widths[0], problem.widths[-1])
        return {
            **closed_form(problem, data, solved.at, jnp.asarray(times)),
            "lambda_balance": solved.balance,
            "growth_rates": solved.frame.growth,
            "limit_loss": lost + data.floor,
            "limit_strengths": -jnp.sort(-learned)[:modes],
            "approach_rate": _approach_rate(solved),
        }


def _approach_rate(solved: "Solved") -> Float[Array, ""]:
    """Least eigenvalue of W_1'W_1 plus that of W_2W_2' at the end; NaN where a mode of the target is never learned."""
    weights = jnp.where(solved.kept, 2 * jnp.maximum(solved.frame.growth, 0.0), 0.0)
    end = (solved.frame.vectors * weights[None, :]) @ solved.frame.vectors.T
    inner, outer = end[: solved.inputs, : solved.inputs], end[solved.inputs :, solved.inputs :]
    rate = sum(jnp.maximum(jnp.linalg.eigvalsh(block)[0], 0.0) for block in (inner, outer))
    whole = jnp.all(solved.kept | (solved.frame.learns <= RANK_TOLERANCE * jnp.max(solved.frame.learns)))
    return jnp.where(whole, rate, jnp.nan)


class Solved(NamedTuple):
    """lambda, the eigenvectors of F, half the start in them in echelon form, which of them it can grow into, rates."""

    balance: Float[Array, ""]
    frame: Pencil
    form: Echelon
    kept: Any
    growth: Float[Array, " n"]
    inputs: int
    factors: Callable[[Float[Array, ""]], Float[Array, "n c"]]

    def at(self, time: Float[Array, ""]) -> Layers:
        """The layers, reduced to few hidden units."""
        both = self.frame.vectors @ self.factors(time)
        return both[: self.inputs].T, both[self.inputs :]


def solution(problem: DeepLinear, data: Any, start: Any) -> Solved:
    """Everything that the layers at any time follow from."""
    first, second = (jnp.asarray(layer) for layer in start)
    (hidden, inputs), outputs = first.shape, second.shape[0]
    balance = (jnp.sum(second**2) - jnp.sum(first**2)) / hidden
    frame = pencil(data.correlation(), balance)
    factor = frame.vectors.T @ jnp.concatenate([first.T, second])
    # lambda = 0: rank at most that of W; else the hidden width is at most that of one end
    columns = min(hidden, max(inputs, outputs))
    form = echelon(0.5 * factor, columns)
    rows = jnp.arange(factor.shape[0])
    kept = jnp.any((rows[:, None] == form.pivot[None, :]) & form.live[None, :], axis=1)
    growth = frame.growth - problem.decays()[0]
    return Solved(balance, frame, form, kept, growth, inputs, riccati_factors(growth, form))


def riccati_loss(problem: DeepLinear, data: Any, start: Any, times: Float[Array, " times"]) -> Float[Array, " times"]:
    """The loss alone, all times at once: the cheapest form of the solution."""
    solved = solution(problem, data, start)
    outputs = solved.frame.growth.shape[0] - solved.inputs

    def one_by_one() -> Float[Array, " times"]:
        return jax.vmap(lambda time: data.loss(product(solved.at(time))))(times)

    def written_out() -> Float[Array, " times"]:
        rows = riccati_rows(solved.growth, solved.form, solved.frame.place, times)
        return data.floor + 0.5 * _squared_miss(rows, solved.frame, outputs)

    if solved.inputs * outputs * solved.form.lower.shape[1] > WRITTEN_OUT:
        return one_by_one()
    return jax.lax.cond(is_short(solved.growth, times), written_out, one_by_one)


def _squared_miss(rows: list[list[Array]], frame: Pencil, outputs: int) -> Float[Array, " times"]:
    """|W - Z|_F^2 from the rows of the factor: W in the singular vectors of Z, entry by entry."""
    count = frame.low.shape[0]
    pairs = list(zip(frame.low, frame.high, rows[:count], rows[count : 2 * count], strict=True))
    inner = [[low * g - high * f for g, f in zip(up, down, strict=True)] for low, high, up, down in pairs]
    outer = [[high * g + low * f for g, f in zip(up, down, strict=True)] for low, high, up, down in pairs]
    kernels = len(rows) - outputs + count
    inner, outer = inner + rows[2 * count : kernels], outer + rows[kernels:]
    strengths = frame.learns[frame.place]
    missed = jnp.zeros_like(rows[0][0])
    for a, left in enumerate(outer):
        for b, right in enumerate(inner):
            entry = sum(x * y for x, y in zip(left, right, strict=True))
            missed = missed + (entry - (strengths[a] if a == b else 0.0)) ** 2
    return missed
