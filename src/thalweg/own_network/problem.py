"""A network of the user's own, on data of the user's own, as a problem."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..computing.tree_paths import fitting
from ..computing.trees import count_rows, doubled, doubled_type, rows_at, split
from ..rules import SGD, GradientDescent, GradientFlow
from ..words.fields import arrays_of, check_ranges, function, is_traced, scalar, tree, vary
from ..words.problem import Observable, Rule, SampledProblem, never
from .tried_functions import Same, Shapes, Tried, check_first_loss, check_rows, settings_of, tried, uses_key, whole


def half_square(outputs: Any, targets: Any) -> Float[Array, ""]:
    """(1/2n) sum |outputs - targets|^2: the mean over samples of half the square, summed over outputs."""
    if np.shape(outputs) != np.shape(targets):
        raise ValueError(
            f"outputs have the shape {np.shape(outputs)}, targets {np.shape(targets)}; reshape one of them, or give "
            "loss=, a function loss(outputs, targets)."
        )
    return 0.5 * squared_norm(outputs - targets) / np.shape(outputs)[0]


class StoredRows(SampledProblem):
    """A problem whose samples are the rows of stored arrays, so that some of them are a data set like the whole."""

    def sample_count(self, data: Any) -> int:
        return count_rows(data)

    def batch_objective(self, params: Any, data: Any, indices: Int[Array, " batch"]) -> Float[Array, ""]:
        return self.objective(params, rows_at(data, indices))


class NetworkProblem(StoredRows):
    """A network of your own on data of your own: `apply(params, inputs)` from `init(key)`, trained by any rule.

    data = (inputs, targets): arrays, or nested tuples and dictionaries of them (lists become tuples), samples first;
    targets may be () for a loss without any. objective = train_loss + (weight_decay/2) |params|^2, train_loss =
    loss(apply(params, inputs), targets): the mean over samples, half the square summed over outputs unless `loss` is
    given; minibatches rely on that mean. test_loss, and test_accuracy, on `test_data` where given. Accuracies exist
    where they can be told: targets that are one-hot rows, or whole numbers 0 to K-1 (samples,) beside outputs
    (samples, K); the class is that of the largest output. squared_norm = |params|^2.
    `init` gives any pytree of floating-point arrays. In an Equinox module, or a tree that holds functions, Python
    numbers and functions are settings, which `apply` gets back in their places. Draws: the data are the same for every
    seed, the start differs. Clock: that of the rule.
    Verbs run in float64: floating-point data and parameters are promoted, whole numbers (tokens, labels) stay.
    Functions are kept in files by module and name, where they can be imported; `rerun` refuses others.
    Raises ValueError for functions that do not fit together, a loss that is no finite number, rows of unlike counts.
    """

    apply: Callable[..., Any] = function("apply(params, inputs): the outputs, samples first")
    init: Callable[..., Any] = function("init(key): the parameters at the start")
    loss: Callable[..., Any] = function("loss(outputs, targets): the mean over samples", default=half_square)
    data: Any = tree("(inputs, targets), samples first", default=None)
    rule: Rule = GradientDescent()
    test_data: Any = tree("(inputs, targets) for the test loss", default=None)
    weight_decay: float = scalar("strength of the squared-norm penalty", symbol="lambda", default=0.0, low=0.0)

    observables: ClassVar[tuple[Observable, ...]] = (
        Observable("train_loss", "training loss", "L"),
        Observable("test_loss", "test loss", "L_test", needs="tested"),
        Observable("train_accuracy", "training accuracy", low=0.0, high=1.0, needs="classified"),
        Observable("test_accuracy", "test accuracy", low=0.0, high=1.0, needs="test_classified"),
        Observable("squared_norm", "squared norm of the parameters", "|theta|^2", low=0.0),
    )

    random: ClassVar[Mapping[str, Callable[[Any], bool]]] = {
        "draw": never,
        "start": lambda problem: uses_key(problem.init),
    }

    def __check_init__(self) -> None:
        if any(is_traced(leaf) for leaf in jax.tree.leaves((self.data, self.test_data))):
            return
        check_ranges(self)
        check_rows("data", self.data)
        self._try(self.data)
        if self.test_data is not None:
            self.as_data(self.test_data, "test_data")
        leaves, structure = jax.tree.flatten(self.data)
        check_first_loss(self.apply, self.init, self.loss, Same(leaves), structure)

    def _try(self, data: Any) -> Tried:
        return tried(self.apply, self.init, self.loss, Shapes.of(data))

    @property
    def tested(self) -> int:
        """Whether there is a test set: 0 or 1."""
        return int(self.test_data is not None)

    @property
    def classified(self) -> int:
        """Whether targets are classes, so that there is an accuracy: 0 or 1."""
        return int(_are_classes(self._try(self.data).outputs, self.data[1]))

    @property
    def test_classified(self) -> int:
        """Whether there is an accuracy of the test set: 0 or 1."""
        return int(self.test_data is not None and _are_classes(self._try(self.test_data).outputs, self.test_data[1]))

    def model(self, params: Any) -> Any:
        """What `apply` takes: the parameters, with the settings that no step moves back in their places."""
        return whole(params, settings_of(self.init))

    def outputs(self, params: Any, inputs: Any) -> Any:
        """What the network gives for these inputs."""
        return self.apply(self.model(params), inputs)

    def states(self, params: Any, inputs: Any) -> list[Any]:
        """The outputs, as diagnostics take the states of layers."""
        return jax.tree.leaves(self.outputs(params, inputs))

    def draw(self, key: Array) -> Any:
        return doubled(self.data)

    def initial(self, key: Array, data: Any) -> Any:
        return doubled(split(self.init(key))[0])

    def objective(self, params: Any, data: Any) -> Float[Array, ""]:
        return self.loss(self.outputs(params, data[0]), data[1]) + 0.5 * self.weight_decay * squared_norm(params)

    def observe(self, params: Any, data: Any) -> dict[str, Array]:
        train, right = self._read(params, data)
        test, test_right = (jnp.asarray(jnp.nan),) * 2
        if self.test_data is not None:
            test, test_right = self._read(params, doubled(self.test_data))
        names = [one.name for one in self.observables]
        return dict(zip(names, (train, test, right, test_right, squared_norm(params)), strict=True))

    def _read(self, params: Any, data: Any) -> tuple[Array, Array]:
        """The loss, and the share of samples whose largest output is that of their class (NaN where there are none)."""
        outputs = self.outputs(params, data[0])
        return self.loss(outputs, data[1]), _accuracy(outputs, data[1])

    def horizon(self) -> np.ndarray:
        """Flow times to 10, or 200 steps."""
        unit = self.rule.steps_per_unit(self)
        return np.linspace(0.0, 10.0, 101) if unit is None else np.arange(0.0, 201.0, 2.0) / unit

    def as_data(self, raw: Any, what: str = "data") -> Any:
        found = arrays_of(raw)
        count = check_rows(what, found)
        like = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((count, *leaf.shape[1:]), doubled_type(leaf)), self.data)
        return fitting(found, like, what)

    def as_start(self, raw: Any) -> Any:
        return fitting(raw, self._try(self.data).params, "start")

    @classmethod
    def examples(cls) -> tuple["NetworkProblem", ...]:
        from .examples import outputs, rows, start

        first = cls(apply=outputs, init=start, data=rows(9, 5), test_data=rows(7, 6), rule=GradientFlow())
        return first, vary(first, {"weight_decay": 0.1, "test_data": None, "rule": SGD(learning_rate=0.05, batch=2)})


def squared_norm(params: Any) -> Array:
    """The sum of the squares of all entries."""
    return sum((jnp.sum(jnp.real(leaf * jnp.conj(leaf))) for leaf in jax.tree.leaves(params)), jnp.zeros(()))


def _accuracy(outputs: Any, targets: Any) -> Array:
    """The share of samples whose largest output is that of their class; NaN where shapes tell of no classes."""
    if not _may_be_classes(outputs, targets):
        return jnp.asarray(jnp.nan)
    classes = targets if np.ndim(targets) == 1 else jnp.argmax(targets, axis=1)
    return jnp.mean(1.0 * (jnp.argmax(outputs, axis=1) == classes))


def _may_be_classes(outputs: Any, targets: Any) -> bool:
    """Outputs (samples, K) beside targets of the same shape, or whole numbers (samples,)."""
    if not (eqx.is_array(targets) and getattr(outputs, "ndim", 0) == 2 and outputs.shape[1] > 1):
        return False
    return outputs.shape == targets.shape or (targets.ndim == 1 and jnp.issubdtype(targets.dtype, jnp.integer))


def _are_classes(outputs: Any, targets: Any) -> bool:
    """Whether targets are one-hot rows, or whole numbers that name one of the outputs."""
    if not _may_be_classes(outputs, targets) or is_traced(targets):
        return _may_be_classes(outputs, targets)
    if targets.ndim == 1:
        return bool(np.min(targets) >= 0 and np.max(targets) < outputs.shape[1])
    return bool(np.all((targets == 0) | (targets == 1)) and np.all(np.sum(targets, axis=1) == 1))
