"""A network of the user's own, on data of the user's own, as a problem."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .fields import arrays_of, check_ranges, function, is_traced, scalar, tree
from .problem import Observable, Rule, SampledProblem, never, seed_keys
from .pytrees import fitting
from .rules import GradientDescent
from .trees import count_rows, doubled, doubled_type, rows_at, split


def half_square(outputs: Any, targets: Any) -> Float[Array, ""]:
    """(1/2n) sum |outputs - targets|^2: the mean over samples of half the square, summed over outputs."""
    if np.shape(outputs) != np.shape(targets):
        raise ValueError(
            f"outputs have the shape {np.shape(outputs)}, targets {np.shape(targets)}; reshape one of them, or give "
            "loss=, a function loss(outputs, targets)."
        )
    return 0.5 * squared_norm(outputs - targets) / np.shape(outputs)[0]


class NetworkProblem(SampledProblem):
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
        _check_rows("data", self.data)
        self._try(self.data)
        if self.test_data is not None:
            self.as_data(self.test_data, "test_data")
        leaves, structure = jax.tree.flatten(self.data)
        _check_first_loss(self.apply, self.init, self.loss, _Same(leaves), structure)

    def _try(self, data: Any) -> "Tried":
        return _tried(self.apply, self.init, self.loss, _Shapes.of(data))

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

    def outputs(self, params: Any, inputs: Any) -> Any:
        """What the network gives for these inputs; settings that no step moves are put back into their places."""
        return self.apply(_whole(params, _settings(self.init)), inputs)

    def draw(self, key: Array) -> Any:
        return doubled(self.data)

    def initial(self, key: Array, data: Any) -> Any:
        return doubled(split(self.init(key))[0])

    def objective(self, params: Any, data: Any) -> Float[Array, ""]:
        return self.loss(self.outputs(params, data[0]), data[1]) + 0.5 * self.weight_decay * squared_norm(params)

    def sample_count(self, data: Any) -> int:
        return count_rows(data)

    def batch_objective(self, params: Any, data: Any, indices: Int[Array, " batch"]) -> Float[Array, ""]:
        return self.objective(params, rows_at(data, indices))

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
        count = _check_rows(what, found)
        like = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((count, *leaf.shape[1:]), doubled_type(leaf)), self.data)
        return fitting(found, like, what)

    def as_start(self, raw: Any) -> Any:
        return fitting(raw, self._try(self.data).params, "start")


def squared_norm(params: Any) -> Array:
    """The sum of the squares of all entries."""
    return sum((jnp.sum(jnp.real(leaf * jnp.conj(leaf))) for leaf in jax.tree.leaves(params)), jnp.zeros(()))


class _Shapes(NamedTuple):
    """Structure, shapes and types of a tree: hashable."""

    structure: Any
    leaves: tuple[Any, ...]

    @classmethod
    def of(cls, data: Any) -> "_Shapes":
        leaves, structure = jax.tree.flatten(data)
        return cls(structure, tuple((np.shape(leaf), np.dtype(leaf.dtype)) for leaf in leaves))

    def build(self) -> Any:
        return jax.tree.unflatten(self.structure, [jax.ShapeDtypeStruct(*leaf) for leaf in self.leaves])


class Tried(NamedTuple):
    """Shapes of the parameters, the outputs and the loss, found without computing any of them."""

    params: Any
    outputs: Any
    loss: Any


@functools.lru_cache(maxsize=64)
def _tried(apply: Any, init: Any, loss: Any, shapes: _Shapes) -> Tried:
    """ValueError where what the functions return does not fit together."""
    with jax.enable_x64():
        return jax.eval_shape(lambda key, data: _run(apply, init, loss, key, data), jax.random.key(0), shapes.build())


def _run(apply: Any, init: Any, loss: Any, key: Any, data: Any) -> Tried:
    """The start, its outputs and its loss."""
    data, settings = doubled(data), _settings(init)
    params = doubled(split(init(key))[0])
    outputs = apply(_whole(params, settings), data[0])
    samples = count_rows(data)
    for path, leaf in jax.tree_util.tree_flatten_with_path(outputs)[0]:
        if np.shape(leaf)[:1] != (samples,):
            raise ValueError(
                f"NetworkProblem: apply(params, inputs){jax.tree_util.keystr(path)} has the shape {np.shape(leaf)} for "
                f"{samples} samples; return one row of outputs for each (jax.vmap a network of single samples)."
            )
    value = loss(outputs, data[1])
    if np.shape(value) != ():
        raise ValueError(
            f"NetworkProblem: loss(outputs, targets) has the shape {np.shape(value)}; return one number, the mean over "
            "the samples."
        )
    return Tried(params, outputs, value)


@functools.lru_cache(maxsize=64)
def uses_key(init: Any) -> bool:
    """Whether two keys give different starts."""
    with jax.enable_x64():
        pair = [jax.tree.leaves(split(init(seed_keys(np.int64(seed))[1]))[0]) for seed in (0, 1)]
    return not all(map(np.array_equal, *pair))


@functools.lru_cache(maxsize=64)
def _settings(init: Any) -> Any:
    """What `init` returns beside floating-point arrays: functions and Python numbers of a module."""
    with jax.enable_x64():
        whole = eqx.filter_eval_shape(init, jax.random.key(0))
    found = split(jax.tree.map(lambda leaf: jnp.zeros((), leaf.dtype) if _is_shape(leaf) else leaf, whole))[1]
    for path, leaf in jax.tree_util.tree_flatten_with_path(found)[0]:
        if eqx.is_array(leaf):
            raise ValueError(
                f"NetworkProblem: init(key){jax.tree_util.keystr(path)} is an array of type {leaf.dtype}, which no "
                "step moves; keep it out of the parameters (inputs may be integers)."
            )
    return found


def _is_shape(leaf: Any) -> bool:
    return isinstance(leaf, jax.ShapeDtypeStruct)


def _whole(params: Any, settings: Any) -> Any:
    return eqx.combine(params, settings) if jax.tree.leaves(settings) else params


class _Same:
    """Functions and arrays that are the very same objects: hashable."""

    def __init__(self, *parts: Any) -> None:
        self.parts = jax.tree.leaves(parts)

    def __hash__(self) -> int:
        return hash(tuple(map(id, self.parts)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and list(map(id, self.parts)) == list(map(id, other.parts))


@functools.lru_cache(maxsize=1)
def _check_first_loss(apply: Any, init: Any, loss: Any, data: _Same, structure: Any) -> None:
    """ValueError for a first loss that is not finite; a sweep, whose points share their data, asks once."""
    with jax.enable_x64():
        value = _first_loss(apply, init, loss, seed_keys(np.int64(0))[1], jax.tree.unflatten(structure, data.parts))
    if not np.isfinite(value):
        raise ValueError(
            f"NetworkProblem: the loss at the start of seed 0 is {value}; start from parameters with a finite loss, or "
            "look for a logarithm or quotient of zero."
        )


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _first_loss(apply: Any, init: Any, loss: Any, key: Any, data: Any) -> Any:
    return _run(apply, init, loss, key, data).loss


def _check_rows(name: str, data: Any) -> int:
    """ValueError unless data are a pair whose arrays all have the same number of rows."""
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise ValueError(
            f"NetworkProblem: {name} = {type(data).__name__} is not allowed; give {name}=(inputs, targets), samples "
            "first (targets may be ())."
        )
    leaves = jax.tree_util.tree_flatten_with_path(tuple(data))[0]
    counts = {f"{name}{jax.tree_util.keystr(path)}": np.shape(leaf)[:1] for path, leaf in leaves}
    if not jax.tree.leaves(data[0]) or (0,) in counts.values():
        raise ValueError(f"NetworkProblem: {name} holds no samples; give arrays of inputs, samples first.")
    if () in counts.values():
        single = next(path for path, rows in counts.items() if rows == ())
        raise ValueError(f"NetworkProblem: {single} is a single number; give arrays, samples first.")
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{path} {rows[0]}" for path, rows in counts.items())
        raise ValueError(f"NetworkProblem: {name} must have one row a sample in every array; the rows are {told}.")
    return count_rows(data)


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
