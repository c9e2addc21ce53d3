"""Link functions of products of parameters: what a network's output is, as a function of its n dual variables.

A mode with start `scale` follows its dual variable z alone: output = exp(log_scale) h(z). Where h has walls, z is
scaled so that they stand at -1 and 1, and a mode is kept by its two gaps, below = 1 - z and above = 1 + z: close to a
wall the gap is known to full relative accuracy, z is not.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

NODES, WEIGHTS = np.polynomial.legendre.leggauss(24)
# Newton steps for the angle of a deep product: it starts within a factor of 2, and the logarithm is nearly linear
ANGLE_STEPS = 12


class Gaps(NamedTuple):
    """1 - z and 1 + z of every mode (k,)."""

    below: Float[Array, " k"]
    above: Float[Array, " k"]

    @property
    def z(self) -> Float[Array, " k"]:
        """The dual variables."""
        return 0.5 * (self.above - self.below)

    @property
    def least(self) -> Float[Array, " k"]:
        """The gap to the nearer wall."""
        return jnp.minimum(self.below, self.above)


def gaps(z: Float[Array, " k"]) -> Gaps:
    """Gaps of dual variables."""
    return Gaps(1.0 - z, 1.0 + z)


class Link(NamedTuple):
    """Powers w_+^depth - w_-^depth (`tensor` False), or products of `depth` factors with the last one from 0 (True).

    With start scale a (alpha times shape) of a mode, z = rate phi, phi the integral of minus the slope of the loss in
    the output:
      powers 2:    a^2 2 sinh z,                                    rate 4
      powers D:    a^D [(1-z)^(-e) - (1+z)^(-e)],  e = D/(D-2),     rate D (D-2) a^(D-2)
      product 2:   (a^2/4) 2 sinh z,                                rate 2
      product L:   a^L sin(t)/cos^L(t), R z = int_0^t cos^(L-3),    rate a^(L-2)/R, R that integral up to pi/2
    """

    depth: int
    tensor: bool

    @property
    def walled(self) -> bool:
        """Whether z is bounded."""
        return self.depth > 2

    @property
    def wall(self) -> float:
        """R, for a product of three factors or more."""
        m = self.depth - 3
        return math.sqrt(math.pi) * math.gamma((m + 1) / 2) / (2 * math.gamma(m / 2 + 1))

    @property
    def pace(self) -> float:
        """The rate at a = 1."""
        if not self.walled:
            return 2.0 if self.tensor else 4.0
        return 1.0 / self.wall if self.tensor else float(self.depth * (self.depth - 2))

    def log_scale(self, log_start: Any) -> Any:
        """The logarithm of the factor in front of h, from that of a."""
        return self.depth * log_start - (math.log(4.0) if self.tensor and not self.walled else 0.0)

    def value(self, log_scale: Float[Array, " k"], at: Gaps) -> Float[Array, " k"]:
        """The output of each mode; exactly 0 at z = 0."""
        if self.walled and self.tensor:
            size = jnp.exp(log_scale - self.depth * jnp.log(jnp.sin(self.angle(at.least))))
            return size * self._sine(at)
        if self.walled:
            e = self.depth / (self.depth - 2)
            up, down = -e * jnp.log(at.below), -e * jnp.log(at.above)
        else:
            up, down = at.z, -at.z
        # the smaller of two exponentials as a share of the larger; both derivatives are whole where they are equal
        rising = up >= down
        more, less = jnp.where(rising, up - down, 0.0), jnp.where(rising, 0.0, up - down)
        return jnp.where(
            rising, -jnp.exp(log_scale + up) * jnp.expm1(-more), jnp.exp(log_scale + down) * jnp.expm1(less)
        )

    def _sine(self, at: Gaps) -> Float[Array, " k"]:
        """sin(t) of a product: by its series near 0, where pi/2 - |t| says nothing."""
        m, z = self.depth - 3, at.z
        near = jnp.abs(z) < 1e-3
        turn = self.wall * jnp.where(near, z, 0.0)
        far = jnp.cos(self.angle(jnp.where(near, 0.5, at.least)))
        return jnp.where(near, turn + (m - 1) / 6 * turn**3, jnp.where(z > 0, far, -far))

    def log_slope(self, log_scale: Float[Array, " k"], at: Gaps) -> Float[Array, " k"]:
        """The logarithm of the derivative of `value` in z."""
        if not self.walled:
            return log_scale + jnp.abs(at.z) + jnp.log1p(jnp.exp(-2 * jnp.abs(at.z)))
        if self.tensor:
            angle = self.angle(at.least)
            near = log_scale - (2 * self.depth - 2) * jnp.log(jnp.sin(angle))
            return near + jnp.log(self.wall * (jnp.sin(angle) ** 2 + self.depth * jnp.cos(angle) ** 2))
        e = self.depth / (self.depth - 2)
        most = jnp.maximum(at.below, at.above)
        return log_scale + math.log(e) - (e + 1) * jnp.log(at.least) + jnp.log1p((at.least / most) ** (e + 1))

    def angle(self, gap: Float[Array, " k"]) -> Float[Array, " k"]:
        """pi/2 - |t| of a product: R gap = int_0^angle sin^(L-3)."""
        m = self.depth - 3
        if m == 0:
            return self.wall * gap
        if m == 1:
            return 2 * jnp.arcsin(jnp.sqrt(jnp.minimum(0.5 * gap, 0.5)))
        wanted = jnp.log(self.wall * gap)

        def refine(_: Any, angle: Array) -> Array:
            held = 0.5 * angle * (jnp.sin(0.5 * angle[:, None] * (1 + NODES)[None, :]) ** m @ WEIGHTS)
            step = (jnp.log(held) - wanted) * held / (angle * jnp.sin(angle) ** m)
            return jnp.minimum(angle * jnp.exp(-jnp.clip(step, -1.0, 1.0)), 0.5 * math.pi)

        first = jnp.minimum(((m + 1) * self.wall * gap) ** (1 / (m + 1)), 0.5 * math.pi)
        return jax.lax.fori_loop(0, ANGLE_STEPS, refine, first)


class Modes(NamedTuple):
    """A linear predictor whose modes are products of parameters.

    `matrix` (n, k): outputs of the n samples from the k modes; `dual` (n, k): the same with every column times the
    mode's rate, z = dual^T nu; `log_scale` (k,); `pace`: nu moves by pace (targets - outputs)/n in unit flow time.
    """

    link: Link
    matrix: Float[Array, "n k"]
    dual: Float[Array, "n k"]
    log_scale: Float[Array, " k"]
    pace: Float[Array, ""]

    def at(self, nu: Float[Array, " n"]) -> Gaps:
        """Gaps of the modes at these dual variables."""
        return gaps(nu @ self.dual)

    def output(self, at: Gaps) -> Float[Array, " k"]:
        """The size of every mode."""
        return self.link.value(self.log_scale, at)

    def curvature(self, at: Gaps, log_unit: Array | float = 0.0) -> Float[Array, "n n"]:
        """The derivative of the samples' outputs in nu, over exp(log_unit): symmetric, not negative."""
        slope = jnp.exp(self.link.log_slope(self.log_scale, at) - log_unit)
        return (self.matrix * slope[None, :]) @ self.dual.T


def modes(link: Link, matrix: Float[Array, "n k"], init_scale: Float[Array, ""], shape: Float[Array, " k"]) -> Modes:
    """Modes whose factors start at init_scale times shape (a mode of shape 0 stays 0)."""
    dead = shape == 0
    log_shape = jnp.log(jnp.where(dead, 1.0, jnp.abs(shape)))
    rate = jnp.exp((link.depth - 2) * log_shape)
    log_scale = link.log_scale(jnp.log(init_scale) + log_shape)
    living = jnp.where(dead, 0.0, matrix)
    pace = link.pace * jnp.exp((link.depth - 2) * jnp.log(init_scale))
    return Modes(link, living, living * rate[None, :], jnp.where(dead, -jnp.inf, log_scale), pace)
