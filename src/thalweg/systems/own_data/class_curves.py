"""Real data of several classes seen as a mixture of Gaussians with measured means and covariances."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...mathematics import covariance_equivalent as contours
from ...mathematics import mixture_equivalent as equivalent
from ...mathematics.gaussian_orthant import orthant
from ..shared.square_loss import best_time
from .several_classes import ClassMoments, DatasetClasses, moments_by_class, scaling

# how much further the loop reaches than the edge of a mixture that shares the pooled covariance
_WIDER = 1.3


def moments_of(problem: DatasetClasses, data: Any) -> ClassMoments:
    """Moments of the moment part."""
    return moments_by_class(jnp.asarray(data.moment_inputs), jnp.asarray(data.moment_labels), problem.classes)


def largest(samples: Any, bias: int, found: ClassMoments) -> Array:
    """Beyond the largest eigenvalue of X'X/n, the constant feature included; edge by the pooled covariance."""
    values, vectors = jnp.linalg.eigh(found.pooled)
    values, means = jnp.maximum(values, 0.0), vectors.T @ found.means
    values = jnp.concatenate([values, jnp.zeros(bias)])
    means = jnp.concatenate([means, jnp.ones((bias, found.means.shape[1]))])
    edge = contours.largest_eigenvalue(values, means, found.fractions, samples)
    shares = jnp.trace(found.covariances, axis1=1, axis2=2) / jnp.trace(found.pooled)
    # a class that is wider than the rest reaches further
    return edge * jnp.maximum(_WIDER, jnp.max(jnp.where(found.fractions > 0, shares, 0.0)))


def contour_size(problem: DatasetClasses, times: np.ndarray) -> int:
    """Nodes of the contour, from the moments of all points; a part may have a top eigenvalue a third larger."""
    inputs = jnp.asarray(problem.inputs)
    numbers = jnp.asarray(np.unique(np.asarray(problem.labels), return_inverse=True)[1], dtype=inputs.dtype)
    factor, centre = scaling(inputs, numbers, inputs, problem.classes, problem.deviation_floor)
    found = moments_by_class((inputs - centre[None, :]) * factor[None, :], numbers, problem.classes)
    return contours.contour_nodes(
        4 / 3 * float(largest(problem.samples, problem.bias, found)), float(times[-1] * problem.rule.effective_pace())
    )


class _Law(NamedTuple):
    """The kernels of a mixture, and what the loss needs of the pairs: summed over outputs and classes."""

    kernels: equivalent.Kernels
    fractions: Array
    power: Array
    noise: Array


def _law(problem: DatasetClasses, found: ClassMoments, end: Array, nodes: int, bias: int) -> _Law:
    classes = found.means.shape[1]
    mixture = equivalent.Mixture(found.means, found.covariances, found.fractions, jnp.eye(classes))
    z, weights = contours.contour(largest(problem.samples, bias, found), end * problem.rule.effective_pace(), nodes)
    # E |w_0|^2 of one output is init_variance
    kernels = equivalent.kernels(mixture, problem.samples, problem.init_variance, bias, z, weights)
    power = jnp.einsum("cnmqq,c->nm", kernels.spread, found.fractions)
    return _Law(kernels, found.fractions, power, classes * jnp.einsum("cnm,c->nm", kernels.noise, found.fractions))


def _loss(problem: DatasetClasses, law: _Law, times: Array) -> Array:
    """Half the mean squared error on fresh points, summed over outputs."""
    f, g = problem.rule.filter(law.kernels.points + problem.weight_decay, times)
    centre = 2 * jnp.einsum("tn,nkq->tkq", g, law.kernels.outputs).real
    missed = jnp.sum((jnp.eye(centre.shape[1])[None, :, :] - centre) ** 2, axis=2) @ law.fractions
    return 0.5 * missed + equivalent.form(law.power, g) + equivalent.form(law.noise, f)


def class_curves(problem: DatasetClasses, found: ClassMoments, times: Array, nodes: int, bias: int) -> dict[str, Array]:
    """Curves of a mixture with these moments; NaN where the contour integrals fail their own check."""
    law = _law(problem, found, times[-1], nodes, bias)
    f, g = problem.rule.filter(law.kernels.points + problem.weight_decay, times)
    # at a zero start accuracy is the limit t -> 0+, where g is the same everywhere
    still = (problem.init_variance == 0) & (times == 0)
    limit = equivalent.outputs(law.kernels, f, jnp.where(still[:, None], 1.0, g))
    seen = equivalent.outputs(law.kernels, f, g)
    curves = {
        "train_loss": 0.5 * seen.train,
        "test_loss": _loss(problem, law, times),
        "test_accuracy": _accuracy(limit, found.means.shape[1]) @ found.fractions,
        "squared_norm": seen.size,
        "best_time_loss": best_time(problem, lambda t: _loss(problem, law, t), times[-1], 1),
    }
    return {name: jnp.where(law.kernels.defect < 1e-6, value, jnp.nan) for name, value in curves.items()}


def _accuracy(seen: equivalent.Outputs, classes: int) -> Array:
    """The chance of each class (times, K) that its own output is the largest."""
    # rows: own output minus each other one
    lead = np.stack([np.delete(np.eye(classes)[k][None, :] - np.eye(classes), k, axis=0) for k in range(classes)])
    means = jnp.einsum("kij,tkj->tki", lead, seen.means)
    spread = jnp.einsum("kij,tkjl,kml->tkim", lead, seen.covariances, lead)
    return jax.lax.map(jax.vmap(lambda one: orthant(*one)), (means, spread))


@partial(jax.jit, static_argnums=(3, 4))
def end_loss(problem: Any, found: ClassMoments, times: Array, nodes: int, bias: int) -> Array:
    """Test loss at the last time."""
    return _loss(problem, _law(problem, found, times[-1], nodes, bias), times)[-1]
