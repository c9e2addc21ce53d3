"""What both problems of this family share: the network, its loss, its observables."""

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ...data.two_layer import TwoLayer, as_two_layer, small_start
from ...diagnostics import alignment, balance, distinct_patterns, half_squared_norm, variation_norm
from ...words.problem import Axis, Observable, Problem, always, never, spread_times
from ...words.views import Growth, Paths, View

SAMPLE = Axis("sample", words="training point")
UNIT = Axis("unit", words="unit")
SIGN = Axis("sign", ("positive", "negative"), "sign of the labels")


class Sample(eqx.Module):
    """A data set of this family: n labels, and inputs that only the two products below touch."""

    labels: eqx.AbstractVar[Float[Any, " n"]]
    norms: eqx.AbstractVar[Float[Any, " n"]]

    @abc.abstractmethod
    def preactivations(self, hidden: Float[Array, "m d"]) -> Float[Array, "m n"]:
        """w_j . x_k."""

    @abc.abstractmethod
    def combine(self, weights: Float[Array, "m n"]) -> Float[Array, "m d"]:
        """sum_k weights_jk x_k."""


OBSERVABLES = (
    Observable("train_loss", "training loss, half the mean squared error", "L", low=0.0),
    Observable("half_squared_norm", "half the squared norm of all weights", "|theta|^2/2", low=0.0),
    Observable("variation_norm", "variation norm of the network, sum |a_j| |w_j|", "N", low=0.0),
    Observable("outputs", "output of the network at each point", "h", dims=(SAMPLE,)),
    Observable("neuron_norm", "size |a_j| of each unit's output weight", "|a|", dims=(UNIT,), low=0.0, log=True),
    Observable("alignment", "alignment of each unit with its own target", "cos", dims=(UNIT,), low=-1.0, high=1.0),
    Observable("active_patterns", "number of different patterns among living units", low=0.0, whole=True),
    Observable("balance", "balance of each unit, from -1 to 1", dims=(UNIT,), low=-1.0, high=1.0),
)


class ShallowReLU(Problem):
    """h(x) = sum_j a_j relu(w_j . x), square loss, small start; the concrete problems say where x comes from."""

    width: eqx.AbstractVar[int]
    init_scale: eqx.AbstractVar[float]
    balance: eqx.AbstractVar[float]

    random: ClassVar = {"draw": never, "start": always}
    observables: ClassVar[tuple[Observable, ...]] = OBSERVABLES
    views: ClassVar[tuple[View, ...]] = (
        Growth("growth", "size of every unit: straight lines grow at their rate, level ones sleep", of="neuron_norm"),
        Paths("paths", "every unit by its alignment and its size", radius="neuron_norm", cosine="alignment"),
    )

    @abc.abstractmethod
    def directions(self) -> int:
        """Length of a row of `hidden`."""

    @abc.abstractmethod
    def strengths(self) -> np.ndarray:
        """|x_k| |y_k| for every point."""

    def initial(self, key: Array, data: Sample) -> TwoLayer:
        return small_start(key, self.width, self.directions(), self.init_scale, self.balance)

    def objective(self, params: TwoLayer, data: Sample) -> Float[Array, ""]:
        return 0.5 * jnp.mean((network_outputs(params, data) - data.labels) ** 2)

    def observe(self, params: TwoLayer, data: Sample) -> dict[str, Array]:
        active = data.preactivations(params.hidden) > 0
        outputs = network_outputs(params, data)
        return {
            "train_loss": 0.5 * jnp.mean((outputs - data.labels) ** 2),
            "half_squared_norm": half_squared_norm(params),
            "variation_norm": variation_norm(params),
            "outputs": outputs,
            "neuron_norm": jnp.abs(params.output),
            "alignment": own_alignment(params, data),
            "active_patterns": 1.0 * distinct_patterns(active),
            "balance": balance(params),
        }

    def horizon(self) -> np.ndarray:
        # a unit that sees one point alone grows at the rate |x_k| |y_k| / n: the slowest such jump, and its decay
        strengths = self.strengths()
        slowest = float(np.min(strengths[strengths > 0])) / len(strengths)
        start = max(0.0, -float(np.log(self.init_scale)))
        return spread_times(self, 1.2 * (start + 5.0) / slowest)

    def as_start(self, raw: Any) -> TwoLayer:
        return as_two_layer(raw, self.width, self.directions())


def network_outputs(params: TwoLayer, data: Sample) -> Float[Array, " n"]:
    """h(x_k)."""
    return params.output @ jax.nn.relu(data.preactivations(params.hidden))


def towards(active: Bool[Array, "m n"], pulls: Float[Array, " n"], data: Sample) -> Float[Array, "m d"]:
    """(1/n) sum over each unit's active points of pulls_k x_k: its drive where pulls are the residuals."""
    return data.combine(active.astype(pulls.dtype) * pulls[None, :]) / pulls.shape[0]


def own_alignment(params: TwoLayer, data: Sample) -> Float[Array, " m"]:
    """sign(a_j) cos(w_j, D_j) with the target of the unit's own pattern, the labels in place of the residuals.

    As long as outputs are negligible this is the drive itself; later it stays a sharp number where residuals vanish.
    """
    active = data.preactivations(params.hidden) > 0
    return alignment(params, towards(active, data.labels, data))


def check_labels(owner: str, labels: Any) -> None:
    """ValueError for labels that are no list, or with a zero among them."""
    if np.ndim(labels) != 1:
        raise ValueError(f"{owner}: labels have shape {np.shape(labels)}; give one number a point.")
    if np.any(np.asarray(labels) == 0):
        where = int(np.argmax(np.asarray(labels) == 0))
        raise ValueError(
            f"{owner}: labels[{where}] is 0, which has no sign to learn; drop the point or give it another label."
        )
