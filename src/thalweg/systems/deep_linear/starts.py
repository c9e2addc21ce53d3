"""Starts of a deep linear network: laws of its layers, and a user's own layers."""

import abc
import itertools
from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...words.fields import Parametrised, check_ranges, is_traced
from ...words.problem import scalar, size, vector
from .layers import Layers
from .task import Task

Widths = tuple[int, ...]


class LayerLaw(Parametrised):
    """A law of all layers at the start; init_scale of the problem multiplies what it says.

    `random`: whether layers differ from seed to seed for the same task.
    """

    random: ClassVar[bool] = True

    @abc.abstractmethod
    def draw(self, key: Array, widths: Widths, scale: Any, task: Task) -> Layers:
        """Layers W_j (d_j, d_{j-1}), first layer first."""

    @abc.abstractmethod
    def strength(self, widths: Widths, scale: float) -> float:
        """A typical singular value of a layer, from which times are guessed."""

    @abc.abstractmethod
    def check(self, widths: Widths) -> None:
        """ValueError where these widths have no such start."""


class GaussianLayers(LayerLaw):
    """Independent normal entries of standard deviation init_scale in every layer."""

    def draw(self, key: Array, widths: Widths, scale: Any, task: Task) -> Layers:
        keys = jax.random.split(key, len(widths) - 1)
        shapes = zip(widths[1:], widths, strict=False)
        return tuple(scale * jax.random.normal(k, s, dtype=jnp.float64) for k, s in zip(keys, shapes, strict=True))

    def strength(self, widths: Widths, scale: float) -> float:
        return scale * float(np.sqrt(np.mean([max(pair) for pair in itertools.pairwise(widths)])))

    def check(self, widths: Widths) -> None:
        return


class BalancedLayers(LayerLaw):
    """Balanced layers, W_{j+1}'W_{j+1} = W_j W_j': W_j = R_j diag(sigma) R_{j-1}' with one sigma for all layers.

    sigma = init_scale times the `rank` largest singular values of a Gaussian matrix (d_N, d_0) of unit variance; R_0
    and R_N are its singular vectors, hidden frames are random. The product keeps its rank for ever under the flow.
    `rank` is the smallest width where it is not given; rank = 1 is the start of RankOneFlow. Errors: ValueError for a
    rank above the smallest width.
    """

    rank: int | None = size("rank of every layer; the smallest width if not given", symbol="r", default=None)

    def draw(self, key: Array, widths: Widths, scale: Any, task: Task) -> Layers:
        rank = min(widths) if self.rank is None else self.rank
        first, *hidden = jax.random.split(key, len(widths) - 1)
        drawn = jax.random.normal(first, (widths[-1], widths[0]), dtype=jnp.float64)
        left, sigma, right = jnp.linalg.svd(drawn, full_matrices=False)
        frames = [right[:rank].T, *(frame(k, d, rank) for k, d in zip(hidden, widths[1:-1], strict=True))]
        return _chained([*frames, left[:, :rank]], [scale * sigma[:rank]] * (len(widths) - 1))

    def strength(self, widths: Widths, scale: float) -> float:
        return scale * float(np.sqrt(max(widths[0], widths[-1])))

    def check(self, widths: Widths) -> None:
        if self.rank is not None and self.rank > min(widths):
            raise ValueError(
                f"BalancedLayers: rank = {self.rank} is above the smallest width; give at most {min(widths)}."
            )


class LambdaBalancedLayers(LayerLaw):
    """Two layers with W_2'W_2 - W_1W_1' = `imbalance` I: lambda-balanced.

    The common part of both has singular values init_scale times those of a Gaussian matrix (d_2, d_0) of unit variance;
    frames are random. imbalance > 0 needs hidden width <= outputs, imbalance < 0 hidden width <= inputs. Errors:
    ValueError where these widths have no such layers, and for another number of layers than two.
    """

    imbalance: float = scalar("W_2'W_2 - W_1W_1' in units of the identity", symbol="lambda", default=0.5)

    def draw(self, key: Array, widths: Widths, scale: Any, task: Task) -> Layers:
        inputs, hidden, outputs = widths
        keys = jax.random.split(key, 4)
        drawn = jax.random.normal(keys[0], (outputs, inputs), dtype=jnp.float64)
        sigma = jnp.linalg.svd(drawn, compute_uv=False)[: min(widths)]
        common = jnp.concatenate([scale * sigma, jnp.zeros(hidden - min(widths))]) ** 2
        ends = [frame(k, d, hidden) for k, d in zip(keys[1:], widths, strict=True)]
        first = jnp.sqrt(common + jnp.maximum(-self.imbalance, 0.0))
        second = jnp.sqrt(common + jnp.maximum(self.imbalance, 0.0))
        return _chained(ends, [first, second])

    def strength(self, widths: Widths, scale: float) -> float:
        return scale * float(np.sqrt(max(widths[0], widths[-1])))

    def check(self, widths: Widths) -> None:
        if len(widths) != 3:
            raise ValueError(
                f"LambdaBalancedLayers: widths = {widths} have {len(widths) - 1} layers; give two layers, as in "
                "widths=(4, 3, 5), or start=BalancedLayers() at another depth."
            )
        if is_traced(self.imbalance):
            return
        inputs, hidden, outputs = widths
        most = outputs if self.imbalance > 0 else inputs if self.imbalance < 0 else hidden
        if hidden > most:
            side = "outputs" if self.imbalance > 0 else "inputs"
            raise ValueError(
                f"LambdaBalancedLayers: imbalance = {self.imbalance:g} needs a hidden width of at most {most} "
                f"({side}); it is {hidden}. Give imbalance = 0, the other sign, or a smaller hidden width."
            )


