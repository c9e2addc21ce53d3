"""Learning curves of linear outputs on a mixture of Gaussians whose moments were measured, one class or many alike."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...computing.skeleton import Skeleton, split
from ...mathematics import covariance_equivalent as contours
from ...mathematics import mixture_equivalent as equivalent
from ...mathematics.gaussian_orthant import orthant
from ..shared.square_loss import best_time
from .class_table import TRACE, ClassMoments, ClassTable

# how much further the loop reaches than the edge of a mixture that shares the pooled covariance
_WIDER = 1.3


def moments_of(problem: ClassTable, data: Any) -> ClassMoments:
    """Moments of the moment part."""
    return problem.moments_of(jnp.asarray(data.moment_inputs), problem.numbers(jnp.asarray(data.moment_labels)))


def largest(samples: Any, bias: int, found: ClassMoments) -> Array:
    """The largest eigenvalue of X'X/n, the constant feature included; beyond it, where classes differ in covariance."""
    values, vectors = jnp.linalg.eigh(found.pooled)
    values, means = jnp.maximum(values, 0.0), vectors.T @ found.means
    values = jnp.concatenate([values, jnp.zeros(bias)])
    means = jnp.concatenate([means, jnp.ones((bias, found.means.shape[1]))])
    edge = contours.largest_eigenvalue(values, means, found.fractions, samples)
    if found.covariances.shape[0] == 1:
        return edge
    shares = jnp.trace(found.covariances, axis1=1, axis2=2) / jnp.trace(found.pooled)
    # a class that is wider than the rest reaches further
    return edge * jnp.maximum(_WIDER, jnp.max(jnp.where(found.fractions > 0, shares, 0.0)))


def contour_size(problem: ClassTable, times: np.ndarray) -> int:
    """Nodes of the contour, from the moments of all points; a part may have a top eigenvalue a third larger."""
    found = problem.moments_of(*problem.whole())
    top = float(largest(problem.samples, problem.appended, found))
    return contours.contour_nodes(4 / 3 * top, float(times[-1] * problem.rule.effective_pace()))


class _Law(NamedTuple):
    """The kernels of a mixture, and what the loss needs of the pairs: summed over outputs and classes."""

    kernels: equivalent.Kernels
    mixture: equivalent.Mixture
    power: Array
    noise: Array

    def outputs(self, f: Array, g: Array) -> equivalent.Outputs:
        return equivalent.outputs(self.kernels, f, g)


def _law(problem: ClassTable, found: ClassMoments, end: Array, nodes: int) -> _Law:
    mixture = equivalent.Mixture(found.means, found.covariances, found.fractions, problem.told_apart(found.fractions))
    top = largest(problem.samples, problem.appended, found)
    z, weights = contours.contour(top, end * problem.rule.effective_pace(), nodes)
    # E |w_0|^2 of one output is init_variance
    kernels = equivalent.kernels(mixture, problem.samples, problem.init_variance, problem.appended, z, weights)
    shares = mixture.of_kind(mixture.fractions)
    power = jnp.einsum("cnmqq,c->nm", kernels.spread, shares)
    return _Law(kernels, mixture, power, problem.outputs * jnp.einsum("cnm,c->nm", kernels.noise, shares))


def _loss(problem: ClassTable, law: _Law, times: Array) -> Array:
    """Half the mean squared error on fresh points, summed over outputs."""
    f, g = problem.rule.filter(law.kernels.points + problem.weight_decay, times)
    centre = 2 * jnp.einsum("tn,nkq->tkq", g, law.kernels.outputs).real
    missed = jnp.sum((law.mixture.targets[None, :, :] - centre) ** 2, axis=2) @ law.mixture.fractions
    return 0.5 * missed + equivalent.form(law.power, g) + equivalent.form(law.noise, f)


def mixture_curves(problem: ClassTable, found: ClassMoments, times: Array, nodes: int) -> dict[str, Array]:
    """Curves of a mixture with these moments; NaN where the contour integrals fail their own check."""
    law = _law(problem, found, times[-1], nodes)
    f, g = problem.rule.filter(law.kernels.points + problem.weight_decay, times)
    # at a zero start accuracy is the limit t -> 0+, where g is the same everywhere
    still = (problem.init_variance == 0) & (times == 0)
    limit, seen = law.outputs(f, jnp.where(still[:, None], 1.0, g)), law.outputs(f, g)
    # every output has the intercept beside it; where that is even a trace of the weights decides
    if problem.intercept:
        share = jnp.where(still, TRACE, 1.0)[:, None, None]
        means = share * limit.means + (found.fractions @ jnp.asarray(problem.aims()))[None, None, :]
        limit = limit._replace(means=means, covariances=share[..., None] ** 2 * limit.covariances)
    curves = {
        "train_loss": 0.5 * seen.train,
        "test_loss": _loss(problem, law, times),
        "test_accuracy": _accuracy(limit, problem.aims()) @ found.fractions,
        "squared_norm": seen.size,
        "best_time_loss": best_time(problem, lambda t: _loss(problem, law, t), times[-1], 1),
    }
    return {name: jnp.where(law.kernels.defect < 1e-6, value, jnp.nan) for name, value in curves.items()}


def _accuracy(seen: equivalent.Outputs, aims: Float[np.ndarray, "K outputs"]) -> Float[Array, "times K"]:
    """The chance of each class that the outputs are nearer to its own target than to any other, all as far from 0.

    For one output -1 or +1 that is its sign; for one-hot targets, the largest output.
    """
    lead = np.stack([aims[k][None, :] - np.delete(aims, k, axis=0) for k in range(len(aims))])
    covariances = jnp.broadcast_to(seen.covariances, (*seen.means.shape, aims.shape[1]))
    means = jnp.einsum("kij,tkj->tki", lead, seen.means)
    spread = jnp.einsum("kij,tkjl,kml->tkim", lead, covariances, lead)
    return jax.lax.map(jax.vmap(lambda one: orthant(*one)), (means, spread))


def end_loss(problem: ClassTable, found: ClassMoments, times: np.ndarray, nodes: int) -> float:
    """Test loss at the last time; one program for all numbers of points."""
    skeleton, loose = split(problem, frozenset(("samples", "moments")))
    return float(_end_loss(skeleton, nodes, loose, found, jnp.asarray(times)))


@partial(jax.jit, static_argnums=(0, 1))
def _end_loss(skeleton: Skeleton, nodes: int, loose: list[Any], found: ClassMoments, times: Array) -> Array:
    problem = skeleton.join(loose)
    return _loss(problem, _law(problem, found, times[-1], nodes), times)[-1]
