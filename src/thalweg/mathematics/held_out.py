"""Least squares without one row, for every row and every spectral filter at once: one eigenproblem, one contour.

A (n, p) with rows x_i, targets y, G = A'A, b = A'y, and G_i, b_i the same without row i. Where rows and targets are
`centred` (column means 0, and each fit takes the means of its own rows away), the scatter without row i is again a
downdate of rank one, with weight k = n/(n-1) in place of 1:

    G_i = G - k x_i x_i',    b_i = b - k y_i x_i,    row and target seen from the other rows' means: k x_i, k y_i.

With h_i = x_i'(G - s)^-1 x_i and u_i = x_i'(G - s)^-1 b (Sherman and Morrison):

    x_i'(G_i - s)^-1 b_i = (u_i - k h_i y_i) / (1 - k h_i),      x_i'(G_i - s)^-1 x_i = h_i / (1 - k h_i);

at s = -penalty the first is ridge regression, whose residual y_i - (...) is (y_i - u_i)/(1 - k h_i). Both differences
vanish with s where a row is seen by no other (more columns than rows), so that neither is taken: with the singular
value decomposition A = V D^1/2 W', c = V'y and q_r = -s/(d_r - s),

    y_i - u_i = y_i - (V c)_i + sum_r v_ir c_r q_r,      1 - k h_i = k [1/k - sum_r v_ir^2 + sum_r v_ir^2 q_r],

where 1/k - sum_r v_ir^2 >= 0 is what of row i lies outside the span of the columns (and of the constant), exactly 0
where it is below rounding; singular values that are null but for rounding are left out. On a contour
z around the spectrum of G_i/(n-1), s = (n-1) z, it gives g(G_i/(n-1)) b_i/(n-1) for every entire filter g:

    x_i' g b_i/(n-1) = -(1/2 pi i) oint g(z) x_i'(G_i - s)^-1 b_i dz.

Cost: one eigenproblem of size min(n, p), O(N n min(n, p)) for N nodes, O(N n) a time. The contour is that of
`covariance_equivalent`. Source of the ridge form: Allen 1974 (PRESS); the contour is derived here.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Inexact

from .covariance_equivalent import contour

Table = Float[Array, "n p"]
Row = Float[Array, " n"]
Number = Float[Array, ""]
Kernel = Float[Array, "twice n"]

_EPSILON = float(np.finfo(np.float64).eps)
# a row whose leverage is 1 to this accuracy counts as seen by no other
_ROUNDING = 1e-12


class Scatter(NamedTuple):
    """Eigenvalues d (r,) of G (or of its Gram form), rows (n, r) and b (r,) in their basis, r = min(n, p).

    `vectors` (n, r): left singular vectors V, 0 where d is null but for rounding; `share` (r,): V'y; `values` rise.
    """

    values: Float[Array, " r"]
    rows: Float[Array, "n r"]
    drive: Float[Array, " r"]
    vectors: Float[Array, "n r"]
    share: Float[Array, " r"]


class HeldOut(NamedTuple):
    """What acts on filter values stacked as [Re, Im] over the nodes, for each row held out.

    outputs: linear in g; spreads: linear in f^2, |f(G_i/(n-1)) x_i|^2; direction: x_i'b_i/(n-1), the output of g = 1;
    targets (n,), from the means of the other rows. `trace`, on g, is the sum of g over `values`, the eigenvalues of
    G/(n-1): where it is not, the contour has too few nodes.
    """

    outputs: Kernel
    spreads: Kernel
    direction: Row
    targets: Row
    trace: Float[Array, "twice 1"]
    values: Float[Array, " r"]


def scatter(inputs: Table, targets: Row) -> Scatter:
    """The singular value decomposition of the rows, of rank min(n, p)."""
    left, sizes, _ = jnp.linalg.svd(inputs, full_matrices=False)
    left, sizes = left[:, ::-1], sizes[::-1]
    alive = sizes > max(inputs.shape) * _EPSILON * sizes[-1]
    sizes = jnp.where(alive, sizes, 0.0)
    vectors = jnp.where(alive[None, :], left, 0.0)
    share = vectors.T @ targets
    return Scatter(sizes**2, vectors * sizes[None, :], sizes * share, vectors, share)


def weight(count: int, centred: bool) -> float:
    """k: n/(n-1) for centred rows, else 1."""
    return count / (count - 1) if centred else 1.0


class Outside(NamedTuple):
    """Of each row (n,): what lies outside the span of the columns, of the row itself and of its target."""

    row: Row
    target: Row


def outside(found: Scatter, targets: Row, k: float) -> Outside:
    """1/k - sum_r v_ir^2 and y_i - (V c)_i; both 0 where the first is so but for rounding."""
    left = 1 / k - jnp.sum(found.vectors**2, axis=1)
    some = left > _ROUNDING
    missed = targets - found.vectors @ found.share
    return Outside(jnp.where(some, left, 0.0), jnp.where(some, missed, 0.0))


def residuals(
    found: Scatter, targets: Row, shift: Inexact[Array, " s"], k: float
) -> tuple[Inexact[Array, "s n"], Inexact[Array, "s n"]]:
    """(y_i - u_i)/(1 - k h_i) and x_i'(G_i - s)^-1 x_i at every shift s != 0."""
    scale = 1 / (found.values[None, :] - shift[:, None])
    beyond = outside(found, targets, k)
    q = -shift[:, None] * scale
    left = k * (beyond.row[None, :] + _times(q, (found.vectors**2).T))
    missed = beyond.target[None, :] + _times(q, (found.vectors * found.share[None, :]).T)
    # a row that is null has no leverage and no output; it may lie outside the span of rows at most
    h = _times(scale, (found.rows**2).T)
    return missed / left, h / left


