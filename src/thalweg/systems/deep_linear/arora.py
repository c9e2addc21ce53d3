"""A promise of convergence for balanced starts near the target, at any depth: when it holds, and how fast it is."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import betainc
from jaxtyping import Array, Float

from ...rules import GradientDescent
from ...rules.demands import stepped_strain
from ...words.fields import scalar, varied, vary
from ...words.problem import Problem
from ...words.theory import Assumption, Certificate, Claim, FiniteSize, Setting, Source, Variable, structural
from . import regime
from .layers import imbalance_norms, product
from .problem import DeepLinear
from .starts import BalancedLayers
from .task import RANK_TOLERANCE

# constants of the theorem
BALANCE_CONSTANT, RATE_CONSTANT = 256.0, 6144.0
# the strain where nothing is certified: broken, but no reason to refuse the numbers
VOID = 1e12


def largest_imbalance(margin: Any, depth: int, target_norm: Any) -> Any:
    """Most imbalance |D_j|_F that the theorem allows for steps."""
    return margin**2 / (BALANCE_CONSTANT * depth**3 * target_norm ** (2 * (depth - 1) / depth))


def largest_rate(margin: Any, depth: int, target_norm: Any) -> Any:
    """Largest learning rate that the theorem certifies."""
    top = margin ** ((4 * depth - 2) / depth)
    return top / (RATE_CONSTANT * depth**3 * target_norm ** ((6 * depth - 4) / depth))


class _Numbers:
    """The numbers of a case, in NumPy, for strains."""

    def __init__(self, setting: Setting) -> None:
        layers = regime.layers_of(setting)
        target = np.asarray(setting.data.correlation())
        values = np.linalg.svd(target, compute_uv=False)
        self.depth = len(layers)
        self.largest, self.least = float(values[0]), float(values[-1])
        self.distance = float(np.linalg.norm(product(layers) - target))
        self.margin = self.least - self.distance
        self.norm = float(np.linalg.norm(target))
        found = [float(np.linalg.norm(one)) for one in regime.pair_imbalances(layers)]
        self.imbalance = max(found, default=0.0)


def _margin_strain(setting: Setting) -> float:
    numbers = _Numbers(setting)
    full = numbers.least > RANK_TOLERANCE * numbers.largest
    return numbers.distance / numbers.least if full else math.inf


def _imbalance_strain(setting: Setting) -> float:
    if setting.problem.rule.continuous:
        return regime.BALANCED.strain(setting)
    numbers = _Numbers(setting)
    if numbers.margin <= 0:
        return VOID if numbers.imbalance else 0.0
    return numbers.imbalance / float(largest_imbalance(numbers.margin, numbers.depth, numbers.norm))


def _rate_strain(setting: Setting) -> float:
    def share(rate: float) -> float:
        numbers = _Numbers(setting)
        certified = float(largest_rate(max(numbers.margin, 0.0), numbers.depth, numbers.norm))
        return rate / certified if certified > 0 else VOID

    return stepped_strain(setting.problem.rule, share)


def _is_wide(problem: Any) -> bool:
    widths = problem.widths
    return min(widths) >= min(widths[0], widths[-1]) and not problem.circulant


MARGIN = Assumption(
    "positive margin",
    "The start must lie closer to the target than its least singular value, |W(0) - Z|_F < s_min(Z) (strain: their "
    "ratio); a target whose s_min is below 1e-10 of its largest has no margin at all. Start nearer, or see "
    "ImbalanceRate.",
    _margin_strain,
    broken_by=regime.from_gaussian,
)
NEAR_BALANCE = Assumption(
    "certified balance",
    "max |D_j|_F must be below c^2/(256 N^3 |Z|_F^(2(N-1)/N)) for steps (strain: their ratio), and 0 for the flow "
    "(strain 1: 1e-9 of the squared norm of all layers).",
    _imbalance_strain,
    broken_by=regime.from_gaussian,
)
CERTIFIED_STEP = Assumption(
    "certified step",
    "The rule must be gradient flow, or descent with a learning rate up to certified_learning_rate (strain: their "
    "ratio). It is a certificate, not advice: usable_learning_rate, often 1e5 times larger, is where descent works.",
    _rate_strain,
    broken_by=lambda problem: vary(problem, {"start": BalancedLayers(), "rule": GradientDescent()}),
)
WIDE = structural(
    "wide layers",
    "No hidden layer may be narrower than both inputs and outputs, and every entry of every layer must be free.",
    _is_wide,
    varied(widths=(3, 1, 2)),
)


class AroraCertificate(Certificate[DeepLinear]):
    """Convergence promised for balanced starts with a margin, at any depth: an upper bound of the loss, and its price.

    White inputs, c = s_min(Z) - |W(0) - Z|_F (`margin`), `imbalance` |D_j|_F. Flow, balanced exactly:
        train_loss(t) <= train_loss(0) exp(-2 c^(2(N-1)/N) t)   (square Z: N times this exponent);
    descent with imbalance <= `certified_imbalance` = c^2/(256 N^3 |Z|_F^(2(N-1)/N)) and learning rate eta <=
    `certified_learning_rate` = c^((4N-2)/N)/(6144 N^3 |Z|_F^((6N-4)/N)):
        train_loss(k) <= train_loss(0) (1 - eta c^(2(N-1)/N))^k.
    `exponent` is the rate in flow time, `horizon` the time (of the rule's clock) until the bound has fallen to `share`.
    The certified rate is 1e-7 to 1e-6 as a rule; beside it stands `usable_learning_rate`, 2/(N s_1^(2-2/N)), the
    stability edge at a balanced solution: a certificate, not advice. Where the output is one number,
    `certified_share` is the probability that a balanced start of this |W(0)| in a random direction has a margin,
    P(cos > |W(0)|/(2|Z|)), 1/2 for small starts; NaN otherwise. No margin: exponent and rates 0, horizon inf.
    Clock: the rule's. Conditions on draw and start. Measured flow exponents are 1.2 to 4 times larger: a run that is
    faster agrees. Fails for inputs that are not white, decay, narrow layers; target of rank below 1e-10: no margin.
    Source: Arora, Cohen, Golowich & Hu 2019, theorem 1 (constants recalled, never violated in tests).
    """

    share: float = scalar("share of the loss that `horizon` waits for", default=1e-3, above=0.0, below=1.0, log=True)

    of: ClassVar[tuple[type[Problem], ...]] = (DeepLinear,)
    source: ClassVar[tuple[Source, ...]] = (Source("Arora2019", "theorem 1"),)
    conditions_on: ClassVar[tuple[str, ...]] = ("start", "draw")
    own: ClassVar[tuple[Variable, ...]] = (
        Variable("margin", "s_min of the target less the distance of the start"),
        Variable("certified_imbalance", "most imbalance that is certified for steps"),
        Variable("certified_learning_rate", "largest certified learning rate, a certificate and no advice"),
        Variable("usable_learning_rate", "stability edge of descent at a balanced solution"),
        Variable("exponent", "certified rate of decay of the loss, in flow time", "1/flow time"),
        Variable("horizon", "time until the bound has fallen to the share", "clock"),
        Variable("certified_share", "share of random balanced starts of this size with a margin (one output)"),
        Variable("drift_bound", "most that the imbalance changes in steps; 0 for the flow"),
    )
    speaks_of: ClassVar[tuple[str, ...]] = (
        "train_loss", "imbalance", "margin", "certified_imbalance", "certified_learning_rate", "usable_learning_rate",
        "exponent", "horizon", "certified_share", "drift_bound",
    )  # fmt: skip
    claims: ClassVar[Mapping[str, Claim]] = {
        "train_loss": Claim("upper"),
        "imbalance": Claim("limit", time=False),
        "exponent": Claim("lower"),
        "horizon": Claim("upper"),
    }
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        regime.WHITE, regime.NO_DECAY, WIDE, MARGIN, NEAR_BALANCE, CERTIFIED_STEP,
    )  # fmt: skip

    def predict(self, problem: DeepLinear, data: Any, start: Any, times: Array) -> dict[str, Array]:
        layers = tuple(jnp.asarray(layer) for layer in start)
        depth, target = len(layers), data.correlation()
        values = jnp.linalg.svd(target, compute_uv=False)
        norm, whole = jnp.sqrt(jnp.sum(target**2)), product(layers)
        margin = values[-1] - jnp.sqrt(jnp.sum((whole - target) ** 2))
        c = jnp.maximum(margin, 0.0)
        begin = data.loss(whole) - data.floor
        power = c ** (2 * (depth - 1) / depth)
        flow, rate = problem.rule.continuous, problem.rule.pace()
        square = target.shape[0] == target.shape[1]
        exponent = power * (2.0 * (depth if square else 1) if flow else 1.0)
        # one unit of the clock: e^-exponent, or one step
        decay = exponent if flow else -jnp.log1p(-jnp.minimum(rate * power, 1 - 1e-12))
        waits = decay > 0
        return {
            "train_loss": data.floor + begin * jnp.exp(-decay * times),
            "imbalance": imbalance_norms(layers),
            "margin": margin,
            "certified_imbalance": largest_imbalance(c, depth, norm),
            "certified_learning_rate": largest_rate(c, depth, norm),
            "usable_learning_rate": 2 / (depth * values[0] ** (2 - 2 / depth)),
            "exponent": exponent,
            "horizon": jnp.where(waits, jnp.log(1 / self.share) / jnp.where(waits, decay, 1.0), jnp.inf),
            "certified_share": certified_share(whole, target),
            "drift_bound": 0.0 * begin if flow else 2 * rate * begin,
        }

    def finite_size(self, problem: DeepLinear) -> Mapping[str, FiniteSize]:
        return {"imbalance": FiniteSize(1.0, 1.0, per="drift_bound")}


def certified_share(whole: Float[Any, "o d"], target: Float[Any, "o d"]) -> Float[Array, ""]:
    """P(|w - z| < |z|) for w of the given norm in a uniformly random direction: a cap of the sphere; NaN for o > 1."""
    if target.shape[0] > 1:
        return jnp.asarray(jnp.nan)
    dimension = target.shape[1]
    x = 0.5 * jnp.sqrt(jnp.sum(whole**2) / jnp.sum(target**2))
    if dimension == 1:
        return jnp.where(x < 1, 0.5, 0.0)
    inside = jnp.minimum(x, 1.0)
    return 0.5 * betainc((dimension - 1) / 2, 0.5, 1 - inside**2)
