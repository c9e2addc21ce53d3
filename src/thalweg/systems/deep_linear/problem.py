"""A deep linear network on a white target, on samples, or taught by a drawn linear map."""

import operator
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...rules import GradientDescent, GradientFlow
from ...words.fields import check_ranges, is_traced
from ...words.problem import Event, Observable, Problem, Remark, Rule, array, scalar, size, spread_times, vector
from .layers import Layers, alignment_defect, circulant, imbalance_norms, product
from .readings import EVENTS, OBSERVABLES, gradient_norm
from .starts import GaussianLayers, GivenLayers, LayerLaw, as_law, as_layers, check_law
from .task import RANK_TOLERANCE, Task, as_sample_task, as_white_task, check_samples, sample_task, white_task

# the horizon ends where the slowest mode has this many e-folds behind it
LATE = 6.0


def _whole_widths(raw: Any) -> Any:
    """A tuple of ints; a misfit passes (checked later)."""
    try:
        return tuple(operator.index(width) for width in raw)
    except TypeError:
        return raw


def _is_drawn(problem: Any) -> bool:
    """Inputs are drawn, or the map."""
    return problem.inputs is None and (bool(problem.samples) or problem.known_target() is None)


class DeepLinear(Problem):
    """Deep linear network f(x) = W_N ... W_1 x, W_j of shape (d_j, d_{j-1}), no biases, trained with the square loss.

        f(x) = W_N ... W_1 x,   objective = train_loss + (1/2) sum_j weight_decay_j |W_j|^2.
    `widths` = (d_0, ..., d_N). What it learns is one of
        target (d_N, d_0), or a list, the diagonal of one: white inputs, train_loss = (1/2)|W - Z|_F^2;
        inputs (n, d_0), outputs (n, d_N), rows: train_loss = (1/2n) sum |y - W x|^2;
        neither: a drawn target, entries N(0, 1/d_0), anew for each seed.
    With `samples` = n > 0 a target is seen through n normal inputs, drawn for each seed. The rule descends train_loss +
    (1/2) sum_j weight_decay_j |W_j|^2 (one number for all layers, or one a layer). `circulant`: every layer is
    C_ij = w_((i-j) mod d), its d numbers are what moves, what decays and what a start gives.
    Start: the layers (W_1, ..., W_N), or a law whose entries or singular values init_scale multiplies: GaussianLayers()
    (the default), BalancedLayers(), LambdaBalancedLayers(), AlignedLayers(). `data=` takes a target, or (inputs,
    outputs). distance_to_min_norm is |W - W*|_F with W* = Z or (pinv(X) Y)', singular values of X below 1e-10 of the
    largest being zero. Clock: that of the rule; a loss that sums over n samples runs n times faster.
    Errors: ValueError for widths that do not chain with data or start, entries that are not finite, negative decay.
    Source: Saxe, McClelland & Ganguli 2014; Arora et al. 2019; Min et al. 2021.
    """

    target: Any = vector("target map (outputs, inputs), or its diagonal", symbol="Z", default=None)
    inputs: Any = array("inputs, one row a sample", symbol="X", default=None)
    outputs: Any = array("outputs, one row a sample", symbol="Y", default=None)
    widths: tuple[int, ...] = eqx.field(converter=_whole_widths, static=True, default=(4, 8, 3))
    samples: int = size("normal inputs that show the target (0: white)", symbol="n", default=0, low=0)
    init_scale: float = scalar("scale of the start's entries", symbol="sigma", default=1e-2, above=0.0, log=True)
    weight_decay: Any = vector("weight decay, one number or one a layer", symbol="lambda", default=0.0)
    circulant: bool = False
    start: LayerLaw | None = eqx.field(converter=as_law, default=None)
    rule: Rule = GradientFlow()

    random: ClassVar = {"draw": _is_drawn, "start": lambda problem: problem.law.random}
    observables: ClassVar[tuple[Observable, ...]] = OBSERVABLES
    events: ClassVar[tuple[Event, ...]] = EVENTS
    remarks: ClassVar[tuple[Remark, ...]] = (
        Remark(
            "A hidden layer is narrower than inputs and outputs: the network reaches low-rank maps alone.",
            lambda problem: min(problem.widths) < min(problem.widths[0], problem.widths[-1]),
        ),
    )

    def __check_init__(self) -> None:
        self._check_widths()
        if any(is_traced(leaf) for leaf in jax.tree.leaves(self)):
            return
        check_ranges(self)
        if not isinstance(self.circulant, bool):
            raise ValueError(f"DeepLinear: circulant = {self.circulant!r} is not allowed; give True or False.")
        self._check_data()
        self._check_decay()
        if not self.circulant:
            check_law("DeepLinear", self.law, self.widths)
        elif len(set(self.widths)) > 1:
            raise ValueError(f"DeepLinear: widths = {self.widths} differ; circulant layers need one width throughout.")
        elif not isinstance(self.law, GaussianLayers | GivenLayers):
            raise ValueError(
                "DeepLinear: circulant layers start from GaussianLayers() or from given filters (w_1, ...)."
            )

    def _check_widths(self) -> None:
        widths: Any = self.widths
        good = isinstance(widths, tuple) and len(widths) > 1 and all(isinstance(w, int) and w > 0 for w in widths)
        if not good:
            raise ValueError(
                f"DeepLinear: widths = {widths!r:.60} is not allowed; give whole numbers >= 1, inputs first, outputs "
                "last, such as (4, 8, 3)."
            )

    def _check_data(self) -> None:
        shape = (self.widths[-1], self.widths[0])
        if (self.inputs is None) != (self.outputs is None):
            raise ValueError("DeepLinear: inputs and outputs come together; one of them is missing.")
        if self.inputs is not None:
            if self.target is not None or self.samples:
                raise ValueError("DeepLinear: give a target (with samples, if wanted) or inputs and outputs, not both.")
            check_samples("DeepLinear", self.inputs, self.outputs, shape)
        elif self.target is not None and np.shape(self.target) not in (shape, (min(shape),)):
            raise ValueError(
                f"DeepLinear: target has shape {np.shape(self.target)}; widths = {self.widths} want {shape} (outputs, "
                f"inputs), or its {min(shape)} diagonal entries."
            )

    def _check_decay(self) -> None:
        decay, layers = np.asarray(self.weight_decay), len(self.widths) - 1
        if decay.shape not in ((), (layers,)) or np.any(decay < 0):
            raise ValueError(
                f"DeepLinear: weight_decay = {decay.tolist()} is not allowed; give a number >= 0, or {layers}, one a "
                "layer."
            )

    @property
    def hidden_layers(self) -> int:
        """Number of hidden layers, N - 1."""
        return len(self.widths) - 2

    @property
    def law(self) -> Any:
        """Law of the start; Gaussian layers where none is given."""
        return GaussianLayers() if self.start is None else self.start

    def decays(self) -> Float[Array, " layers"]:
        """Weight decay of each layer."""
        return jnp.broadcast_to(jnp.asarray(self.weight_decay), (len(self.widths) - 1,))

    def known_target(self) -> Any:
        """The target map as a matrix; None where it is drawn or unknown."""
        if self.target is None or np.ndim(self.target) == 2:
            return self.target
        rows, columns = self.widths[-1], self.widths[0]
        values = jnp.asarray(self.target) if is_traced(self.target) else self.target
        return jnp.eye(rows, columns) * jnp.pad(values, (0, columns - values.shape[0]))[None, :]

    def layers(self, params: Layers) -> Layers:
        """The layers as matrices."""
        return tuple(circulant(one) for one in params) if self.circulant else params

    def draw(self, key: Array) -> Task:
        if self.inputs is not None:
            return sample_task(jnp.asarray(self.inputs), jnp.asarray(self.outputs))
        map_key, input_key = jax.random.split(key)
        outputs, inputs = self.widths[-1], self.widths[0]
        known = self.known_target()
        if known is None:
            known = jax.random.normal(map_key, (outputs, inputs), dtype=jnp.float64) / jnp.sqrt(inputs)
        target = jnp.asarray(known)
        if not self.samples:
            return white_task(target)
        seen = jax.random.normal(input_key, (self.samples, inputs), dtype=jnp.float64)
        return sample_task(seen, seen @ target.T)

    def initial(self, key: Array, data: Task) -> Layers:
        if self.circulant and isinstance(self.law, GaussianLayers):
            filters = jax.random.normal(key, (len(self.widths) - 1, self.widths[0]), dtype=jnp.float64)
            return tuple(self.init_scale * filters)
        return self.law.draw(key, self.widths, self.init_scale, data)

    def objective(self, params: Layers, data: Task) -> Float[Array, ""]:
        decays = self.decays()
        penalty = sum(decays[j] * jnp.sum(jnp.square(one)) for j, one in enumerate(params))
        return data.loss(product(self.layers(params))) + 0.5 * penalty

    def observe(self, params: Layers, data: Task) -> dict[str, Array]:
        layers = self.layers(params)
        whole = product(layers)
        return {
            "train_loss": data.loss(whole),
            "singular_values": jnp.linalg.svd(whole, compute_uv=False),
            "alignment_defect": alignment_defect(layers),
            "imbalance": imbalance_norms(layers),
            "distance_to_min_norm": jnp.sqrt(jnp.sum((whole - data.solution) ** 2)),
            "layer_norms": jnp.stack([jnp.sqrt(jnp.sum(jnp.square(one))) for one in layers]),
            "gradient_norm": gradient_norm(self, params, data),
        }

    def horizon(self) -> np.ndarray:
        """To six e-folds beyond the time at which the slowest reachable mode is learned from a balanced start."""
        depth, strength = len(self.widths) - 1, max(self.law.strength(self.widths, float(self.init_scale)), 1e-9)
        end = max(_learned(float(s), float(v), depth, strength) for s, v in self._modes())
        return spread_times(self, min(end, 1e6))

    def _modes(self) -> list[tuple[float, float]]:
        """Strength of each reachable mode of the solution, with the least variance of an input that matters."""
        if self.inputs is not None:
            task = sample_task(np.asarray(self.inputs), np.asarray(self.outputs))
            values, spread = task.strengths, np.linalg.svd(task.inputs, compute_uv=False) ** 2 / len(task.inputs)
            variance = float(spread[spread > RANK_TOLERANCE * spread[0]].min(initial=spread[0]))
        else:
            known = self.known_target()
            typical = np.full(min(self.widths), 0.5)
            values = typical if known is None else np.linalg.svd(np.asarray(known), compute_uv=False)
            variance = 1.0
        # a mode a hundred times weaker than the first is not waited for
        kept = [float(v) for v in values[: min(self.widths)] if v > 0.01 * values[0]]
        return [(value, variance or 1.0) for value in kept] or [(1.0, variance or 1.0)]

    def as_data(self, raw: Any) -> Task:
        shape = (self.widths[-1], self.widths[0])
        if self.inputs is None and not self.samples:
            return as_white_task(raw, shape)
        return as_sample_task(raw, shape)

    def as_start(self, raw: Any) -> Layers:
        return as_layers(raw, self.widths, self.circulant)

    @classmethod
    def examples(cls) -> tuple["DeepLinear", ...]:
        return (
            cls(widths=(3, 5, 2), init_scale=0.3),
            cls(
                samples=6,
                widths=(3, 2, 3, 2),
                init_scale=0.3,
                weight_decay=(0.1, 0.0, 0.05),
                rule=GradientDescent(learning_rate=0.05),
            ),
        )


def _learned(value: float, variance: float, depth: int, strength: float) -> float:
    """Flow time in which a balanced mode of this strength is learned, and six e-folds of its late rate more."""
    ratio = value ** (1 / depth) / strength
    rate = depth * value ** (2 - 2 / depth) * variance
    if ratio <= 1 or depth == 1:
        return LATE / rate
    growth = value * variance
    escape = np.log(ratio) / growth if depth == 2 else strength ** (2 - depth) / ((depth - 2) * growth)
    return min(escape, 1e4 / growth) + LATE / rate