class AlignedLayers(LayerLaw):
    """Layers aligned with the task: mode k of the target passes through hidden unit k of every layer alone.

    W_1 = diag(l_1) V', W_j = diag(l_j), W_N = U diag(l_N), with U, V the singular vectors of E y x' and
    l_jk = init_scale `values`_jk, k up to the smallest width. `values`: one number for all, one a layer (N), or one a
    layer and mode (N, k); signs count. Equal sizes in all layers are balanced. Errors: ValueError for another shape.
    """

    random: ClassVar[bool] = False
    values: Any = vector("layer values in units of init_scale", symbol="l", default=1.0)

    def draw(self, key: Array, widths: Widths, scale: Any, task: Task) -> Layers:
        count = min(widths)
        left, _, right = jnp.linalg.svd(task.correlation(), full_matrices=False)
        hidden = [jnp.eye(d, count) for d in widths[1:-1]]
        return _chained([right[:count].T, *hidden, left[:, :count]], list(scale * self._table(widths)))

    def strength(self, widths: Widths, scale: float) -> float:
        return scale * float(np.exp(np.mean(np.log(np.maximum(np.abs(np.asarray(self.values)), 1e-9)))))

    def check(self, widths: Widths) -> None:
        layers, count = len(widths) - 1, min(widths)
        if np.shape(self.values) not in ((), (layers,), (layers, 1), (layers, count)):
            raise ValueError(
                f"AlignedLayers: values have shape {np.shape(self.values)}; give one number, {layers} (one a layer), "
                f"or ({layers}, {count}) (one a layer and mode)."
            )

    def _table(self, widths: Widths) -> Float[Array, "layers modes"]:
        values = jnp.asarray(self.values)
        values = values[:, None] if values.ndim == 1 else values
        return jnp.broadcast_to(values, (len(widths) - 1, min(widths)))


def _matrices(raw: Any) -> Any:
    """Each layer as a float array; filters of circulant layers are vectors."""
    return tuple(part if is_traced(part) else np.asarray(part, dtype=np.float64) for part in raw)


class GivenLayers(LayerLaw):
    """A user's own layers (W_1, ..., W_N), as they are: init_scale does not multiply them."""

    random: ClassVar[bool] = False
    layers: tuple[Any, ...] = eqx.field(converter=_matrices)

    def draw(self, key: Array, widths: Widths, scale: Any, task: Task) -> Layers:
        return tuple(jnp.asarray(layer) for layer in self.layers)

    def strength(self, widths: Widths, scale: float) -> float:
        sizes = [np.linalg.norm(np.asarray(layer)) / np.sqrt(min(np.shape(layer))) for layer in self.layers]
        return float(np.exp(np.mean(np.log(np.maximum(sizes, 1e-9)))))

    def check(self, widths: Widths) -> None:
        check_layers("start", self.layers, widths, any(np.ndim(layer) == 1 for layer in self.layers))


def check_layers(name: str, layers: Layers, widths: Widths, circulant: bool) -> None:
    """ValueError unless the layers chain along the widths and are finite."""
    wanted = [(d,) for d in widths[1:]] if circulant else list(zip(widths[1:], widths, strict=False))
    found = [np.shape(layer) for layer in layers]
    if found != wanted:
        what = "filters (d,)" if circulant else "layers W_j (d_j, d_{j-1})"
        raise ValueError(f"{name} holds shapes {found}; widths = {widths} want {what} of shapes {wanted}, first first.")
    for j, layer in enumerate(layers):
        if not is_traced(layer) and not np.all(np.isfinite(np.asarray(layer))):
            raise ValueError(f"{name}: layer {j + 1} has entries that are not finite; give finite numbers.")


def as_law(raw: Any) -> Any:
    """A law as it is; a tuple or list of matrices as the start that it is; a misfit passes (checked later)."""
    return GivenLayers(tuple(raw)) if isinstance(raw, tuple | list) else raw


def as_layers(raw: Any, widths: Widths, circulant: bool) -> Layers:
    """A user's start, checked: layers as a tuple, a GivenLayers, or by number as a result file has them."""
    if isinstance(raw, Mapping):
        raw = tuple(raw[name] for name in sorted(raw, key=str))
    if isinstance(raw, GivenLayers):
        raw = raw.layers
    if not isinstance(raw, tuple | list):
        raise ValueError(f"start must be the layers (W_1, ..., W_{len(widths) - 1}); it was a {type(raw).__name__}.")
    layers = _matrices(raw)
    check_layers("start", layers, widths, circulant)
    return layers


def frame(key: Array, dimension: int, columns: int) -> Float[Array, "d k"]:
    """Random orthonormal columns (Haar); columns beyond the dimension are zero."""
    kept = min(dimension, columns)
    upper, lower = jnp.linalg.qr(jax.random.normal(key, (dimension, kept), dtype=jnp.float64))
    # the signs that make the law the Haar measure
    turned = upper * jnp.sign(jnp.diagonal(lower))[None, :]
    return jnp.concatenate([turned, jnp.zeros((dimension, columns - kept))], axis=1)


def _chained(frames: list[Any], values: list[Any]) -> Layers:
    """W_j = R_j diag(l_j) R_{j-1}'."""
    ends = zip(frames[1:], values, frames, strict=False)
    return tuple((after * value[None, :]) @ before.T for after, value, before in ends)


def check_law(owner: str, law: Any, widths: Widths) -> None:
    """ValueError unless it is a law of layers that fits the widths."""
    if not isinstance(law, LayerLaw):
        raise ValueError(
            f"{owner}: start = {law!r:.60} is no start; give GaussianLayers(), BalancedLayers(), "
            "LambdaBalancedLayers(), AlignedLayers(), or the layers (W_1, ..., W_N)."
        )
    check_ranges(law)
    law.check(widths)
