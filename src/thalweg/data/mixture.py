"""Two Gaussian classes: the sample, its draw, and the power of a linear output under correlated noise."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


class MixtureSample(eqx.Module):
    """A data set of two classes: `inputs` (n, p), `labels` (n,) of +-1, class `mean` (p,): inputs_i ~ y_i mean + noise.

    `clean_labels` (n,) are the labels before flips; the same as `labels` when not given.
    """

    inputs: Float[Any, "n p"]
    labels: Float[Any, " n"]
    mean: Float[Any, " p"]
    clean_labels: Float[Any, " n"] | None = None


def as_mixture(raw: Any, samples: int, dimension: int) -> MixtureSample:
    """A user's data set, checked: a MixtureSample, a mapping with its names, or a tuple (inputs, labels, mean)."""
    names = ("inputs", "labels", "mean")
    parts: dict[str, Any] = {}
    if isinstance(raw, MixtureSample):
        parts = {name: getattr(raw, name) for name in (*names, "clean_labels")}
    elif isinstance(raw, Mapping):
        parts = {str(name): value for name, value in raw.items()}
    elif isinstance(raw, tuple | list) and len(raw) == 3:
        parts = dict(zip(names, raw, strict=True))
    else:
        raise ValueError("data must be tw.MixtureSample(inputs=(n, p), labels=(n,), mean=(p,)).")
    if parts.get("clean_labels") is None:
        parts["clean_labels"] = parts.get("labels")
    shapes = {
        "inputs": (samples, dimension),
        "labels": (samples,),
        "mean": (dimension,),
        "clean_labels": (samples,),
    }
    for name, shape in shapes.items():
        value = np.asarray(parts.get(name), dtype=np.float64)
        if value.shape != shape or not np.all(np.isfinite(value)):
            raise ValueError(
                f"data.{name} has shape {value.shape}; {shape} finite numbers are wanted for this problem."
            )
        if "labels" in name and not np.all(np.abs(value) == 1):
            raise ValueError(f"data.{name} must hold +1 and -1 only.")
        parts[name] = value
    return MixtureSample(**parts)


def draw_mixture(
    key: Array, samples: int, mean: Float[Array, " p"], correlation: Any, label_flip: Any
) -> MixtureSample:
    """Fair labels, inputs y_i mean + z_i with covariance correlation^|i-j|, and flipped observed labels."""
    noise_key, label_key, flip_key = jax.random.split(key, 3)
    clean = jax.random.rademacher(label_key, (samples,), dtype=mean.dtype)
    noise = jax.random.normal(noise_key, (samples, mean.shape[0]), dtype=mean.dtype)
    # branches at module level: outside jit, closures would be compiled at each call
    noise = jax.lax.cond(correlation == 0, _as_it_is, _correlate, noise, correlation)
    flips = jax.random.uniform(flip_key, (samples,), dtype=mean.dtype) < label_flip
    labels = jnp.where(flips, -clean, clean)
    return MixtureSample(clean[:, None] * mean[None, :] + noise, labels, mean, clean)


def _as_it_is(white: Float[Array, "n p"], correlation: Any) -> Float[Array, "n p"]:
    return white


def _correlate(white: Float[Array, "n p"], correlation: Any) -> Float[Array, "n p"]:
    """Autoregression along the features: stationary, with covariance correlation^|i-j|."""
    fresh = jnp.sqrt(1 - correlation**2)

    def step(last: Array, z: Array) -> tuple[Array, Array]:
        now = correlation * last + fresh * z
        return now, now

    _, rest = jax.lax.scan(step, white[:, 0], white[:, 1:].T)
    return jnp.concatenate([white[:, :1], rest.T], axis=1)


def noise_power(weights: Float[Array, " p"], correlation: Any) -> Float[Array, ""]:
    """w' C w with C_ij = correlation^|i-j|, in p log p operations through the autocorrelation of w."""

    def correlated(w: Array) -> Array:
        p = w.shape[0]
        lags = jnp.fft.irfft(jnp.square(jnp.abs(jnp.fft.rfft(w, 2 * p))), 2 * p)[:p]
        return lags[0] + 2 * jnp.sum(lags[1:] * correlation ** jnp.arange(1, p))

    return jax.lax.cond(correlation == 0, lambda w: jnp.sum(w * w), correlated, weights)
