"""Logistic regression on a user's own two-class data, trained from zero."""

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ...mathematics.linear_separation import Decomposition, decompose
from ...rules import GradientFlow, HeavyBall, as_descent
from ...words.events import Crossing, FromDraw
from ...words.fields import as_switch, check_ranges, coded, floats, is_traced, vary
from ...words.problem import Event, Observable, Remark, Rule, SampledProblem, array, never, size
from .separable import UNEVEN, column_spread, signs, table, with_intercept

# end of the default run in units of one over the largest curvature, at least and at most: the logarithm is to reach
# a margin of 6 where something is separable
REACH = 3000.0
MOST_REACH = 100_000.0
LONG = 6.0
MOST_STEPS = 100_000


class LogisticSample(eqx.Module):
    """Inputs (n, d) with the intercept where there is one, labels -1 or +1 (n,), and what the data alone determine.

    separable (n,): 1 or 0. ray (d,), offset (d,), basis (d, r) of the span of the other rows, multipliers (n,) of the
    support rows, risk_infimum, lp_margin: as in `separation`.
    """

    inputs: Float[Any, "n d"]
    labels: Float[Any, " n"]
    separable: Float[Any, " n"]
    ray: Float[Any, " d"]
    offset: Float[Any, " d"]
    basis: Float[Any, "d r"]
    multipliers: Float[Any, " n"]
    risk_infimum: Any
    lp_margin: Any


def as_sample(inputs: Any, labels: Any, found: Decomposition) -> LogisticSample:
    """Data with their geometry."""
    return LogisticSample(
        inputs=inputs,
        labels=labels,
        separable=1.0 * found.separable,
        ray=found.ray,
        offset=found.offset,
        basis=found.basis,
        multipliers=found.multipliers,
        risk_infimum=found.risk,
        lp_margin=found.lp_margin,
    )


def curvature(data: LogisticSample) -> Float[Array, ""]:
    """The largest curvature that the loss can have: a quarter of the largest eigenvalue of X'X/n."""
    n, d = data.inputs.shape
    inputs = jnp.asarray(data.inputs)
    gram = inputs.T @ inputs if d <= n else inputs @ inputs.T
    return 0.25 * jnp.linalg.eigvalsh(gram)[-1] / n


def safe_rate(problem: Any, data: LogisticSample) -> Float[Array, ""]:
    """Largest rate of this rule that is stable at the largest curvature; NaN where none is known."""
    return as_descent(problem.rule, data.labels.shape[0]).stable_rate(curvature(data))


