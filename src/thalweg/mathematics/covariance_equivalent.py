"""What deterministic equivalents by contour integrals share: the edge of the spectrum, the loop, and delta on it.

Columns x_i = m_{k(i)} + C^(1/2) z_i, i = 1..n, class fractions pi, and S = X X^T / n of shape (p, p). For f analytic
around the spectrum of S, f(S) = -(1 / 2 pi i) oint f(z) (S - z)^(-1) dz over an anticlockwise loop, and averages are
integrals over f of what does not depend on f: `linear_equivalent`, `mixture_equivalent`. In the eigenbasis of C, with
eigenvalues l_i,

    Q_i = 1 / (a l_i - z),  a = 1 / (1 + delta),  delta = (1/n) sum_i l_i Q_i     (Im delta > 0 for Im z > 0)

Source: Liao and Couillet 2018, arXiv 1805.11917; the equation for delta in its companion variable: Silverstein and Bai
1995; the shape of the loop and the number of nodes: derived here, from the largest |f| on it.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Real

Scalar = int | float | Real[Array, ""]
Spectrum = Float[Array, " p"]
Means = Float[Array, "p classes"]
PerClass = Float[Array, " classes"]
Points = Complex[Array, " nodes"]
Resolvent = Complex[Array, "nodes p"]
Pairs = Complex[Array, "nodes twice"]
Form = Float[Array, "twice twice"]
Number = Float[Array, ""]
Filters = Complex[Array, "times nodes"]

_HALVINGS = 60
_LEVELS = 16


@jax.jit
def largest_eigenvalue(
    eigenvalues: Spectrum, means: Means, fractions: PerClass, samples: Scalar, counts: Spectrum | None = None
) -> Number:
    """Limit of the largest eigenvalue of S, outliers included: the `largest` for `contour`.

    `counts` says how often each eigenvalue occurs (once, if not given); means have one row an eigenvalue.

    z(u) = 1/u + (1/n) sum_i l_i / (1 - l_i u) at the smallest u in (0, 1 / max l) where one of these is 1:

        edge of the bulk: u^2 (1/n) sum_i l_i^2 / (1 - l_i u)^2       outlier: u |D M^T (1 - l u)^(-1) M D|

    Both increase in u. For C = I and one direction it is (1 + sqrt c)^2 or 1 + c + rho + c/rho.
    Source: Silverstein and Choi 1995 (edge); det(I + G) = 0 on the real axis (outlier).
    """
    scaled = means * jnp.sqrt(fractions)[None, :]
    share = (jnp.ones_like(eigenvalues) if counts is None else counts) / samples

    def excess(u: Float[Array, ""]) -> Number:
        scale = 1 / (1 - eigenvalues * u)
        bulk = u**2 * jnp.sum(share * (eigenvalues * scale) ** 2)
        outlier = u * jnp.linalg.eigvalsh(scaled.T @ (scaled * scale[:, None]))[-1]
        return jnp.maximum(bulk, outlier) - 1

    def halve(_: Scalar, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        inside = excess(middle) < 0
        return jnp.where(inside, middle, low), jnp.where(inside, high, middle)

    start = (jnp.zeros(()), 1 / jnp.max(eigenvalues))
    root = jax.lax.stop_gradient(jax.lax.fori_loop(0, _HALVINGS, halve, start)[0])
    # Bisection has no derivative; one Newton step has the right one.
    value, slope = jax.jvp(excess, (root,), (jnp.ones(()),))
    root = root - value / slope
    return 1 / root + jnp.sum(share * eigenvalues / (1 - eigenvalues * root))


def contour_nodes(largest: int | float, horizon: int | float) -> int:
    """Nodes for 1e-10 in products h(z1) h(z2), for filters f that decay like exp(-tau x), tau <= horizon.

    Powers (1 - r x)^k count as tau = r k; with memory b of the last step, tau = r k / (1 - b). A plain Python
    integer, a power of two, at least 16 + 5 sqrt(horizon * largest).
    """
    return 2 ** math.ceil(math.log2(16.0 + 5.0 * math.sqrt(horizon * largest)))


def contour(largest: Scalar, horizon: Scalar, nodes: int) -> tuple[Points, Points]:
    """Upper half of an anticlockwise loop around [0, largest], as points z and weights dz / (2 pi i).

    z = w^2, w = A cos(phi) + i B sin(phi), B = 1.2 / sqrt(horizon), A^2 = largest + B^2, midpoint rule in
    0 < phi < pi / 2. On it |exp(-tau z)| stays below exp(1.44), and so does |1 - r z|^k at both ends for
    r <= 2 / largest: `largest` should be the true one (`largest_eigenvalue`), not a loose bound.
    If F(conj z) = conj F(z), then (1 / 2 pi i) oint F dz = 2 Re sum(weights * F(z)).
    """
    largest = jnp.asarray(largest, float)
    # A horizon shorter than 1 / largest would only blow the loop up.
    minor = 1.2 / jnp.sqrt(jnp.maximum(jnp.asarray(horizon, float), 1 / largest))
    major = jnp.sqrt(largest + minor**2)
    angle = (np.arange(nodes) + 0.5) * (math.pi / (2 * nodes))
    cosine, sine = jnp.asarray(np.cos(angle)), jnp.asarray(np.sin(angle))
    root = jax.lax.complex(major * cosine, minor * sine)
    slope = jax.lax.complex(-major * sine, minor * cosine)
    return root**2, root * slope / (2j * nodes)


def stacked(values: Filters) -> Float[Array, "times twice"]:
    """Filter values on the nodes as [Re, Im]."""
    return jnp.concatenate([values.real, values.imag], axis=1)


def linear_form(kernel: Complex[Array, "nodes ..."]) -> Float[Array, "twice ..."]:
    """Real kernel of 2 Re sum_j h_j kernel_j, for h stacked as [Re, Im]."""
    return jnp.concatenate([2 * kernel.real, -2 * kernel.imag], axis=0)


def quadratic_form(kernel: Form, filters: Float[Array, "times twice"]) -> Float[Array, " times"]:
    """h' kernel h for each row h."""
    return jnp.sum((filters @ kernel) * filters, axis=1)


