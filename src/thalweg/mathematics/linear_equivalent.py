"""Deterministic equivalent for linear least squares with Gaussian inputs of any covariance, by contour integrals.

Columns x_i ~ N(0, C), i = 1..n, y_i = x_i.beta + noise of variance s, S = X X^T / n, b = X y / n. For f analytic around
the spectrum of S, g with k(x) = 1 - x g(x), and w_0 of independent entries of variance v/p, the vector
w = f(S) w_0 + g(S) b has averages that are integrals over a loop around the spectrum and 0 (anticlockwise). With

    Q_i = 1/(a l_i - z),  a = 1/(1 + delta),  delta = (1/n) sum_i l_i Q_i        (l_i the eigenvalues of C)
    excess = (w - beta)^T C (w - beta) = (1/2 pi i)^2 oint oint (k1 k2 H + v f1 f2 H0) - (s/2 pi i) oint z g^2 delta
    H = sum_i l_i beta_i^2 Q_i(z1) Q_i(z2)/U,   H0 = (1/p) sum_i l_i Q_i(z1) Q_i(z2)/U,
    U = 1 - a(z1) a(z2) (1/n) sum_i l_i^2 Q_i(z1) Q_i(z2).

Equal eigenvalues are one atom with its count, so that isotropic inputs cost no more than one. What does not depend on
f and g is computed once. Source: Q from Louart and Couillet 2018; the double integral is
derived here, from Q(z1) A Q(z2) as the derivative of Q in the direction of A.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Real

from .covariance_equivalent import Form, Points, linear_form, pair_form, quadratic_form, resolvents, stacked

Scalar = int | float | Real[Array, ""]
Atoms = Float[Array, " atoms"]
Twice = Float[Array, " twice"]
Filters = Complex[Array, "times nodes"]


class LinearLaw(NamedTuple):
    """Second moments of inputs and targets in the eigenbasis of the covariance, by distinct eigenvalue.

    `values`, `counts`: eigenvalues and how often each occurs. `signal`: sum of beta_i^2 in each eigenspace, beta the
    best linear coefficients for the targets. `aims` (atoms, m): sum of beta_i v_i for m vectors v of interest.
    `noise`: variance of what the best linear output misses.
    """

    values: Atoms
    counts: Atoms
    signal: Atoms
    aims: Float[Array, "atoms m"]
    noise: Scalar


class Kernels(NamedTuple):
    """Real kernels on filter values stacked as [Re, Im] over the nodes; `defect` above 1e-8 tells a bad contour.

    `trace`, `trace_c`: tr Q and tr C Q on the nodes.
    """

    excess_k: Form
    excess_f: Form
    excess_gg: Twice
    aims_g: Float[Array, "twice m"]
    residual_kk: Twice
    residual_ff: Twice
    residual_0: Float[Array, ""]
    size_g: Twice
    size_ff: Twice
    trace: Points
    trace_c: Points
    defect: Float[Array, ""]


class Averages(NamedTuple):
    """For each of T filter pairs: excess risk, v.w for each aim v, mean squared training residual, |w|^2."""

    excess: Float[Array, " times"]
    aims: Float[Array, "times m"]
    residual: Float[Array, " times"]
    size: Float[Array, " times"]


def linear_kernels(law: LinearLaw, samples: Scalar, start_variance: Scalar, z: Points, weights: Points) -> Kernels:
    """All kernels of one law on one contour (`covariance_equivalent.contour`). Cost O(N^2 atoms)."""
    resolvent, delta = resolvents(law.values, samples, z, law.counts)
    dimension = jnp.sum(law.counts)
    pairs_k, pairs_f = _pairs(law, samples, resolvent, delta, weights)
    trace = resolvent @ law.counts.astype(z.dtype)
    mass = -weights * trace / dimension
    taught = -weights * (resolvent @ law.signal.astype(z.dtype))
    # the mean of k^2 over all p eigenvalues, 1 for k = 1
    rest = law.noise * dimension / samples
    excess_k = pair_form(pairs_k)
    ones = jnp.concatenate([jnp.ones(z.size), jnp.zeros(z.size)])
    begin = jnp.sum(law.values * law.signal)
    off = (ones @ excess_k @ ones - begin) / jnp.where(begin > 0, begin, 1.0)
    errors = jnp.stack([2 * jnp.sum(mass.real) - 1, off])
    return Kernels(
        excess_k=excess_k,
        excess_f=start_variance * pair_form(pairs_f),
        excess_gg=-law.noise * linear_form(weights * z * delta),
        aims_g=linear_form(-(weights * z)[:, None] * (resolvent @ law.aims.astype(z.dtype))),
        residual_kk=linear_form(z * taught + rest * mass),
        residual_ff=start_variance * linear_form(z * mass),
        residual_0=jnp.asarray(law.noise - rest),
        size_g=linear_form(z**2 * taught + rest * z * mass),
        size_ff=start_variance * linear_form(mass),
        trace=trace,
        trace_c=samples * delta,
        defect=jnp.where(jnp.all(delta.imag > 0), jnp.max(jnp.abs(errors)), jnp.inf),
    )


def linear_averages(kernels: Kernels, z: Points, f: Filters, g: Filters) -> Averages:
    """Averages for T filter pairs given on the nodes, one row each."""
    k = 1 - z[None, :] * g
    once_f, once_k, twice_f, twice_g, twice_k = map(stacked, (f, k, f**2, g**2, k**2))
    excess = quadratic_form(kernels.excess_k, once_k) + quadratic_form(kernels.excess_f, once_f)
    return Averages(
        excess=excess + twice_g @ kernels.excess_gg,
        aims=stacked(g) @ kernels.aims_g,
        residual=kernels.residual_0 + twice_k @ kernels.residual_kk + twice_f @ kernels.residual_ff,
        size=twice_g @ kernels.size_g + twice_f @ kernels.size_ff,
    )


def _pairs(
    law: LinearLaw, samples: Scalar, resolvent: Complex[Array, "nodes atoms"], delta: Points, weights: Points
) -> tuple[Complex[Array, "nodes twice"], Complex[Array, "nodes twice"]]:
    """H and H0 times the weights: z1 runs over the nodes, z2 over the nodes and their conjugates."""

    def product(first: Complex[Array, "nodes m"], mass: Float[Array, " m"]) -> Complex[Array, "nodes twice"]:
        return (first * mass[None, :]) @ jnp.concatenate([first, first.conj()]).T

    one = jnp.ones(1)
    factors, steps = product(1 / (1 + delta[:, None]), one), product(weights[:, None], one)
    spread = product(resolvent, law.counts * law.values**2) / samples
    gain = steps / (1 - factors * spread)
    start = product(resolvent, law.counts * law.values) / jnp.sum(law.counts)
    return gain * product(resolvent, law.values * law.signal), gain * start