class DatasetLogistic(SampledProblem):
    """Linear output w.x trained with the logistic loss on a user's own two-class data, as they are.

    `inputs` (n, d), `labels` (n,) with two different numbers (the smaller becomes -1), or one for all. No intercept is
    added unless `intercept=1` appends a column of ones, whose weight is the last. No column is scaled.
        objective = train_loss = (1/n) sum log(1 + exp(-y_i w.x_i)),   start: w = 0.
    The data are the same for every seed, so that one seed says all; `start=` takes other weights.
    Observables compare with `separation(inputs, labels)`: `excess_loss` over its infimum, `direction_error` =
    |w/|w| - ray|, `margin` = least y x.w/|w| over the separable rows (they exist where a row is separable),
    `offset_error` = |P w - offset|, P the projection on the span of the other rows (exists where there are others).
    At w = 0 a direction is the one in which the weights leave.
    Events: `separation_time` (every separable row is on its side), `direction_time` (direction error 0.1),
    `largest_stable_rate` at the largest curvature, a quarter of the top eigenvalue of X'X/n: safe everywhere.
    SGD trains on batches of the rows; the theories follow descent alone, and no stable rate is known for it.
    Clock: that of the rule. Errors: ValueError for shapes that do not fit, entries that are not finite numbers, more
    than two classes, an intercept beside a constant column. `derived` follows from the data; leave it out.
    Source: Ji & Telgarsky 2019.
    """

    inputs: Float[Any, "n d"] = array("features, one row a point", symbol="x")
    labels: Float[Any, " n"] = array("labels, two different values", symbol="y")
    intercept: int = size("constant inputs 1 appended to every point: 0 or 1", default=0, low=0, high=1)
    rule: Rule = GradientFlow()
    derived: Any = eqx.field(default=None, metadata={"derived": True})

    random: ClassVar = {"draw": never, "start": never}
    observables: ClassVar[tuple[Observable, ...]] = (
        Observable("train_loss", "training loss, mean of log(1 + exp(-y f))", "R", low=0.0),
        Observable("excess_loss", "training loss over its infimum", "R - inf R", low=0.0, log=True),
        Observable("train_accuracy", "training accuracy", low=0.0, high=1.0, counted=lambda p: p.samples),
        Observable("norm", "norm of the weights", "|w|", low=0.0),
        Observable(
            "direction_error", "distance of the direction from the ray", low=0.0, high=2.0, needs="ray", natural=1.0
        ),
        Observable("margin", "least margin of the separable rows over the norm", needs="ray"),
        Observable("offset_error", "distance from the offset in the span of the other rows", low=0.0, needs="others"),
    )
    events: ClassVar[tuple[Event, ...]] = (
        Event(
            "separation_time",
            "first time at which every separable row is on its side",
            Crossing("margin", 0.0, 1.0),
            "no row is separable, or one was still on the wrong side when the run ended",
        ),
        Event(
            "direction_time",
            "first time at which the direction is within 0.1 of the ray",
            Crossing("direction_error", 0.1, -1.0),
            "no row is separable, or the direction was still further off at the end (the logarithm is slow)",
        ),
        Event(
            "largest_stable_rate",
            "learning rate that is stable wherever the weights are",
            FromDraw(safe_rate),
            "no stability limit is known for this rule",
            unit="",
        ),
    )
    remarks: ClassVar[tuple[Remark, ...]] = (
        Remark("The start is zero: directions at time 0 are the limit t -> 0+.", lambda problem: True),
        Remark(
            "The columns differ in size by more than a factor 1000 (here {amount:.1e}): descent moves along a column "
            "at a rate that goes with its square, so that small columns wait, and flow needs steps as short as the "
            "largest column asks for. Divide each column by its standard deviation: that changes the path, its clock, "
            "ray, offset and margin, and neither the separable rows nor the infimum of the loss.",
            lambda problem: column_spread(np.asarray(problem.inputs)) > UNEVEN,
            amount=lambda problem: column_spread(np.asarray(problem.inputs)),
            slow=True,
        ),
        Remark(
            "Which rows are separable hangs on rounding (lp_margin below 1e-6).",
            lambda problem: problem.derived.lp_margin < 1e-6,
        ),
    )

    def __post_init__(self) -> None:
        self.inputs, self.labels, self.intercept = floats(self.inputs), coded(self.labels), as_switch(self.intercept)
        if not (is_traced(self.inputs) or is_traced(self.labels)):
            self.derived = _geometry(self)

    @property
    def ray(self) -> np.ndarray:
        """The ray of the data; 0 where nothing is separable."""
        return self.derived.ray

    @property
    def others(self) -> int:
        """The dimension of the span of the rows that are not separable."""
        return self.derived.basis.shape[1]

    def extended(self) -> Any:
        """The inputs with the intercept, where there is one."""
        ones = np.ones((self.inputs.shape[0], self.intercept))
        # concrete inputs stay NumPy's, whatever the precision outside the verbs
        joined = np.concatenate if isinstance(self.inputs, np.ndarray) else jnp.concatenate
        return joined([self.inputs, ones], axis=1)

    def draw(self, key: Array) -> LogisticSample:
        labels = jnp.asarray(self.labels)
        alike = jnp.max(labels) == jnp.min(labels)
        low = jnp.where(alike, (labels == 0) | (labels == -1), labels == jnp.min(labels))
        signed = jnp.where(low, -jnp.ones_like(labels), jnp.ones_like(labels))
        return as_sample(self.extended(), signed, self.derived)

    def initial(self, key: Array, data: LogisticSample) -> Float[Array, " d"]:
        return jnp.zeros(data.inputs.shape[1])

    def objective(self, params: Float[Array, " d"], data: LogisticSample) -> Float[Array, ""]:
        return jnp.mean(jax.nn.softplus(-data.labels * (data.inputs @ params)))

    def sample_count(self, data: LogisticSample) -> int:
        return data.labels.shape[0]

    def batch_objective(
        self, params: Float[Array, " d"], data: LogisticSample, indices: Int[Array, " batch"]
    ) -> Float[Array, ""]:
        inputs, labels = jnp.asarray(data.inputs)[indices], jnp.asarray(data.labels)[indices]
        return jnp.mean(jax.nn.softplus(-labels * (inputs @ params)))

    def observe(self, params: Float[Array, " d"], data: LogisticSample) -> dict[str, Array]:
        outputs = data.inputs @ params
        leaving = data.labels @ data.inputs
        # a zero vector has no direction; where even the first gradient is 0 any one will do
        towards = jnp.where(jnp.any(params != 0), params, leaving)
        size_of = jnp.sqrt(jnp.sum(towards**2))
        towards = towards / jnp.where(size_of > 0, size_of, 1.0)
        margins = data.labels * (data.inputs @ towards)
        found = jnp.any(data.separable > 0)
        least = jnp.min(jnp.where(data.separable > 0, margins, jnp.inf))
        off = jnp.sqrt(jnp.sum((towards - data.ray) ** 2))
        return {
            "train_loss": jnp.mean(jax.nn.softplus(-data.labels * outputs)),
            "excess_loss": excess(params, data),
            "train_accuracy": jnp.mean((margins > 0).astype(params.dtype)),
            "norm": jnp.sqrt(jnp.sum(params**2)),
            "direction_error": jnp.where(found, off, jnp.nan),
            "margin": jnp.where(found, least, jnp.nan),
            "offset_error": jnp.sqrt(jnp.sum((data.basis.T @ (params - data.offset)) ** 2)),
        }

    def horizon(self) -> np.ndarray:
        """From 0 geometrically, for what comes is logarithmic: to 3000 over the largest curvature, or until the margin
        of the separable rows is about 6, but to 100 000 over the curvature, and 100 000 steps, at most."""
        rows = np.asarray(self.extended())
        gram = rows.T @ rows if rows.shape[1] <= rows.shape[0] else rows @ rows.T
        bend = 0.25 * float(np.linalg.eigvalsh(gram)[-1]) / rows.shape[0]
        weights = self.derived.multipliers[self.derived.multipliers > 0]
        # ln(time) at a margin of 6, leaving aside what the offset does to it
        wanted = LONG + float(weights @ np.log(rows.shape[0] * weights)) / float(weights.sum()) if weights.size else 0.0
        end = np.clip(np.exp(min(wanted, 700.0)), REACH / (bend or 1.0), MOST_REACH / (bend or 1.0))
        ladder = np.geomspace(1e-4, 1.0, 161)
        unit = self.rule.steps_per_unit(self)
        if unit is None:
            return np.concatenate([[0.0], end * ladder])
        per_step = float(self.rule.flow_time(self, np.asarray([1.0 / unit]))[0])
        steps = min(end / per_step, MOST_STEPS) if np.isfinite(per_step) and per_step > 0 else 2000.0
        return np.unique(np.round(np.concatenate([[0.0], max(steps, 1.0) * ladder]))) / unit

    def as_data(self, raw: Any) -> LogisticSample:
        if isinstance(raw, LogisticSample):
            raw = raw.inputs, raw.labels
        elif isinstance(raw, Mapping) and {"inputs", "labels"} <= set(raw):
            raw = raw["inputs"], raw["labels"]
        if not isinstance(raw, tuple | list) or len(raw) != 2:
            raise ValueError("data must be a pair (inputs, labels), or a mapping with these names.")
        rows, (labels, _) = table(raw[0], "data"), signs(raw[1], "data")
        count, features = np.shape(self.inputs)
        if self.intercept and rows.shape == (count, features):
            rows = with_intercept(rows, self.intercept, "data")
        if rows.shape != (count, features + self.intercept) or labels.shape != (count,):
            raise ValueError(
                f"data has inputs {rows.shape} and labels {labels.shape}; this problem takes "
                f"{(count, features + self.intercept)} and {(count,)}. Another number of points is another problem."
            )
        return as_sample(rows, labels, decompose(-labels[:, None] * rows))

    def as_start(self, raw: Any) -> np.ndarray:
        weights, wanted = np.asarray(raw, dtype=np.float64), np.shape(self.inputs)[1] + self.intercept
        if weights.shape != (wanted,) or not np.all(np.isfinite(weights)):
            raise ValueError(f"start has shape {weights.shape}; {wanted} finite numbers are wanted, one a column.")
        return weights

    @classmethod
    def examples(cls) -> tuple["DatasetLogistic", ...]:
        from .examples import partly_separable

        first = partly_separable()
        return first, vary(first, {"intercept": 1, "rule": HeavyBall(learning_rate=0.5)})