def _times(first: Inexact[Array, "s r"], second: Float[Array, "r n"]) -> Inexact[Array, "s n"]:
    # one product of real matrices: a complex one is several times slower on a CPU
    if not jnp.iscomplexobj(first):
        return first @ second
    both = jnp.concatenate([first.real, first.imag]) @ second
    return both[: first.shape[0]] + 1j * both[first.shape[0] :]


def without_each(
    inputs: Table, targets: Row, centred: bool, horizon: Number | float, nodes: int
) -> tuple[Complex[Array, " nodes"], HeldOut]:
    """Nodes z, at which filters are to be evaluated, and the kernels that act on them; see `HeldOut`."""
    n = inputs.shape[0]
    k = weight(n, centred)
    found = scatter(inputs, targets)
    z, weights = contour(found.values[-1] / (n - 1), horizon, nodes)
    missed, spreads = residuals(found, targets, (n - 1) * z, k)
    whole = jnp.sum((n - 1) / (found.values[None, :] - (n - 1) * z[:, None]), axis=1, keepdims=True)
    # -(1/2 pi i) oint g r dz = -2 Re sum w g r = sum over [Re g, Im g] of a real kernel
    size = jnp.sum(inputs**2, axis=1)
    direction = (found.rows @ found.drive - k * size * targets) / (n - 1)
    outputs = targets[None, :] - missed
    return z, HeldOut(
        k * _real(outputs * weights[:, None]),
        k**2 * (n - 1) * _real(spreads * weights[:, None]),
        direction,
        k * targets,
        _real(whole * weights[:, None]),
        found.values / (n - 1),
    )


def _real(kernel: Complex[Array, "nodes m"]) -> Float[Array, "twice m"]:
    return jnp.concatenate([-2 * kernel.real, 2 * kernel.imag])


def act(filters: Complex[Array, "times nodes"], kernel: Float[Array, "twice m"]) -> Float[Array, "times m"]:
    """A kernel on filter values at the nodes."""
    return jnp.concatenate([filters.real, filters.imag], axis=1) @ kernel


def ridge_errors(inputs: Table, targets: Row, centred: bool, ridge: Float[Array, " s"]) -> Float[Array, "s n"]:
    """Errors of ridge regression on the row held out, (1/2(n-1)) sum (y - x.w)^2 + (ridge/2) |w|^2 on the others."""
    n = inputs.shape[0]
    k = weight(n, centred)
    return k * residuals(scatter(inputs, targets), targets, -(n - 1) * ridge, k)[0]
