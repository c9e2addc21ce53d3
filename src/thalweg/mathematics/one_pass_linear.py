"""Exact mean of one-pass least squares with Gaussian inputs, at any size.

w <- w - step [x (x.w - y) + decay w], each x ~ N(0, C) fresh, y = x.beta + noise of variance s. In the eigenbasis of C
with v = w - beta, D_i = E v_i^2, m_i = E v_i and R = sum_i l_i D_i + s (the mean squared error on a fresh sample):

    D_i <- [(1 - h g)^2 - 2 (1 - h g) h l_i + 2 h^2 l_i^2] D_i + h^2 l_i R + h^2 g^2 beta_i^2
           - 2 h g (1 - h g - h l_i) beta_i m_i,        m_i <- (1 - h g - h l_i) m_i - h g beta_i,

with h the step and g the decay; everything is summed over equal eigenvalues. Source: derived here, by averaging
one step with the fourth moment of Gaussian inputs, E x x' A x x' = C (tr AC) + 2 C A C for symmetric A; its limit of
small steps is that of Collins-Woodfin et al. 2023.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from .linear_equivalent import LinearLaw, Scalar

_HALVINGS = 60


class OnePassMeans(NamedTuple):
    """By eigenspace: `errors` E sum v_i^2, and `taught` E sum beta_i v_i."""

    errors: Float[Array, "*times atoms"]
    taught: Float[Array, "*times atoms"]


def one_pass_start(law: LinearLaw, start_variance: Scalar) -> OnePassMeans:
    """Means at a start with independent entries of variance start_variance / dimension."""
    share = law.counts / jnp.sum(law.counts)
    return OnePassMeans(law.signal + start_variance * share, -law.signal)


def one_pass_means(
    law: LinearLaw,
    start: OnePassMeans,
    step: Callable[[Array], Scalar],
    decay: Scalar,
    steps: Int[Array, " times"],
) -> OnePassMeans:
    """Means after each of these numbers of steps (increasing); `step(k)` is the size of step k."""

    def advance(count: Array, now: OnePassMeans) -> OnePassMeans:
        h = step(count)
        keep = 1 - h * decay
        pull = keep - h * law.values
        risk = jnp.sum(law.values * now.errors) + law.noise
        quiet = keep**2 - 2 * keep * h * law.values + 2 * (h * law.values) ** 2
        noise = h**2 * law.counts * law.values * risk + (h * decay) ** 2 * law.signal
        errors = quiet * now.errors + noise - 2 * h * decay * pull * now.taught
        return OnePassMeans(errors, pull * now.taught - h * decay * law.signal)

    def visit(now: OnePassMeans, span: Array) -> tuple[OnePassMeans, OnePassMeans]:
        now = jax.lax.fori_loop(span[0], span[1], advance, now)
        return now, now

    spans = jnp.stack([jnp.concatenate([jnp.zeros_like(steps[:1]), steps[:-1]]), steps], axis=1)
    return jax.lax.scan(visit, start, spans)[1]


def one_pass_end(law: LinearLaw, step: Scalar, decay: Scalar) -> Float[Array, ""]:
    """R at which a constant step ends; inf where the mean square grows for ever."""
    h, values = step, law.values
    rate = values + decay
    moves = rate > 0
    taught = -decay * law.signal / jnp.where(moves, rate, 1.0)
    pull = 1 - h * rate
    fade = h * (2 * rate - h * rate**2 - h * values**2)
    forced = (h * decay) ** 2 * law.signal - 2 * h * decay * pull * taught
    share = jnp.where(moves, values / jnp.where(moves, fade, 1.0), 0.0)
    noise = 1 - jnp.sum(share * h**2 * law.counts * values)
    stable = (noise > 0) & jnp.all(jnp.where(moves, fade, 1.0) > 0)
    return jnp.where(stable, (law.noise + jnp.sum(share * forced)) / jnp.where(stable, noise, 1.0), jnp.inf)


@jax.jit
def one_pass_edge(values: Float[Array, " atoms"], counts: Float[Array, " atoms"], decay: Scalar) -> Float[Array, ""]:
    """Largest step at which the mean square stays bounded: the root of

    sum_i h l_i^2 / [2 (l_i + g) - h (l_i + g)^2 - h l_i^2] = 1 below the pole of every term; 2/(p + 2) if C = I, g = 0.
    """
    rate = values + decay
    pole = jnp.min(2 * rate / jnp.where(values > 0, rate**2 + values**2, 1e-300))

    def excess(h: Array) -> Array:
        below = 2 * rate - h * rate**2 - h * values**2
        return jnp.sum(jnp.where(values > 0, counts * h * values**2 / jnp.where(values > 0, below, 1.0), 0.0)) - 1

    return edge(excess, pole)


def edge(excess: Callable[[Array], Array], pole: Float[Array, ""]) -> Float[Array, ""]:
    """Root in (0, pole) of a function that rises from -1 to infinity: halving, and a Newton step for the derivative."""

    def halve(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        inside = excess(middle) < 0
        return jnp.where(inside, middle, low), jnp.where(inside, high, middle)

    ends = (jnp.zeros_like(pole), jax.lax.stop_gradient(pole))
    root = jax.lax.stop_gradient(jax.lax.fori_loop(0, _HALVINGS, halve, ends)[0])
    value, slope = jax.jvp(excess, (root,), (jnp.ones_like(root),))
    return root - value / slope