def excess(params: Float[Array, " d"], data: LogisticSample) -> Float[Array, ""]:
    """Loss over its infimum without cancellation: separable rows in full, the others as what their tangent misses."""
    now, best = -data.labels * (data.inputs @ params), -data.labels * (data.inputs @ data.offset)
    chance, step = jax.nn.sigmoid(best), now - best
    near = jnp.clip(step, -30.0, 30.0)
    rise = jnp.where(
        jnp.abs(step) < 30, jnp.log1p(chance * jnp.expm1(near)), jax.nn.softplus(now) - jax.nn.softplus(best)
    )
    beyond = jnp.maximum(rise - chance * step, 0.0)
    return jnp.mean(jnp.where(data.separable > 0, jax.nn.softplus(now), beyond))


def _geometry(problem: DatasetLogistic) -> Decomposition:
    """The decomposition of a problem's data, after all checks."""
    check_ranges(problem)
    rows = np.asarray(problem.inputs)
    if rows.ndim != 2 or np.shape(problem.labels) != rows.shape[:1]:
        raise ValueError(
            f"DatasetLogistic: inputs have shape {rows.shape} and labels {np.shape(problem.labels)}; give inputs "
            "(points, features) and one label a point."
        )
    labels, _ = signs(problem.labels, "DatasetLogistic")
    whole = with_intercept(rows, problem.intercept, "DatasetLogistic")
    key = hashlib.sha256(repr(whole.shape).encode() + whole.tobytes() + labels.tobytes()).hexdigest()
    if key not in _KNOWN:
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.pop(next(iter(_KNOWN)))
        _KNOWN[key] = decompose(-labels[:, None] * whole)
    return _KNOWN[key]


# a problem is made again for every changed scalar: its data are not taken apart anew
_KNOWN: dict[str, Decomposition] = {}
_MOST_KNOWN = 16
