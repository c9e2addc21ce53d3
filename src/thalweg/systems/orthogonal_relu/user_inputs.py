"""A shallow ReLU network on a user's own inputs, trained without the reduction to orthogonal coordinates."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...computing.float64 import float64
from ...data.two_layer import TwoLayer
from ...rules import GradientDescent, GradientFlow
from ...words.fields import check_ranges, is_traced, vary
from ...words.problem import Event, Remark, Rule, array, scalar, size
from .problem import OrthogonalReLU
from .readings import COMMON
from .relu_network import Sample, ShallowReLU

# inputs whose worst cosine is below this count as orthogonal
ORTHOGONAL = 1e-9


class InputSample(Sample):
    """Inputs x_k (n, d), a constant input included where there is one, with labels (n,)."""

    inputs: Float[Any, "n d"]
    labels: Float[Any, " n"]

    @property
    def norms(self) -> Any:
        """|x_k|."""
        return jnp.sqrt(jnp.sum(jnp.square(self.inputs), axis=1))

    def preactivations(self, hidden: Float[Array, "m d"]) -> Float[Array, "m n"]:
        return hidden @ self.inputs.T

    def combine(self, weights: Float[Array, "m n"]) -> Float[Array, "m d"]:
        return weights @ self.inputs


def worst_cosine(inputs: Any) -> float:
    """Largest |cosine| between two different inputs (n, d): 0 if they are pairwise orthogonal, or one alone."""
    rows = np.asarray(inputs, dtype=np.float64)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows / np.where(norms > 0, norms, 1.0)
    cosines = np.abs(rows @ rows.T)
    np.fill_diagonal(cosines, 0.0)
    return float(np.max(cosines))


class UserInputsReLU(ShallowReLU):
    """Two-layer ReLU network trained from a small start on a user's own inputs, orthogonal or not.

    h(x) = sum_j a_j relu(w_j . x), no output bias, relu'(0) = 0; `bias=1` appends a constant input 1 to every point,
    a bias of the hidden units. Inputs (n, d), labels (n,), hidden weights (m, d), or (m, d + 1) with the bias.
        h(x) = sum_j a_j relu(w_j.x),   train_loss = (1/2n) sum_k (h(x_k) - y_k)^2.
    Descent with rate lr on the mean square (without 1/2) has t = 2 lr steps.
    Start: hidden weights independent N(0, init_scale^2), the bias included; a_j of fair sign, |a_j| = balance |w_j|.
    Observables are those of OrthogonalReLU. Theories of orthogonal inputs measure `worst_cosine(inputs)`; where that
    is below 1e-9, `reduced(problem)` is the same problem in n coordinates.
    Where the inputs are not orthogonal the flow may slide along the kink of a unit; the default rule then takes steps
    of 1e-3, and so does the descent of the source.
    Clock: that of the rule. Errors: ValueError for shapes that do not fit, for labels that are all 0, and for an input
    at the origin without a bias.
    Source: Boursier, Pillaud-Vivien & Flammarion 2022, experiments.
    """

    inputs: Float[Any, "n d"] = array("inputs, one row a point", symbol="x")
    labels: Float[Any, " n"] = array("labels", symbol="y")
    bias: int = size("constant inputs 1 appended to every point: 0 or 1", default=0, low=0, high=1)
    width: int = size("number of hidden units", symbol="m", default=64)
    init_scale: float = scalar(
        "standard deviation of a hidden weight at the start", symbol="lambda", default=1e-6, above=0.0, log=True
    )
    balance: float = scalar("|a_j| / |w_j| at the start", default=1.0, low=0.0)
    rule: Rule = GradientFlow(tolerance=1e-10, smallest_step=1e-3)

    events: ClassVar[tuple[Event, ...]] = COMMON
    remarks: ClassVar[tuple[Remark, ...]] = (
        Remark(
            "The inputs are not orthogonal: correlations re-activate points, which theories of orthogonal inputs miss.",
            lambda problem: worst_cosine(extended(problem)) > ORTHOGONAL,
        ),
    )

    def __check_init__(self) -> None:
        if is_traced(self.inputs) or is_traced(self.labels):
            return
        check_ranges(self)
        if not np.any(np.asarray(self.labels)):
            raise ValueError("UserInputsReLU: labels are all 0, which a zero network fits; give some that are not.")
        _check_inputs("UserInputsReLU: inputs", self.inputs, np.shape(self.labels), self.bias)

    def directions(self) -> int:
        return self.inputs.shape[1] + self.bias

    def strengths(self) -> np.ndarray:
        return np.linalg.norm(extended(self), axis=1) * np.abs(np.asarray(self.labels))

    def draw(self, key: Array) -> InputSample:
        return _sample(_with_bias(self.inputs, self.bias), jnp.asarray(self.labels))

    def as_data(self, raw: Any) -> InputSample:
        names, parts = ("inputs", "labels"), {}
        if isinstance(raw, InputSample):
            parts = {name: getattr(raw, name) for name in names}
        elif isinstance(raw, Mapping):
            parts = {str(name): value for name, value in raw.items()}
        elif isinstance(raw, tuple | list) and len(raw) == 2:
            parts = dict(zip(names, raw, strict=True))
        if set(parts) != set(names):
            raise ValueError("data must be a pair (inputs, labels), or a mapping with these names.")
        inputs, labels = (np.asarray(parts[name], dtype=np.float64) for name in names)
        rows, features = np.shape(self.inputs)
        if self.bias and inputs.shape == (rows, features):
            inputs = np.concatenate([inputs, np.ones((rows, 1))], axis=1)
        if inputs.shape != (rows, features + self.bias) or labels.shape != (rows,):
            raise ValueError(
                f"data.inputs has shape {np.shape(parts['inputs'])} and data.labels {labels.shape}; this problem takes "
                f"{(rows, features)} and {(rows,)}. Another number of points is another problem."
            )
        _check_inputs("data: inputs", inputs, labels.shape, 0)
        return _sample(inputs, labels)

    @classmethod
    def examples(cls) -> tuple["UserInputsReLU", ...]:
        # three correlated points on a line, given a bias
        first = cls(
            inputs=np.array([[-1.0], [0.5], [2.0]]),
            labels=np.array([0.7, -0.5, 0.4]),
            bias=1,
            width=6,
            init_scale=1e-3,
            rule=GradientFlow(1e-8, smallest_step=0.02),
        )
        return first, vary(first, {"width": 5, "bias": 0, "rule": GradientDescent()})


def _sample(inputs: Any, labels: Any) -> InputSample:
    return InputSample(inputs=inputs, labels=labels)  # pyright: ignore[reportCallIssue] (norms follow from inputs)


def _check_inputs(what: str, inputs: Any, labels: tuple[int, ...], bias: int) -> None:
    if np.ndim(inputs) != 2 or labels != (np.shape(inputs)[0],):
        raise ValueError(
            f"{what} have shape {np.shape(inputs)} and labels {labels}; give inputs (points, features) and one label "
            "a point."
        )
    at_origin = ~np.any(np.asarray(inputs) != 0, axis=1)
    if not bias and np.any(at_origin):
        raise ValueError(
            f"{what}: point {int(np.argmax(at_origin))} is 0, which no unit without a bias can fit; leave it out or "
            "set bias=1."
        )


def _with_bias(inputs: Any, bias: int) -> Any:
    return jnp.concatenate([jnp.asarray(inputs), jnp.ones((inputs.shape[0], bias))], axis=1)


def extended(problem: UserInputsReLU) -> np.ndarray:
    """The inputs with the constant one, where there is one."""
    rows = np.asarray(problem.inputs)
    return np.concatenate([rows, np.ones((rows.shape[0], problem.bias))], axis=1)


def reduced(problem: UserInputsReLU) -> OrthogonalReLU:
    """The same problem in the directions of its inputs; ValueError, with the worst cosine, if they are not orthogonal.

    Draws of the start differ: here |a_j| = balance times the norm within the directions of the inputs. An own start
    goes over by `reduced_start`.
    """
    inputs = extended(problem)
    cosine = worst_cosine(inputs)
    if cosine > ORTHOGONAL:
        raise ValueError(
            f"the inputs are not orthogonal: the worst cosine between two of them is {cosine:.3g}, allowed is "
            f"{ORTHOGONAL:g}. Train UserInputsReLU as it is."
        )
    return OrthogonalReLU(
        labels=np.asarray(problem.labels),
        norms=np.linalg.norm(inputs, axis=1),
        width=problem.width,
        init_scale=problem.init_scale,
        balance=problem.balance,
        rule=problem.rule,
    )


def reduced_start(start: TwoLayer, inputs: Float[Any, "n d"]) -> TwoLayer:
    """A start in the directions of the inputs: u_jk = w_j . x_k / |x_k|. What lies outside them never moves."""
    with float64():
        return jax.tree.map(
            np.asarray, TwoLayer(start.hidden @ (inputs / np.linalg.norm(inputs, axis=1)[:, None]).T, start.output)
        )
