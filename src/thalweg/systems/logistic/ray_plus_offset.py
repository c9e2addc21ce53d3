"""Where logistic regression goes: along a ray for ever, beside a finite part, or to the finite part alone."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...computing.float64 import root_key
from ...rules.demands import under_adam
from ...words.problem import Axis, Problem
from ...words.theory import Assumption, Asymptote, Claim, Setting, Source, Variable
from .late_times import beside, early, reach_of, second_order, stable, unsure
from .problem import DatasetLogistic

FEATURE = Axis("feature", words="column of the inputs")
JI_TELGARSKY = Source("JiTelgarsky2019", "decomposition, rates of bias and risk")
RAY_CURVES = ("train_loss", "direction_error", "margin", "offset_error")


def _one(name: str) -> DatasetLogistic:
    """A small data set of `examples`, which nothing but the contract loads."""
    from . import examples

    return getattr(examples, name)()


FOLLOWED = Assumption(
    "stable descent",
    "The rule must be gradient flow, descent or momentum (weights scatter under SGD, Adam has a bias of its own); "
    "1 is the rate that is stable at the largest curvature.",
    stable,
    broken_by=under_adam,
)
SURE = Assumption(
    "sure separation",
    "1 means that lp_margin is 1e-6, near the linear programme's tolerance.",
    unsure,
    broken_by=lambda problem: _one("hair_apart"),
)


def _left(name: str) -> Callable[[Setting], float]:
    # two directions are never further apart than 2
    most = 2.0 if name == "direction_error" else np.inf
    return lambda setting: min(getattr(reach_of(setting), name), most)


def _some(setting: Setting) -> float:
    return 0.0 if np.any(np.asarray(setting.data.separable) > 0) else float("inf")


def _none(setting: Setting) -> float:
    return float("inf") if np.any(np.asarray(setting.data.separable) > 0) else 0.0


class RayPlusOffset(Asymptote[DatasetLogistic]):
    """Where descent on separable or partly separable data goes: w(T) = offset + (ray/margin) ln T + log_offset + o(1).

    Flow time T. The separable rows, the ray (largest margin on them, orthogonal to the span S of the others), the
    offset (minimiser for the others, in S) come from one linear programme. Claims, limits told without time axis:
    train_loss -> its infimum, direction_error -> 0, margin -> that of the ray, offset_error -> 0. Declared approach, at
    the end of the run: for direction and margin the next order of the path over ln T (see `reach`), for loss
    and offset bounds of convex descent. Only the logarithm of time helps the direction: a few per cent stay open.
    Own variables: log_slope 1/margin = lim |w|/ln T; loss_constant 1/margin^2 = lim T (R - inf R); offset_constant =
    lim T |P_S w - offset|; direction_constant = lim direction_error ln T; log_offset, z_i.(offset + log_offset) =
    ln(n a_i) on the support rows with multipliers a_i; settling_exponent k: log_offset is reached like T^-k.
    NaN where the support rows do not span what S leaves: then log_offset depends on the start. second_order_norm and
    second_order_direction_error tell the same form along the path, log_offset settling mode by mode (`beside`; NaN
    before the logarithm begins): the constants above, fitted or true, can be a factor 10 off at practical times.
    Momentum counts as 1/(1 - momentum) times the flow time. Conditions on nothing: the data are given.
    It fails where nothing is separable (use FiniteOptimum), for Adam and other rules with a bias of their own, and
    says little (strain) before the logarithm is long.
    Source: Ji & Telgarsky 2019; constants of the next order derived here (`late_times`).
    """

    of: ClassVar[tuple[type[Problem], ...]] = (DatasetLogistic,)
    source: ClassVar[tuple[Source, ...]] = (JI_TELGARSKY,)
    conditions_on: ClassVar[tuple[str, ...]] = ()
    claims: ClassVar[Mapping[str, Claim]] = {
        name: Claim("limit", approach=_left(name), time=False) for name in RAY_CURVES
    }
    own: ClassVar[tuple[Variable, ...]] = (
        Variable("log_slope", "limit of |w| over ln(flow time)"),
        Variable("loss_constant", "limit of flow time times excess loss"),
        Variable("offset_constant", "limit of flow time times offset error"),
        Variable("direction_constant", "limit of ln(flow time) times direction error"),
        Variable("settling_exponent", "the next order is reached like flow time to minus this"),
        Variable("log_offset", "part of the weights beside offset and logarithm", dims=(FEATURE,)),
        Variable("second_order_norm", "norm of the weights to the next order", dims=("time",)),
        Variable("second_order_direction_error", "direction error to the next order", dims=("time",)),
    )
    speaks_of: ClassVar[tuple[str, ...]] = (*RAY_CURVES, *(one.name for one in own))
    shapes: ClassVar[tuple[str, ...]] = ("intercept",)
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        SURE,
        Assumption(
            "something separable",
            "Some row must be separable; else the optimum is finite: FiniteOptimum.",
            _some,
            broken_by=lambda problem: _one("overlapping"),
        ),
        FOLLOWED,
        Assumption(
            "long run",
            "1 means that the logarithm of the last time leaves the direction open by its length, or that the run is "
            "shorter than the default one, for which the approach is declared.",
            lambda setting: early(setting, RAY_CURVES, lambda left: left.direction_error),
            broken_by=lambda problem: _one("small_margin"),
        ),
    )

    def predict(self, problem: DatasetLogistic, data: Any, start: Any, times: Array) -> dict[str, Array]:
        given = problem.draw(root_key(0)) if data is None else data
        found = second_order(given)
        flow = problem.rule.effective_pace() * jnp.asarray(times)
        ray = jnp.asarray(given.ray)
        along = jnp.log(jnp.where(flow > 0, flow, 1e-300)) + found.clock
        aside = beside(given, found, along)
        told = along > 0
        long = jnp.sqrt(jnp.sum(aside**2, axis=1) + (along / found.margin) ** 2)
        off = jnp.sqrt(2 - 2 * along / found.margin / long)
        way = given.offset + found.log_offset
        return {
            "train_loss": jnp.asarray(given.risk_infimum),
            "direction_error": jnp.zeros(()),
            "margin": found.margin,
            "offset_error": jnp.zeros(()),
            "log_slope": 1 / found.margin,
            "loss_constant": 1 / found.margin**2,
            "offset_constant": jnp.linalg.norm(found.delay),
            "direction_constant": jnp.where(
                found.spans, found.margin * jnp.linalg.norm(way - ray * (ray @ way)), jnp.nan
            ),
            "settling_exponent": found.settling,
            "log_offset": jnp.where(found.spans, found.log_offset, jnp.nan),
            "second_order_norm": jnp.where(told, long, jnp.nan),
            "second_order_direction_error": jnp.where(told, off, jnp.nan),
        }


def _away(setting: Setting) -> Callable[[Any], float]:
    far = float(np.linalg.norm(np.asarray(setting.data.offset)))
    return lambda left: left.offset_error / far if far > 0 else 0.0


class FiniteOptimum(Asymptote[DatasetLogistic]):
    """Where descent on data without a separable row ends: at the minimiser of the loss in the span of the rows.

    Claims, limits told without time axis: train_loss -> risk_infimum, norm -> |offset|, offset_error -> 0. Declared
    approach at the end of the run, a bound: excess <= |offset|^2/2T, from it the distance by self-concordance
    (see `reach`); later the excess falls like exp(-2 decay_rate T). Own variable: decay_rate, the least eigenvalue of
    the Hessian at the optimum in the span of the rows: slow where rows are nearly separable or columns unscaled.
    Momentum counts as 1/(1 - momentum) times the flow time. Conditions on nothing. It fails on separable rows (use
    RayPlusOffset), and says little before decay_rate T is large (strain).
    Source: Ji & Telgarsky 2019 (the bounded part); bounds of convex descent are classical.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (DatasetLogistic,)
    source: ClassVar[tuple[Source, ...]] = (JI_TELGARSKY,)
    conditions_on: ClassVar[tuple[str, ...]] = ()
    speaks_of: ClassVar[tuple[str, ...]] = ("train_loss", "norm", "offset_error", "decay_rate")
    claims: ClassVar[Mapping[str, Claim]] = {
        "train_loss": Claim("limit", approach=_left("train_loss"), time=False),
        "norm": Claim("limit", approach=_left("offset_error"), time=False),
        "offset_error": Claim("limit", approach=_left("offset_error"), time=False),
    }
    own: ClassVar[tuple[Variable, ...]] = (
        Variable("decay_rate", "rate at which the slowest direction settles, in flow time"),
    )
    shapes: ClassVar[tuple[str, ...]] = ("intercept",)
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        SURE,
        Assumption(
            "nothing separable",
            "No row may be separable; else the weights grow for ever: RayPlusOffset, separation(inputs, labels).",
            _none,
            broken_by=lambda problem: _one("partly_separable"),
        ),
        FOLLOWED,
        Assumption(
            "long run",
            "1 means that the weights may still be away by the length of the offset, or that the run is shorter than "
            "the default one, for which the approach is declared.",
            lambda setting: early(setting, ("train_loss", "offset_error"), _away(setting)),
            broken_by=lambda problem: _one("nearly_separable"),
        ),
    )

    @classmethod
    def example(cls) -> DatasetLogistic:
        return _one("overlapping")

    def predict(self, problem: DatasetLogistic, data: Any, start: Any, times: Array) -> dict[str, Array]:
        given = problem.draw(root_key(0)) if data is None else data
        inside = given.inputs @ given.basis
        chance = jax.nn.sigmoid(given.inputs @ given.offset)
        bend = (inside * (chance * (1 - chance))[:, None]).T @ inside / inside.shape[0]
        return {
            "train_loss": jnp.asarray(given.risk_infimum),
            "norm": jnp.linalg.norm(given.offset),
            "offset_error": jnp.zeros(()),
            "decay_rate": jnp.linalg.eigvalsh(bend)[0] if inside.shape[1] else jnp.asarray(jnp.nan),
        }
