"""Renewal (Volterra) equations whose kernel is a sum of exponentials, solved to high order without a memory integral.

    L(t) = F(t) + int_0^t K(t - u) L(u) du,      K(u) = Re sum_j a_j exp(-r_j u)

On panels of equal width L is a polynomial through Chebyshev points; the past enters by one state for each exponential,
so that a panel costs points * exponentials, and one small matrix serves all panels. Rates r_j and weights may be
complex (contour integrals). The error falls like (width * largest rate)^points / points!.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact, Real

POINTS = 10
_GAUSS, _GAUSS_WEIGHTS = (0.5 * (v + s) for v, s in zip(np.polynomial.legendre.leggauss(16), (1.0, 0.0), strict=True))
_X = -np.cos(np.arange(POINTS) * math.pi / (POINTS - 1))
_COEFFICIENTS = np.linalg.inv(np.polynomial.chebyshev.chebvander(_X, POINTS - 1))

Scalar = int | float | Real[Array, ""]
Panels = Float[Array, "panels points"]


class Renewal(NamedTuple):
    """`solution` (panels, points) of the equation, and for m further kernels `effects` (panels, points, m): the
    integrals int_0^t K_m(t - u) L(u) du."""

    solution: Panels
    effects: Float[Array, "panels points m"]


def panels_needed(horizon: float, fastest: float) -> int:
    """Panels for 1e-10, where `fastest` is the largest rate of the kernel or of the forcing; a power of two."""
    return 2 ** math.ceil(math.log2(max(1.0, horizon * fastest / 2)))


def panel_times(horizon: Scalar, panels: int) -> Panels:
    """The times of all Chebyshev points of all panels on [0, horizon]."""
    inside = jnp.asarray((_X + 1) / 2)
    return horizon / panels * (jnp.arange(panels)[:, None] + inside[None, :])


def interpolated(values: Panels, horizon: Scalar, times: Float[Array, " times"]) -> Float[Array, " times"]:
    """The piecewise polynomial through values at the panel points, at any times in [0, horizon]."""
    count = values.shape[0]
    place = times * (count / horizon)
    panel = jnp.clip(jax.lax.stop_gradient(jnp.floor(place)).astype(int), 0, count - 1)
    x = 2 * (place - panel) - 1
    rows = [jnp.ones_like(x), x]
    for _ in range(POINTS - 2):
        rows.append(2 * x * rows[-1] - rows[-2])
    coefficients = values @ jnp.asarray(_COEFFICIENTS).T
    return jnp.sum(jnp.stack(rows, axis=1) * coefficients[panel], axis=1)


def renewal(
    forcing: Panels,
    horizon: Scalar,
    rates: Inexact[Array, " n"],
    weights: Inexact[Array, " n"],
    others: Inexact[Array, "n m"],
) -> Renewal:
    """Solve for L at the panel points on [0, horizon]; `weights` a_j of K, `others` those of m further kernels."""
    width = horizon / forcing.shape[0]
    within, across = _panel_integrals(rates, width)
    # the influence of each point's value on each point, and of each state on each point
    fade = jnp.exp(-rates[None, :] * width * jnp.asarray((_X + 1) / 2)[:, None])
    inner = jnp.einsum("n,niq->iq", weights, within).real
    solve = jnp.linalg.inv(jnp.eye(POINTS) - inner)
    memory, beside = fade * weights[None, :], jnp.einsum("nm,niq->iqm", others, within).real

    def panel(state: Array, force: Array) -> tuple[Array, tuple[Array, Array]]:
        values = solve @ (force + (memory @ state).real)
        effect = ((fade * state[None, :]) @ others).real + jnp.einsum("iqm,q->im", beside, values)
        return fade[-1] * state + across @ values.astype(state.dtype), (values, effect)

    _, (solution, effects) = jax.lax.scan(panel, jnp.zeros_like(rates), forcing)
    return Renewal(solution, effects)


def _panel_integrals(
    rates: Inexact[Array, " n"], width: Scalar
) -> tuple[Inexact[Array, "n points points"], Inexact[Array, "n points"]]:
    """int_0^{c_i} exp(-r (c_i - u)) l_q(u) du for the Lagrange polynomials l_q of a panel; and its last row, c = 1."""
    ends = (_X + 1) / 2
    places = ends[:, None] * _GAUSS[None, :]
    basis = np.polynomial.chebyshev.chebvander(2 * places - 1, POINTS - 1) @ _COEFFICIENTS
    lags = ends[:, None] * (1 - _GAUSS)[None, :]
    fade = jnp.exp(-rates[:, None, None] * width * jnp.asarray(lags)[None, :, :])
    measure = jnp.asarray(ends[:, None, None] * _GAUSS_WEIGHTS[None, :, None] * basis)
    within = width * jnp.einsum("nig,igq->niq", fade, measure.astype(rates.dtype))
    return within, within[:, -1, :]
