"""A shallow ReLU network on orthogonal inputs, in reduced coordinates."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...rules import GradientDescent, GradientFlow
from ...words.fields import check_ranges, is_traced, vary
from ...words.problem import Event, Rule, scalar, size, vector
from .readings import COMMON, NORM_GAP
from .relu_network import Sample, ShallowReLU, check_labels


class OrthogonalSample(Sample):
    """Orthogonal inputs x_k = norms_k e_k with labels y_k; `hidden` (m, n) is written in the directions e_k."""

    labels: Float[Any, " n"]
    norms: Float[Any, " n"]

    def preactivations(self, hidden: Float[Array, "m n"]) -> Float[Array, "m n"]:
        return hidden * self.norms[None, :]

    def combine(self, weights: Float[Array, "m n"]) -> Float[Array, "m n"]:
        return weights * self.norms[None, :]


class OrthogonalReLU(ShallowReLU):
    """Two-layer ReLU network trained from a small start on pairwise orthogonal inputs.

    h(x) = sum_j a_j relu(w_j . x), no output bias, relu'(0) = 0. Inputs x_k, k = 1..n, are pairwise orthogonal with
    norms xi_k; only u_jk = w_j . x_k / xi_k moves, so that hidden weights are kept as u (m, n) and the cost knows no
    input dimension: h_k = xi_k sum_j a_j relu(u_jk).
        train_loss = (1/2n) sum_k (h_k - y_k)^2,   h_k = xi_k sum_j a_j relu(u_jk),
        u_jk' = a_j 1[u_jk > 0] g_k,   a_j' = sum_k relu(u_jk) g_k,   g_k = xi_k (y_k - h_k)/n
    under gradient flow. Descent with rate lr on the mean square (without 1/2) has t = 2 lr steps.
    Start: u_jk independent N(0, init_scale^2); a_j of fair sign with |a_j| = balance |u_j|. An own start is
    tw.TwoLayer(hidden=(m, n), output=(m,)) in the same coordinates.
    Observables by unit: `neuron_norm` is |a_j|; `alignment` is sign(a_j) cos(w_j, D_j) with the target of the unit's
    own pattern D_j = (1/n) sum over its active points of y_k x_k, 0 for a unit active nowhere; `balance` is
    (a_j^2 - |w_j|^2)/(a_j^2 + |w_j|^2), whose numerator gradient flow conserves.
    Clock: that of the rule. Errors: ValueError for a label 0, a norm that is not positive, lists of different length.
    Source: Boursier, Pillaud-Vivien & Flammarion 2022.
    """

    labels: Float[Any, " n"] = vector("labels, none of them 0", symbol="y", default=(1.0, 0.5, -0.6, -0.3))
    norms: Float[Any, " n"] = vector("norms of the inputs", symbol="xi", default=(1.0, 1.0, 1.0, 1.0))
    width: int = size("number of hidden units", symbol="m", default=64)
    init_scale: float = scalar(
        "standard deviation of a hidden weight at the start", symbol="lambda", default=1e-6, above=0.0, log=True
    )
    balance: float = scalar("|a_j| / |w_j| at the start", default=1.0, low=0.0)
    rule: Rule = GradientFlow(tolerance=1e-10)

    events: ClassVar[tuple[Event, ...]] = (*COMMON, NORM_GAP)

    def __check_init__(self) -> None:
        if is_traced(self.labels) or is_traced(self.norms):
            return
        check_ranges(self)
        check_labels("OrthogonalReLU", self.labels)
        if np.shape(self.norms) != np.shape(self.labels):
            raise ValueError(
                f"OrthogonalReLU: norms have shape {np.shape(self.norms)} and labels {np.shape(self.labels)}; "
                "give one norm a label."
            )
        if np.any(np.asarray(self.norms) <= 0):
            where = int(np.argmax(np.asarray(self.norms) <= 0))
            raise ValueError(
                f"OrthogonalReLU: norms[{where}] = {float(self.norms[where]):g} is not allowed; norms are > 0. "
                "Leave a point at the origin out: no network of this kind can fit it."
            )

    def directions(self) -> int:
        return self.labels.shape[0]

    def strengths(self) -> np.ndarray:
        return np.asarray(self.norms) * np.abs(np.asarray(self.labels))

    def draw(self, key: Array) -> OrthogonalSample:
        return OrthogonalSample(labels=jnp.asarray(self.labels), norms=jnp.asarray(self.norms))

    def as_data(self, raw: Any) -> OrthogonalSample:
        names, parts = ("labels", "norms"), {}
        if isinstance(raw, OrthogonalSample):
            parts = {name: getattr(raw, name) for name in names}
        elif isinstance(raw, Mapping):
            parts = dict(raw)
        elif isinstance(raw, tuple | list) and len(raw) == 2:
            parts = dict(zip(names, raw, strict=True))
        count = self.labels.shape[0]
        found = {name: np.asarray(parts.get(name, ()), dtype=np.float64) for name in names}
        wrong = [name for name in names if found[name].shape != (count,) or not np.all(np.isfinite(found[name]))]
        if wrong or np.any(found["norms"] <= 0) or np.any(found["labels"] == 0):
            raise ValueError(
                f"data must be a pair (labels, norms) of {count} finite numbers each, labels not 0 and norms > 0; "
                "another number of points is another problem."
            )
        return OrthogonalSample(**found)

    @classmethod
    def examples(cls) -> tuple["OrthogonalReLU", ...]:
        first = cls(labels=(1.0, 0.7, -0.6), norms=(1.0, 1.2, 0.9), width=10, init_scale=1e-5)
        return first, vary(first, {"width": 7, "balance": 0.6, "rule": GradientDescent(learning_rate=0.2)})