def resolvents(
    eigenvalues: Spectrum, samples: Scalar, z: Points, counts: Spectrum | None = None
) -> tuple[Resolvent, Points]:
    """Q_i(z) and delta(z); `counts` says how often each eigenvalue occurs (once, if not given).

    With v = -a / z: F(v) = 1 + z v - (1/n) sum l v / (1 + l v) = 0, Im v > 0.

    Newton from far above the axis, where v = -1/z, straight down to each node: a start at the node itself may
    end on a wrong branch, and the path never comes nearer to the spectrum than the node is.
    """
    mass = eigenvalues if counts is None else counts * eigenvalues
    weighted = mass.astype(z.dtype)
    top = 8 * (jnp.max(jnp.abs(z)) + jnp.max(eigenvalues) + jnp.sum(mass) / samples)
    # Two steps at each level and six at the last one, all in one loop: its body is what costs compilation.
    levels = np.minimum(np.repeat(np.arange(_LEVELS + 3), 2) / _LEVELS, 1.0)
    descent = (z.imag / top)[None, :] ** jnp.asarray(levels)[:, None]
    path = jax.lax.complex(jnp.broadcast_to(z.real[None, :], descent.shape), top * descent)

    def newton(v: Points, at: Points) -> tuple[Points, None]:
        scale = 1 / (1 + v[:, None] * eigenvalues[None, :])
        value = 1 + at * v - v * (scale @ weighted) / samples
        return v - value / (at - (scale**2 @ weighted) / samples), None

    v, _ = jax.lax.scan(newton, -1 / path[0], path)
    resolvent = -1 / (z[:, None] * (1 + v[:, None] * eigenvalues[None, :]))
    return resolvent, resolvent @ weighted / samples


def pair_form(pairs: Pairs) -> Form:
    """Real form, for h stacked as [Re, Im], of 2 Re sum_jk h_j (h_k same_jk + conj(h_k) cross_jk)."""
    same, cross = jnp.split(pairs, 2, axis=1)
    upper = jnp.concatenate([same.real + cross.real, cross.imag - same.imag], axis=1)
    lower = jnp.concatenate([-same.imag - cross.imag, cross.real - same.real], axis=1)
    return 2 * jnp.concatenate([upper, lower], axis=0)
